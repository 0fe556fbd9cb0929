#[derive(Debug, thiserror::Error, drpc::Failure)]
enum PoolError {
    #[error("no pool")]
    #[failure(statis = FAILURE)]
    NoPool(String),
}

fn main() {
    let _ = PoolError::NoPool;
}
