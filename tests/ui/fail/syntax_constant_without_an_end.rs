use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    const X: u8 = 5

    #[method(1)]
    fn hello(&self) {}
}

fn main() {
    let _ = GreeterMethod::Hello;
}
