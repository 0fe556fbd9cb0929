//! Lints that are off by default.

#![deny(
    warnings,
    future_incompatible,
    keyword_idents,
    missing_copy_implementations,
    missing_debug_implementations,
    missing_docs,
    rust_2018_idioms,
    single_use_lifetimes,
    trivial_casts,
    trivial_numeric_casts,
    unreachable_pub,
    unsafe_code,
    unused_crate_dependencies,
    unused_lifetimes,
    unused_qualifications,
    unused_results
)]
#![allow(unused_crate_dependencies, reason = "the cases share their dependencies")]

use drpc::{Context, Failure, drpc_module};
use drpc_tests::messages::{Hello, HelloResponse};

/// Greets.
#[derive(Debug, Default)]
pub struct Greeter(String);

#[drpc_module(id = 5, register)]
impl Greeter {
    #[method(1)]
    async fn hello(&self, _context: &Context, req: Hello) -> Result<HelloResponse, Failure> {
        Ok(HelloResponse { greeting: format!("{} {}", self.0, req.name) })
    }

    #[method(2)]
    fn nothing(&self) {}
}

fn main() {
    assert_eq!(GreeterMethod::Hello.to_string(), "hello");
}
