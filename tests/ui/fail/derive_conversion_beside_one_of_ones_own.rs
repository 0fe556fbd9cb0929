#[derive(Debug, thiserror::Error, drpc::Failure)]
#[error("no pool")]
struct NoPool;

impl From<NoPool> for drpc::Failure {
    fn from(_: NoPool) -> Self {
        "no pool".into()
    }
}

fn main() {
    let _ = NoPool;
}
