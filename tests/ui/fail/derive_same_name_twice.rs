#[derive(Debug, thiserror::Error, drpc::Failure)]
enum PoolError {
    #[error("no pool")]
    NoPool(String),
    #[error("full")]
    #[failure(name = "NoPool")]
    Full,
}

fn main() {
    let _ = (PoolError::NoPool, PoolError::Full);
}
