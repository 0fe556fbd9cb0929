use drpc::drpc_module;

struct Greeter;

struct MyError;

type Result<T> = std::result::Result<T, MyError>;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    fn hello(&self) -> Result<()> {
        Ok(())
    }
}

fn main() {}
