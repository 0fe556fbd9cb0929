#[derive(Debug, thiserror::Error, drpc::Failure)]
enum PoolError {
    #[error("no pool")]
    #[failure(local = true)]
    NoPool(String),
}

fn main() {
    let _ = PoolError::NoPool;
}
