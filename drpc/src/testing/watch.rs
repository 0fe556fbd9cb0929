use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::time::Instant;

use super::{Direction, RecordedPacket};
use crate::client::error::ConnectError;
use crate::transport::PeerCredentials;

/// What a [`Proxy`](super::Proxy) tells its [watcher](super::Proxy::watch), at once.
#[derive(Debug)]
#[non_exhaustive]
pub enum Watched<'a> {
    /// A client has connected. Sessions count from 1.
    Opened {
        /// The session.
        session: u64,
        /// Who it is.
        peer: Option<&'a PeerCredentials>,
    },
    /// A packet has come, and is about to be passed on.
    Packet {
        /// The session.
        session: u64,
        /// The packet; its time counts from the beginning of its session.
        packet: &'a RecordedPacket,
        /// How many file descriptors come with it.
        descriptors: usize,
    },
    /// The session is over.
    Closed {
        /// The session.
        session: u64,
        /// Why the server could not be reached, if that is why.
        error: Option<&'a ConnectError>,
    },
}

/// Who is told.
#[derive(Clone)]
pub(super) struct Watcher {
    tell: Arc<dyn Fn(Watched<'_>) + Send + Sync>,
    sessions: Arc<AtomicU64>,
}

impl Watcher {
    pub(super) fn new(tell: impl Fn(Watched<'_>) + Send + Sync + 'static) -> Self {
        Watcher { tell: Arc::new(tell), sessions: Arc::default() }
    }

    /// Begins a session.
    pub(super) fn begin(&self, peer: Option<&PeerCredentials>) -> WatchedSession {
        let session = self.sessions.fetch_add(1, Ordering::Relaxed) + 1;
        (self.tell)(Watched::Opened { session, peer });
        WatchedSession { watcher: self.clone(), session, begun: Instant::now(), error: None }
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").field("sessions", &self.sessions).finish_non_exhaustive()
    }
}

/// A session of which somebody is told; its end, when it is dropped.
#[derive(Debug)]
pub(super) struct WatchedSession {
    watcher: Watcher,
    session: u64,
    begun: Instant,
    error: Option<ConnectError>,
}

impl WatchedSession {
    pub(super) fn packet(&self, direction: Direction, bytes: Bytes, descriptors: usize) {
        let packet = RecordedPacket { direction, at: self.begun.elapsed(), bytes };
        (self.watcher.tell)(Watched::Packet { session: self.session, packet: &packet, descriptors });
    }

    /// Ends the session, whose server can't be reached.
    pub(super) fn unreachable(mut self, error: ConnectError) {
        self.error = Some(error);
    }
}

impl Drop for WatchedSession {
    fn drop(&mut self) {
        (self.watcher.tell)(Watched::Closed { session: self.session, error: self.error.as_ref() });
    }
}
