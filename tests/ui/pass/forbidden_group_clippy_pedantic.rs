//! A group of lints that is forbidden as a whole: `clippy::pedantic`.

#![forbid(clippy::pedantic)]

use drpc::drpc_module;

/// Greets.
#[derive(Default)]
pub struct Greeter {
    greeting: String,
}

#[drpc_module(id = 5, register)]
impl Greeter {
    /// Says hello.
    #[method(1)]
    #[must_use]
    pub fn hello(&self) -> drpc::Bytes {
        self.greeting.clone().into()
    }
}
