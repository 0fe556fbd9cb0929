use drpc::drpc_module;

#[drpc_module(id = 5)]
impl [u8; 4] {
    #[method(1)]
    fn hello(&self) {}
}

fn main() {}
