#[derive(Debug, thiserror::Error, drpc::Failure)]
enum PoolError {
    #[error("no pool")]
    #[failure(status = SUCCESS)]
    NoPool(String),
}

fn main() {
    let _ = PoolError::NoPool;
}
