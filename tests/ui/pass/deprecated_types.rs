//! Types and factories that are deprecated, where that is allowed.

use drpc::{Failure, Incoming, Stream, WithFds, drpc_module};
use futures_util::stream;

#[deprecated]
#[derive(Default)]
struct Greeter;

#[allow(deprecated, reason = "it still serves")]
#[drpc_module(id = 5, register)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}
}

struct Parrot;

#[deprecated]
fn make() -> Parrot {
    Parrot
}

#[allow(deprecated, reason = "it still serves")]
#[drpc_module(id = 6, register = make)]
impl Parrot {
    #[method(1)]
    fn echo(&self) {}
}

mod old {
    #![allow(deprecated, reason = "the conversions that prost derives name it")]

    #[deprecated]
    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Old {}
}

#[deprecated]
struct Museum;

#[allow(deprecated, reason = "it still serves")]
#[drpc_module(id = 7)]
impl Museum {
    #[method(1)]
    fn show(&self, old: old::Old) -> old::Old {
        old
    }

    #[method(2)]
    fn clean(&self, _old: old::Old) -> Result<old::Old, Failure> {
        Err("not today".into())
    }

    #[method(3, stream)]
    fn take(&self, _old: Incoming<old::Old>) -> impl Stream<Item = Result<old::Old, Failure>> {
        stream::empty()
    }

    #[method(4, fds)]
    fn keep(&self, _old: WithFds<old::Old>) {}

    #[method(5)]
    fn lend(&self, old: old::Old) -> old::Old;
}

#[allow(deprecated, reason = "it still serves")]
#[drpc_module(part)]
impl Museum {
    #[method]
    fn lend(&self, old: old::Old) -> old::Old {
        old
    }
}

#[derive(Debug, Failure)]
enum Refused {
    #[deprecated]
    Before,
    Now {
        #[deprecated]
        why: String,
    },
}

#[allow(deprecated, reason = "callers of another version know it")]
impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refused::Before => f.write_str("refused"),
            Refused::Now { why } => f.write_str(why),
        }
    }
}

#[allow(deprecated, reason = "callers of another version know it")]
fn main() {
    let _ = [Refused::Before, Refused::Now { why: "late".into() }];
    assert_eq!(MuseumMethod::ALL.len(), 5);
    assert_eq!(GreeterMethod::ALL.len(), ParrotMethod::ALL.len());
}
