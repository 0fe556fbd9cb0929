//! Lints that generated code allows itself elsewhere.

#![forbid(
    dead_code,
    deprecated,
    missing_debug_implementations,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    single_use_lifetimes,
    trivial_casts,
    unreachable_patterns,
    unreachable_pub,
    unsafe_code,
    unused_qualifications,
    unused_results
)]

use drpc::{Failure, drpc_module};
use drpc_tests::messages::Hello;

/// Greets.
#[derive(Debug, Default)]
pub struct Greeter;

/// Refused.
#[derive(Debug, Failure)]
pub enum Refused {
    /// Not today.
    NotToday,
    /// Not for this one.
    NotFor(String),
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("refused")
    }
}

#[drpc_module(id = 5, register)]
impl Greeter {
    /// Says hello.
    #[method(1)]
    pub fn hello(&self) {}

    /// Says hello to somebody.
    ///
    /// # Errors
    ///
    /// None.
    #[method(2)]
    pub async fn greet(&self, req: Hello) -> Result<Hello, Refused> {
        Ok(req)
    }
}
