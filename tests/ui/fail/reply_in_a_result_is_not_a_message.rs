use drpc::{Failure, drpc_module};

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    async fn hello(&self) -> Result<Option<bool>, Failure> {
        Ok(None)
    }
}

fn main() {}
