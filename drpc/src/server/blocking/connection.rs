use std::sync::{Arc, Weak};
use std::task::Wake;

use crate::handler::cancellation::{Cancellation, Cancelled};
use crate::handler::session::Connection as AskedConnection;
use crate::server::sessions::Abort;
use crate::transport::Socket;

/// A session's socket, and its two ends before the client's. Others hold it weakly, so that it is closed when its session ends.
pub(super) struct Connection {
    pub(super) socket: Socket,
    /// Handlers are to be dropped where they wait, and nothing is to be sent any more.
    pub(super) cut: Cancellation,
}

impl Connection {
    pub(super) fn new(socket: Socket) -> Arc<Self> {
        Arc::new(Connection { socket, cut: Cancellation::default() })
    }

    /// Takes nothing more than what the client has sent by now (S7); wakes who waits for it.
    pub(super) fn stop(&self) {
        self.socket.end_receiving();
    }

    /// Ends the session at once; wakes all its threads.
    pub(super) fn cut(&self) {
        self.cut.cancel(Cancelled::SessionClosed);
        self.socket.hang_up();
    }
}

impl AskedConnection for Connection {
    fn peer_has_left(&self) -> bool {
        // A socket that can't be asked is of no use to anybody.
        self.socket.peer_closed().unwrap_or(true)
    }
}

impl Abort for Weak<Connection> {
    fn abort(&self) {
        if let Some(connection) = self.upgrade() {
            connection.cut();
        }
    }
}

/// What a session wakes that is asked to take no more calls.
pub(super) struct Stop(pub(super) Weak<Connection>);

impl Wake for Stop {
    fn wake(self: Arc<Self>) {
        if let Some(connection) = self.0.upgrade() {
            connection.stop();
        }
    }
}
