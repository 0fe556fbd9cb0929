use drpc::drpc_module;

struct Store<T>(T);

#[drpc_module(id = 5, name = "strings")]
impl Store<String> {
    #[method(1)]
    fn hello(&self) {}
}

#[drpc_module(id = 6, name = "numbers")]
impl Store<u32> {
    #[method(1)]
    fn hello(&self) {}
}

fn main() {}
