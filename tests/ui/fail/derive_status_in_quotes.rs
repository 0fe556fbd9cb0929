#[derive(Debug, drpc::Failure, thiserror::Error)]
#[error("asleep")]
#[failure(status = "FAILURE")]
struct Asleep;

fn main() {}
