use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    async function hello(&self) {}
}

fn main() {
    let _ = GreeterMethod::Hello;
}
