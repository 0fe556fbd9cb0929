#[derive(Debug, drpc::Failure, thiserror::Error)]
#[error("asleep")]
#[failure(status = FAILURE name = "asleep")]
struct Asleep;

fn main() {}
