//! `#[doc(alias)]` documents nothing by itself.

use drpc::drpc_module;

/// Greets.
pub struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[doc(alias = "greet")]
    #[method(1)]
    fn hello(&self) {}

    #[doc(hidden)]
    #[method(2)]
    fn goodbye(&self) {}
}
