#[derive(Debug, drpc::Failure, thiserror::Error)]
#[error("asleep")]
#[failure = "FAILURE"]
struct Asleep;

fn main() {}
