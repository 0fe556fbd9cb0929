use drpc::{Bytes, drpc_module};

struct Files;

#[drpc_module(id = 5)]
impl Files {
    #[method(1, fds)]
    fn open(&self, path: Bytes) -> Bytes {
        path
    }
}

fn main() {}
