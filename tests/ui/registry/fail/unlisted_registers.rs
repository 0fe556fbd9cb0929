use drpc::drpc_module;

#[derive(Default)]
struct Fixture;

#[drpc_module(id = 900, unlisted, register)]
impl Fixture {
    #[method(0)]
    fn ping(&self) {}
}

fn main() {}
