use drpc::drpc_module;

struct Greeter;

fn make() -> Result<Greeter, String> {
    Ok(Greeter)
}

#[drpc_module(id = 5, register = make)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}
}

fn main() {}
