//! Types and factories that are deprecated, where that is allowed.

use drpc::drpc_module;

#[deprecated]
#[derive(Default)]
struct Greeter;

#[allow(deprecated, reason = "it still serves")]
#[drpc_module(id = 5, register)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}
}

struct Parrot;

#[deprecated]
fn make() -> Parrot {
    Parrot
}

#[allow(deprecated, reason = "it still serves")]
#[drpc_module(id = 6, register = make)]
impl Parrot {
    #[method(1)]
    fn echo(&self) {}
}

fn main() {
    assert_eq!(GreeterMethod::ALL.len(), ParrotMethod::ALL.len());
}
