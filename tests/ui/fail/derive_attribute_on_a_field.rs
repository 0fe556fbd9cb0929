#[derive(Debug, thiserror::Error, drpc::Failure)]
enum PoolError {
    #[error("no pool")]
    NoPool(#[failure(local)] String),
}

fn main() {
    let _ = PoolError::NoPool;
}
