//# errors: 3
use drpc::{Bytes, Failure, Incoming, Stream, WithFds, drpc_module};
use futures_util::stream;

struct Files;

#[drpc_module(id = 5)]
impl Files {
    #[method(1, stream)]
    fn list(&self) -> impl Stream<Item = Result<WithFds<Bytes>, Failure>> {
        stream::empty()
    }

    #[method(2, stream, fds)]
    fn follow(&self) -> impl Stream<Item = Result<WithFds<()>, Failure>> {
        stream::empty()
    }

    #[method(3, stream)]
    fn keep(&self, _files: Incoming<WithFds<Bytes>>) {}
}

fn main() {
    let _ = (FilesMethod::List, FilesMethod::ALL);
}
