//! A module over several blocks.

use drpc::{Failure, Incoming, Module, drpc_module};
use drpc_tests::messages::{Hello, HelloResponse};
use futures_util::Stream;

#[derive(Default)]
struct Mgmt;

#[drpc_module(id = 2, register)]
impl Mgmt {
    #[method(1)]
    fn ping(&self) {}

    /// Creates.
    #[method(11)]
    async fn create(&self, req: Hello) -> Result<HelloResponse, Failure>;

    #[method(12, name = "destroy", idempotent, allow = "admin")]
    fn destroy_all(&self, req: Hello) -> Result<(), Failure>;

    #[cfg(any())]
    #[method(13)]
    fn gone(&self);

    #[method(14, stream)]
    fn watch(&self) -> impl Stream<Item = Result<Hello, Failure>> + use<>;

    #[method(15, stream)]
    async fn fill(&self, pieces: Incoming<Hello>) -> Result<(), Failure>;
}

mod pools {
    use super::{Failure, Hello, HelloResponse, Mgmt, drpc_module};

    #[drpc_module(part)]
    impl Mgmt {
        #[method]
        pub(super) async fn create(&self, req: Hello) -> Result<HelloResponse, Failure> {
            self.helper();
            Ok(HelloResponse { greeting: req.name })
        }

        #[allow(clippy::unused_self, reason = "it is no handler")]
        fn helper(&self) {}
    }
}

mod streams {
    use super::{Failure, Hello, Incoming, Mgmt, Stream, drpc_module};

    #[drpc_module(part)]
    impl Mgmt {
        #[method]
        pub(super) fn watch(&self) -> impl Stream<Item = Result<Hello, Failure>> + use<> {
            futures_util::stream::iter([Ok(Hello::default())])
        }

        #[method]
        pub(super) async fn fill(&self, pieces: Incoming<Hello>) -> Result<(), Failure> {
            drop(pieces);
            Ok(())
        }
    }
}

mod others {
    use super::{Hello, Mgmt};

    #[drpc::drpc_module(part)]
    impl Mgmt {
        #[method]
        pub(crate) fn destroy_all(&self, req: Hello) -> Result<(), drpc::Failure> {
            drop(req);
            Ok(())
        }

        #[cfg(any())]
        #[method]
        pub(crate) fn gone(&self) {}
    }
}

fn main() {
    assert_eq!(MgmtMethod::Create.id(), 211);
    assert_eq!(MgmtMethod::DestroyAll.method(), drpc::Method::new(2, 212, "destroy").idempotent().with_rule("admin"));
    assert_eq!(Mgmt.id(), 2);
}
