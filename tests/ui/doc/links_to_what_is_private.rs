//! Links in docs that are copied lead to where they led.
//# doctests: 0

use drpc::drpc_module;

/// Greets. See [`helper`].
#[derive(Default)]
struct Greeter;

/// Says things by [`helper`].
#[drpc_module(id = 5, register)]
impl Greeter {
    /// Calls [`helper`].
    #[method(1)]
    fn hello(&self) {
        helper();
    }
}

fn helper() {}
