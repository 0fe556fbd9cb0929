#[derive(Debug, thiserror::Error, drpc::Failure)]
enum PoolError {
    #[error("no pool")]
    #[failure(status = NO_POOL)]
    NoPool(String),
}

fn main() {
    let _ = PoolError::NoPool;
}
