//! Types by other names: the compiler knows what they are.

use std::fmt;
use std::sync::Arc;

use drpc::{CallError, Context as Cx, Failure, Submitted, drpc_module};
use drpc_tests::messages::{Hello, HelloResponse as Reply};

type Res<T> = Result<T, Failure>;
type Greeted = Result<Reply, Failure>;
type Nothing = ();
type Ref<'a> = &'a Hello;
type Name = String;

mod inner {
    pub(super) type Out<T, E = drpc::Failure> = std::result::Result<T, E>;
    pub(super) type Backwards<E, T> = std::result::Result<T, E>;
    pub(super) type Always = std::result::Result<drpc_tests::messages::Hello, std::convert::Infallible>;
}

#[derive(Default)]
struct Greeter(String);

#[drpc_module(id = 5, register)]
impl Greeter {
    #[method(1)]
    fn context(&self, cx: &Cx) -> Res<Reply> {
        let _ = cx;
        Ok(Reply { greeting: self.0.clone() })
    }

    #[method(2)]
    async fn path(&self, req: Hello, cx: &Cx) -> crate::Res<Reply> {
        let _ = (req, cx);
        Err("no".into())
    }

    #[method(3)]
    fn without_arguments(&self) -> Greeted {
        Ok(Reply::default())
    }

    #[method(4)]
    fn with_a_default(&self) -> inner::Out<Reply> {
        Ok(Reply::default())
    }

    #[method(5)]
    fn backwards(self: Arc<Self>) -> inner::Backwards<String, Reply> {
        Err("no".to_owned())
    }

    #[method(6)]
    fn formatted(&self) -> fmt::Result {
        Ok(())
    }

    #[method(7)]
    fn submitted(&self) -> Res<Submitted> {
        Ok(Submitted)
    }

    #[method(8)]
    fn nothing(&self, (): Nothing) -> Nothing {}

    #[method(9)]
    async fn never_fails(&self) -> inner::Always {
        Ok(Hello::default())
    }

    #[method(10)]
    fn wrapped_by_prost(&self, req: Name) -> Name {
        req
    }

    #[allow(clippy::unused_self, reason = "it is no handler")]
    fn helper(&self, hello: Ref<'_>) -> usize {
        hello.name.len()
    }
}

fn main() {
    assert_eq!(Greeter::default().helper(&Hello::default()), 0);
    let greeter: Option<GreeterClient<drpc::blocking::Client>> = None;
    if let Some(greeter) = greeter {
        let _: Result<Reply, CallError> = greeter.without_arguments();
        let _: Result<Reply, CallError> = greeter.backwards();
        let _: Result<(), CallError> = greeter.submitted();
        let _: Result<(), CallError> = greeter.formatted();
        let _: Result<Hello, CallError> = greeter.never_fails();
    }
}
