use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1, fds)]
    fn hello(&self, req: drpc::WithFds<String>) {
        let _ = req;
    }
}

fn main() {}
