#[derive(Debug, thiserror::Error)]
enum PoolError {
    #[error("no pool")]
    #[failure(status = FAILURE)]
    NoPool(String),
}

fn main() {
    let _ = PoolError::NoPool;
}
