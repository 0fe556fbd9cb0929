//! Every form of handler.

#![allow(clippy::needless_arbitrary_self_type, clippy::unused_unit, unused_parens, reason = "forms that nobody needs are forms, too")]

use drpc::{Context, Failure, drpc_module};
use drpc_tests::messages::Hello;

#[derive(Clone, PartialEq, prost::Message)]
struct Forms {}

enum MyError {}

impl From<MyError> for Failure {
    fn from(error: MyError) -> Failure {
        match error {}
    }
}

struct IntoOnly;

#[allow(clippy::from_over_into)]
impl Into<Failure> for IntoOnly {
    fn into(self) -> Failure {
        Failure::unknown_method()
    }
}

type MyResult<T> = Result<T, MyError>;

mod aliased {
    pub(crate) type Result<T = ()> = std::result::Result<T, super::MyError>;
}

#[drpc_module(id = 5)]
impl Forms {
    #[method(1)]
    fn nothing(&self) {}

    #[method(2)]
    async fn unit(&self) -> () {}

    #[method(3)]
    fn message(&self, req: Hello) -> Hello {
        req
    }

    #[method(4)]
    async fn bytes(&self, body: bytes::Bytes) -> bytes::Bytes {
        body
    }

    #[method(5)]
    async fn context_first(self: &Self, _: &Context, mut req: Hello) -> Result<Hello, MyError> {
        req.name.clear();
        Ok(req)
    }

    #[method(6)]
    async fn context_last(&self, Hello { name }: Hello, _context: &drpc::Context) -> Result<Hello, Failure> {
        Ok(Hello { name })
    }

    #[method(7)]
    fn context_only(&self, _: &Context) -> Result<(), String> {
        Ok(())
    }

    #[method(8)]
    fn boxed_error(&self) -> Result<Hello, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Hello::default())
    }

    #[method(9)]
    fn io(&self) -> std::io::Result<Hello> {
        Ok(Hello::default())
    }

    #[method(10)]
    async fn alias(&self) -> aliased::Result<Hello> {
        Ok(Hello::default())
    }

    #[method(11)]
    async fn by_into_only(&self, (): ()) -> Result<(), IntoOnly> {
        Err(IntoOnly)
    }

    #[method(12)]
    fn itself(&self, req: Self) -> Result<Self, Failure> {
        Ok(req)
    }

    #[method(13)]
    fn parenthesised(&self, req: (Hello)) -> (Hello) {
        req
    }

    #[method(14)]
    async fn borrows(&self, req: Hello) -> Hello {
        let name = req.name.as_str();
        std::future::ready(()).await;
        Hello { name: name.to_uppercase() }
    }

    #[allow(clippy::unnecessary_wraps, clippy::unused_self, reason = "it is no handler")]
    fn helper(&self) -> MyResult<()> {
        Ok(())
    }
}

fn main() {
    assert_eq!(FormsMethod::ALL.len(), 14);
    assert!(Forms {}.helper().is_ok());
}
