use drpc::{WithFds, drpc_module};

struct Greeter;

struct Hello;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1, fds)]
    fn hello(&self, req: WithFds<Hello>) {
        drop(req);
    }
}

fn main() {}
