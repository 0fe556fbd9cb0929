use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    fn hello(this: &Self) {
        let _ = this;
    }
}

fn main() {}
