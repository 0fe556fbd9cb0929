use drpc::drpc_module;

struct Butler;

#[drpc_module(id = 7)]
impl Butler {
    #[method(1)]
    fn hello(&self) {}
}

fn main() {}
