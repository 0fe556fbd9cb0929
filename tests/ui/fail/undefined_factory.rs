use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = 5, register = make)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}
}

fn main() {
    let _ = GreeterMethod::Hello.id();
}
