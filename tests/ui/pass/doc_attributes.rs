//! Documentation in all its forms.

use drpc::drpc_module;

struct Greeter;

/// Greets people, see [`Self::hello`].
#[doc = concat!("Greets ", "everybody.")]
#[drpc_module(id = 5)]
impl Greeter {
    /// Greets.
    #[doc(alias = "salute")]
    #[doc(hidden)]
    #[method(1)]
    fn hello(&self) {}

    /** Takes leave. */
    #[method(2)]
    fn goodbye(&self) {}
}

fn main() {
    assert_eq!(GreeterMethod::ALL.len(), 2);
}
