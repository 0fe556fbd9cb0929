use drpc::drpc_module;

struct Greeter<'a>(&'a str);

#[drpc_module(id = 5)]
impl Greeter<'_> {
    #[method(1)]
    fn hello(&self) {
        let _ = self.0;
    }
}

fn main() {}
