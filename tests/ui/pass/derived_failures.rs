//! Errors of one's own as failures, and back.

use std::fmt;

use drpc::{Failure, Status, drpc_module};
use drpc_tests::messages::Hello;

#[derive(Debug, thiserror::Error, drpc::Failure)]
enum PoolError {
    #[error("no pool {0}")]
    #[failure(status = FAILURE)]
    NoSuchPool(String),

    #[error("full {name} {used}")]
    Full { name: String, used: u64, hello: Hello },

    #[error("disk")]
    #[failure(local, status = drpc::Status::UNKNOWN_MODULE)]
    Disk(#[from] std::io::Error),

    #[error("unit")]
    #[failure(name = "old")]
    Unit,
}

#[derive(Debug, Failure)]
struct Plain {
    is_full: bool,
}

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.is_full)
    }
}

#[derive(Debug, drpc::Failure, thiserror::Error)]
#[error("unit")]
#[failure(status = UNKNOWN_METHOD, name = "other")]
struct Unit;

#[derive(Debug, drpc::Failure, thiserror::Error)]
#[error("{0} {1}")]
struct Tuple(String, i64);

#[derive(Debug, drpc::Failure, thiserror::Error)]
enum r#Never {}

#[derive(Debug, drpc::Failure, thiserror::Error)]
enum Named {
    #[error("some")]
    Some,
    #[error("error")]
    Error,
    #[error("ok {type}")]
    Ok { r#type: String },
}

#[derive(Debug, drpc::Failure, thiserror::Error)]
#[failure(status = UNKNOWN_MODULE)]
enum Alike {
    #[error("one")]
    One,
    #[error("local")]
    #[failure(local)]
    Local,
    #[error("other")]
    #[failure(status = UNKNOWN_METHOD)]
    Other,
}

#[derive(Debug, drpc::Failure, thiserror::Error)]
enum Borrowed<'a> {
    #[error("no pool {0}")]
    #[failure(local, status = FAILURE)]
    NoSuchPool(&'a str),
    #[error("{0} too many")]
    TooMany(u32),
}

#[derive(Default)]
struct Pools;

#[drpc_module(id = 5, register)]
impl Pools {
    #[method(1)]
    fn hello(&self) -> Result<(), PoolError> {
        Err(PoolError::Unit)
    }

    #[method(2)]
    async fn goodbye(&self) -> Result<(), Plain> {
        Err(Plain { is_full: true })
    }

    #[method(3)]
    async fn mixed(&self) -> anyhow::Result<()> {
        Err(Tuple("a".into(), 1))?
    }

    #[method(4)]
    async fn never(&self) -> Result<(), r#Never> {
        Ok(())
    }

    #[method(5)]
    async fn unit(&self) -> Result<(), Unit> {
        Err(Unit)
    }
}

fn main() {
    assert_eq!(Failure::from(PoolError::NoSuchPool("x".into())).status(), Status::FAILURE);
    assert_eq!(Failure::from(PoolError::from(std::io::Error::other("x"))).status(), Status::UNKNOWN_MODULE);
    assert_eq!(Failure::from(Unit).status(), Status::UNKNOWN_METHOD);
    let statuses = [Alike::One, Alike::Local, Alike::Other].map(|error| Failure::from(error).status());
    assert_eq!(statuses, [Status::UNKNOWN_MODULE, Status::UNKNOWN_MODULE, Status::UNKNOWN_METHOD]);
    let _ = PoolError::Full { name: String::new(), used: 1, hello: Hello::default() };
    let borrowed = [Borrowed::NoSuchPool("x"), Borrowed::TooMany(1)].map(|error| Failure::from(error).status());
    assert_eq!(borrowed[0], Status::FAILURE);
    let _ = [Named::Some, Named::Error, Named::Ok { r#type: String::new() }].map(Failure::from);
}
