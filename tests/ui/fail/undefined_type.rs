use drpc::drpc_module;



#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}
}

fn main() {}
