//! Whatever `?` knows may be an error.

use std::borrow::Cow;
use std::error::Error;
use std::rc::Rc;

use drpc::drpc_module;
use drpc_tests::messages::{Hello, HelloResponse as Reply};

#[derive(Debug, thiserror::Error)]
enum GreeterError {
    #[error("asleep")]
    Asleep,
    #[error("no greeting: {0}")]
    Io(#[from] std::io::Error),
}

/// An error that stays in its thread.
#[derive(Debug, thiserror::Error)]
#[error("local")]
struct Local(Rc<u8>);

/// A text of an error.
struct Converted;

impl From<Converted> for drpc::Failure {
    fn from(_: Converted) -> Self {
        "converted".into()
    }
}

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    fn anyhow(&self) -> anyhow::Result<Reply> {
        anyhow::bail!("no")
    }

    #[method(2)]
    async fn eyre(&self) -> eyre::Result<Reply> {
        eyre::bail!("no")
    }

    #[method(3)]
    fn boxed(&self) -> Result<Reply, Box<dyn Error>> {
        Err("no")?
    }

    #[method(4)]
    async fn boxed_async(&self) -> Result<Reply, Box<dyn Error>> {
        Err("no".into())
    }

    #[method(5)]
    async fn boxed_send(&self) -> Result<Reply, Box<dyn Error + Send>> {
        Err(Box::new(GreeterError::Asleep))
    }

    #[method(6)]
    async fn boxed_sync(&self) -> Result<Reply, Box<dyn Error + Send + Sync + 'static>> {
        Err(Box::new(GreeterError::Asleep))
    }

    #[method(7)]
    fn text(&self) -> Result<Reply, String> {
        Err("no".to_owned())
    }

    #[method(8)]
    async fn static_text(&self) -> Result<Reply, &'static str> {
        Err("no")
    }

    #[method(9)]
    fn copied_text(&self) -> Result<Reply, Cow<'static, str>> {
        Err("no".into())
    }

    #[method(10)]
    async fn io(&self, _: Hello) -> std::io::Result<()> {
        Err(std::io::ErrorKind::NotFound.into())
    }

    #[method(11)]
    async fn own(&self) -> Result<Reply, GreeterError> {
        Err(std::io::Error::other("no"))?
    }

    #[method(12)]
    async fn local(&self) -> Result<Reply, Local> {
        Err(Local(Rc::new(1)))
    }

    #[method(13)]
    async fn converted(&self) -> Result<Reply, Converted> {
        Err(Converted)
    }

    #[method(14)]
    async fn never(&self) -> Result<Reply, std::convert::Infallible> {
        Ok(Reply::default())
    }

    #[method(15)]
    async fn failure(&self) -> Result<Reply, drpc::Failure> {
        Err(drpc::Failure::unknown_method())
    }

    #[method(16)]
    async fn in_an_arc(&self) -> Result<Reply, std::sync::Arc<GreeterError>> {
        Err(GreeterError::Asleep.into())
    }

    #[method(17)]
    async fn another_call(&self) -> Result<Reply, drpc::CallError> {
        Ok(Reply::default())
    }

    #[method(18)]
    async fn number(&self) -> Result<Reply, std::num::ParseIntError> {
        "x".parse::<u8>().map(|_| Reply::default())
    }
}

fn main() {
    assert!(Greeter.anyhow().is_err());
    assert!(Greeter.boxed().is_err());
}
