#[derive(Debug, thiserror::Error, rpc::Failure)]
enum PoolError {
    #[error("no pool")]
    #[failure(status = rpc::Status::FAILURE)]
    NoPool(String),
}

fn main() {
    let _ = PoolError::NoPool;
}
