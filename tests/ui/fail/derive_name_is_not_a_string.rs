#[derive(Debug, thiserror::Error, drpc::Failure)]
enum PoolError {
    #[error("no pool")]
    #[failure(name = no_pool)]
    NoPool(String),
}

fn main() {
    let _ = PoolError::NoPool;
}
