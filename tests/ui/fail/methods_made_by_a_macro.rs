use drpc::drpc_module;

struct Greeter;

macro_rules! hello {
    () => {
        fn hello(&self) {}
    };
}

#[drpc_module(id = 5)]
impl Greeter {
    hello!();
}

fn main() {
    Greeter.hello();
}
