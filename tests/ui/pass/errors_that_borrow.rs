//! Errors that hold something of the module or of the caller.
#![allow(clippy::elidable_lifetime_names, reason = "lifetimes that are written out are what this is about")]

use std::error::Error;

use drpc::{Failure, drpc_module};
use drpc_tests::messages::Hello;

#[derive(Debug, thiserror::Error)]
#[error("no {0}")]
struct Missing<'a>(&'a str);

struct Converted<'a>(&'a str);

impl<'a> From<Converted<'a>> for Failure {
    fn from(error: Converted<'a>) -> Failure {
        error.0.to_owned().into()
    }
}

struct Greeter(String);

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    fn elided(&self) -> Result<(), Missing<'_>> {
        Err(Missing(&self.0))
    }

    #[method(2)]
    async fn named<'a>(&'a self) -> Result<(), Missing<'a>> {
        Err(Missing(&self.0))
    }

    #[method(3)]
    async fn text(&self) -> Result<Hello, &str> {
        Err(&self.0)
    }

    #[method(4)]
    fn text_at_once(&self) -> Result<Hello, &str> {
        Err(&self.0)
    }

    #[method(5)]
    async fn boxed(&self) -> Result<(), Box<dyn Error + '_>> {
        Err("no".into())
    }

    #[method(6)]
    async fn converted<'a>(&'a self, req: Hello) -> Result<Hello, Converted<'a>> {
        if req.name.is_empty() { Err(Converted(&self.0)) } else { Ok(req) }
    }
}

fn main() {
    assert!(Greeter(String::new()).elided().is_err());
}
