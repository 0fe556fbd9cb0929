use std::mem;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::client::error::Disconnect;
use crate::transport::Socket;

/// A connection's socket, which others than the call that has the connection may hang up.
pub(super) struct Line {
    socket: Socket,
    /// The client was closed.
    closed: AtomicBool,
}

impl Line {
    pub(super) fn new(socket: Socket) -> Arc<Line> {
        Arc::new(Line { socket, closed: AtomicBool::new(false) })
    }

    /// Why it has ended, if nothing more is to be received, or nobody is at the other end.
    pub(super) fn ended(&self) -> Disconnect {
        match self.closed.load(Ordering::Acquire) {
            true => Disconnect::Closed,
            false => Disconnect::ByPeer,
        }
    }

    /// Ends the connection, also for a call that waits in the kernel.
    fn hang_up(&self) {
        self.closed.store(true, Ordering::Release);
        self.socket.hang_up();
    }
}

impl Deref for Line {
    type Target = Socket;

    fn deref(&self) -> &Socket {
        &self.socket
    }
}

/// The sockets of a client's connections, lent or not: a call keeps the pool locked where there is one connection, and who closes the client does not
/// wait for it.
#[derive(Default)]
pub(super) struct Lines(Mutex<State>);

#[derive(Default)]
struct State {
    /// As [`Pool::epoch`](crate::client::pool::Pool::epoch), which follows.
    epoch: u64,
    closed: bool,
    lines: Vec<Weak<Line>>,
}

impl Lines {
    /// Adds the socket of a new connection, which was asked for in that epoch. If the client was closed since, it is hung up.
    pub(super) fn add(&self, epoch: u64, line: &Arc<Line>) {
        let mut state = self.0.lock();
        if state.epoch != epoch {
            return line.hang_up();
        }
        state.lines.retain(|line| line.strong_count() > 0);
        state.lines.push(Arc::downgrade(line));
    }

    /// Hangs all of them up.
    pub(super) fn close(&self) {
        let mut state = self.0.lock();
        state.epoch += 1;
        state.closed = true;
        mem::take(&mut state.lines).iter().filter_map(Weak::upgrade).for_each(|line| line.hang_up());
    }

    /// Of a client that goes on, unless it was closed since that epoch.
    pub(super) fn reopen(&self, epoch: u64) {
        let mut state = self.0.lock();
        state.closed &= state.epoch != epoch;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.lock().closed
    }

    /// Forgets all of them: they are another process's too.
    pub(super) fn forget(&self) {
        let mut state = self.0.lock();
        state.epoch += 1;
        state.lines.clear();
    }
}
