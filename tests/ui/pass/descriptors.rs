//! Descriptors go with requests and replies that are declared so.

use drpc::{Bytes, Failure, WithFds, drpc_module};

struct Files;

type Opened = WithFds<Bytes>;

#[drpc_module(id = 5)]
impl Files {
    #[method(1, fds)]
    fn open(&self, req: Bytes) -> Result<Opened, Failure> {
        Ok(WithFds::new(req, [std::fs::File::open("/dev/null")?]))
    }

    #[method(2, fds, timeout = "5s", idempotent)]
    async fn send(&self, req: WithFds<()>) -> usize_message::Count {
        usize_message::Count { count: req.fds.len() as u64 }
    }

    #[method(3, fds)]
    fn turn(&self, req: WithFds<Bytes>) -> WithFds<Bytes> {
        req
    }

    #[method(4)]
    fn size(&self, req: Bytes) -> Bytes {
        req
    }
}

mod usize_message {
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Count {
        #[prost(uint64, tag = "1")]
        pub count: u64,
    }
}

fn main() {
    assert!(FilesMethod::Open.method().has_fds());
    assert!(!FilesMethod::Size.method().has_fds());
    assert!(FilesMethod::Send.method().is_idempotent());
}
