use drpc::drpc_module;

#[drpc_module(id = 5)]
pub struct Greeter;

fn main() {}
