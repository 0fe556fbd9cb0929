use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    fn hello(&self) -> Result<(), impl std::error::Error> {
        Ok::<_, std::fmt::Error>(())
    }
}

fn main() {}
