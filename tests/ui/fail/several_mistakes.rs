//# errors: 6
use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = "5", regster)]
impl Greeter {
    #[method(1)]
    fn hello(&mut self) {}

    #[method(200)]
    fn goodbye(&self) {}

    #[method(3)]
    unsafe fn wave<T>(&self, _: T) {}
}

fn main() {}
