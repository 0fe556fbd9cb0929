#[derive(Debug, thiserror::Error, drpc::Failure)]
enum PoolError {
    #[error("no pool")]
    #[failure(status = FAILURE)]
    #[failure(local, status = UNKNOWN_MODULE)]
    NoPool(String),
}

fn main() {
    let _ = PoolError::NoPool;
}
