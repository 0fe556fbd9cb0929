use drpc::drpc_module;

#[drpc_module(id = 5)]
fn hello() {}

fn main() {
    hello();
}
