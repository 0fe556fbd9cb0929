#[derive(Debug, drpc::Failure)]
enum PoolError {
    NoPool(String),
}

fn main() {
    let _ = PoolError::NoPool;
}
