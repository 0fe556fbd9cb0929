use drpc::drpc_module;

struct Greeter<'a>(&'a str);

#[drpc_module(id = 5)]
impl<'a> Greeter<'a> {
    #[method(1)]
    fn hello(&self) {}
}

fn main() {}
