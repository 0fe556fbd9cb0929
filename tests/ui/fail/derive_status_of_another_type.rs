#[derive(Debug, thiserror::Error, drpc::Failure)]
enum PoolError {
    #[error("no pool")]
    #[failure(status = 5)]
    NoPool(String),
}

fn main() {
    let _ = PoolError::NoPool;
}
