#[derive(Debug, thiserror::Error, drpc::Failure)]
#[failure(local)]
enum PoolError {
    #[error("no pool")]
    NoPool(String),
}

fn main() {
    let _ = PoolError::NoPool;
}
