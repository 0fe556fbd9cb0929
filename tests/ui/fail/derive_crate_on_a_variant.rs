#[derive(Debug, thiserror::Error, drpc::Failure)]
enum PoolError {
    #[error("no pool")]
    #[failure(crate = ::drpc)]
    NoPool(String),
}

fn main() {
    let _ = PoolError::NoPool;
}
