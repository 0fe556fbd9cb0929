//# errors: 2
#[derive(Debug, thiserror::Error, drpc::Failure)]
enum PoolError {
    #[error("disk")]
    Disk(#[from] std::io::Error),
    #[error("text")]
    Text { source: std::fmt::Error },
}

fn main() {
    let _ = PoolError::Disk;
}
