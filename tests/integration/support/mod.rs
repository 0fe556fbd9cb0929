//! What the tests share: raw peers, servers, modules, and the three clients as one.

mod client;
mod fake;
mod isolated;
mod logs;
mod modules;
mod process;
mod raw;
mod server;
mod spans;
mod vectors;

use std::future::Future;
use std::os::fd::AsFd;
use std::time::Duration;

use drpc::Wire;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

pub(crate) use client::{
    AnyClient, AnyExchange, AnyStreaming, AnyUpload, Kind, answered, builder, call, soon, until_over,
    with_every_client, without_response,
};
pub(crate) use fake::{Fake, pair};
pub(crate) use isolated::{is_isolated, isolated, isolated_by};
pub(crate) use logs::Logs;
pub(crate) use modules::{
    Gate, Handlers, Hello, HelloResponse, Items, ItemsMethod, echo, gated, greeting, interop,
};
pub(crate) use process::{
    RunningMemory, as_a_common_user, open_descriptors, raise_the_limit_of_descriptors, with_descriptors_left,
};
pub(crate) use raw::{RawPeer, frame, header, packets_of};
pub(crate) use server::{Driver, TestServer, in_order, runtime, with_every_handle, with_every_server};
pub(crate) use spans::{Fields, Spans};
pub(crate) use vectors::{Afterwards, Direction, Vector};

/// How long a test waits for what is sure to come, before it fails. Nothing is ever waited for in this way alone.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A time-out that a test means to see pass.
pub(crate) const SOON: Duration = Duration::from_millis(40);

/// Both generations of the wire.
pub(crate) const WIRES: [Wire; 2] = [Wire::Chunked, Wire::Plain];

/// Waits for a future that is sure to end.
pub(crate) async fn patiently<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited for {what} in vain"),
    }
}

/// Lets the other tasks of this thread, and its I/O, have their turn.
pub(crate) async fn yield_often() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// Whether a descriptor can be read now.
pub(crate) fn is_readable(source: impl AsFd) -> bool {
    let mut fds = [PollFd::new(&source, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).expect("polls");
    !fds[0].revents().is_empty()
}
