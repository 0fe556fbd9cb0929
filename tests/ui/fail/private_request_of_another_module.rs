use drpc::drpc_module;

mod inner {
    #[derive(Clone, PartialEq, prost::Message)]
    struct Note {}
}

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    fn hello(&self, _: inner::Note) {}
}

fn main() {
    let _ = GreeterMethod::Hello;
}
