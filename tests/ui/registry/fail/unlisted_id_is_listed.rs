use drpc::drpc_module;

struct Fixture;

#[drpc_module(id = 7, unlisted)]
impl Fixture {
    #[method(0)]
    fn ping(&self) {}
}

fn main() {}
