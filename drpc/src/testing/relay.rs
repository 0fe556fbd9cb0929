//! A way between client and server with somebody in the middle, who records and spoils what passes.
//!
//! ```text
//! client ──link──▶ relay: record, then fault ──link──▶ server
//!        ◀──link──                            ◀──link──
//! ```
//!
//! Sessions in memory without a recorder and without faults have no relay.

use std::future::{pending, poll_fn};
use std::io;
use std::mem;
use std::os::fd::OwnedFd;

use bytes::Bytes;

use super::faults::{Faults, PacketFaults};
use super::recorder::{Recorder, Tape};
use super::recording::Direction;
use super::watch::WatchedSession;
use crate::descriptors::Limits;
use crate::transport::{Link, MemoryEnd};
use crate::wire::Packet;

/// What is in the middle.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    pub(super) recorder: Option<Recorder>,
    pub(super) faults: Option<Faults>,
}

/// What looks at a session's packets as they pass.
#[derive(Debug, Default)]
struct Seen {
    tape: Option<Tape>,
    watched: Option<WatchedSession>,
}

impl Seen {
    fn packet(&self, direction: Direction, packet: &Bytes, descriptors: usize) {
        if let Some(tape) = &self.tape {
            tape.record(direction, packet.clone());
        }
        if let Some(watched) = &self.watched {
            watched.packet(direction, packet.clone(), descriptors);
        }
    }
}

impl Line {
    /// Puts itself between a client that has the other end of `client`, and a server to take the end that is returned.
    pub(super) fn through(&self, client: MemoryEnd) -> MemoryEnd {
        if self.recorder.is_none() && self.faults.is_none() {
            return client;
        }
        let (server, theirs) = MemoryEnd::pair();
        let client = Link::Memory(client);
        pass_all(&client);
        tokio::spawn(self.clone().relay(client, Link::Memory(server), None));
        theirs
    }

    /// Carries packets both ways until either side is gone, or a fault closes the connection. Then both links are closed.
    pub(super) async fn relay(self, client: Link, server: Link, watched: Option<WatchedSession>) {
        let seen = Seen { tape: self.recorder.as_ref().map(Recorder::begin), watched };
        pass_all(&client);
        pass_all(&server);
        let carry = |from, to, direction| {
            Carrier { from, to, direction, seen: &seen, faults: self.faults.as_ref() }.run()
        };
        let calls = async {
            match carry(&client, &server, Direction::ToServer).await {
                End::OfFile => {
                    // A half-close: the client still wants its replies.
                    server.end_sending();
                    // Should that fail, the replies tell of the end.
                    let _ = poll_fn(|context| client.poll_peer_closed(context)).await;
                }
                // The server has gone. What it said before is still to be carried.
                End::ReceiverGone => pending().await,
                End::ByFault => {}
            }
        };
        let replies = async {
            if let End::ReceiverGone = carry(&server, &client, Direction::ToClient).await {
                // What the client sent before it went is still to be carried (S6), while nobody wants the replies.
                while let Ok(Some(_)) = server.recv().await {}
            }
        };
        tokio::select! {
            () = calls => {}
            () = replies => {}
        }
    }
}

/// Takes all descriptors that come: what the other end does not take, it refuses by itself.
fn pass_all(link: &Link) {
    link.take_descriptors(Limits::TRUSTING);
}

/// One direction of a relay.
struct Carrier<'a> {
    from: &'a Link,
    to: &'a Link,
    direction: Direction,
    seen: &'a Seen,
    faults: Option<&'a Faults>,
}

/// Why a direction carries no more.
enum End {
    OfFile,
    ReceiverGone,
    ByFault,
}

impl Carrier<'_> {
    async fn run(self) -> End {
        loop {
            // A link that fails has no more to give.
            let Ok(Some(packet)) = self.from.recv().await else { return End::OfFile };
            let mut descriptors = self.from.arrived().map(|mut arrived| arrived.take()).unwrap_or_default();
            self.seen.packet(self.direction, &packet, descriptors.len());
            let passage = match self.faults {
                Some(faults) => faults.next(self.direction),
                None => PacketFaults::default(),
            };
            let Some(packets) = passage.apply(packet).await else { return End::ByFault };
            for packet in packets {
                if self.send(&packet, &mem::take(&mut descriptors)).await.is_err() {
                    return End::ReceiverGone;
                }
            }
        }
    }

    /// Sends a packet with the descriptors that came with it; without them, if they are refused: their message then says that they are
    /// missing.
    async fn send(&self, packet: &[u8], descriptors: &[OwnedFd]) -> io::Result<()> {
        match self.to.send(&Packet::raw(packet, descriptors)).await {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                self.to.send(&Packet::raw(packet, &[])).await
            }
            sent => sent,
        }
    }
}
