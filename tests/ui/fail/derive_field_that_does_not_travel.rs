#[derive(Debug, thiserror::Error, drpc::Failure)]
enum PoolError {
    #[error("disk")]
    Disk(#[from] std::io::Error),
}

fn main() {
    let _ = PoolError::Disk;
}
