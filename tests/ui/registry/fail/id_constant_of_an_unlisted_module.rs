use drpc::drpc_module;

struct Butler;

const BUTLER: i32 = 6;

#[drpc_module(id = BUTLER)]
impl Butler {
    #[method(1)]
    fn hello(&self) {}
}

fn main() {}
