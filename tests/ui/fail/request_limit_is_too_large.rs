use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1, request_limit = "4096MiB")]
    fn hello(&self) {}
}

fn main() {}
