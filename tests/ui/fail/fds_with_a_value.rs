use drpc::{WithFds, drpc_module};

struct Files;

#[drpc_module(id = 5)]
impl Files {
    #[method(1, fds = 2)]
    fn open(&self) -> WithFds<()> {
        WithFds::default()
    }
}

fn main() {}
