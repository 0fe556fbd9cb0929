use drpc::drpc_module;

struct Fixture;

#[drpc_module(id = 900, unlisted)]
impl Fixture {
    #[method]
    fn ping(&self) {}
}

fn main() {}
