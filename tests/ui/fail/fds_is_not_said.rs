//# errors: 2
use drpc::{Bytes, Failure, WithFds, drpc_module};
struct Files;

type Opened = WithFds<()>;

#[drpc_module(id = 5)]
impl Files {
    #[method(1)]
    fn open(&self, _path: Bytes) -> Result<Opened, Failure> {
        Err("no".into())
    }

    #[method(2)]
    fn send(&self, _req: WithFds<Bytes>) {}

    #[method(3)]
    fn get(&self) -> WithFds<Bytes> {
        WithFds::default()
    }
}

fn main() {}
