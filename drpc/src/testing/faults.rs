use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use smallvec::{SmallVec, smallvec};

use super::Direction;

/// What happens to a packet on its way.
///
/// ```
/// use std::time::Duration;
///
/// use drpc::testing::{Direction, Fault, Faults};
///
/// let faults = Faults::new();
/// faults.at(Direction::ToServer, 0, Fault::Cut(10)); // the first packet to the server
/// faults.always(Direction::ToClient, Fault::Delay(Duration::from_millis(5)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It is delayed by this much, together with everything behind it in its direction.
    Delay(Duration),
    /// It is lost.
    Drop,
    /// It is truncated to this many bytes.
    Cut(usize),
    /// These bytes arrive instead.
    Replace(Bytes),
    /// It arrives twice.
    Repeat,
    /// The connection is closed instead, both ways. What passed before still arrives.
    Close,
}

/// Faults between clients and servers, for [`InMemoryServer::faults`](super::InMemoryServer::faults) and
/// [`Proxy::faults`](super::Proxy::faults).
///
/// It is a handle: clones share one plan, which a test may add to at any time. Packets are counted separately for each direction, over all sessions; a
/// client that reconnects continues the count. Without a plan all packets pass.
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use drpc::testing::{self, Direction, Fault, Faults, MockModule};
/// use drpc::{Bytes, CallErrorKind, CallOptions, Method, Server};
///
/// let mock = MockModule::new(5, "greeter").reply(501, Bytes::from("hi"));
/// let faults = Faults::new();
/// faults.at(Direction::ToClient, 0, Fault::Close);
/// let client = testing::server_of(Server::builder().module(mock))?.faults(&faults).client();
///
/// let hello = Method::new(5, 501, "hello");
/// let error = client.call_raw(hello, "", &CallOptions::new()).await.unwrap_err();
/// assert_eq!(error.kind(), CallErrorKind::Disconnected);
/// client.reconnect().await?;
/// assert_eq!(client.call_raw(hello, "", &CallOptions::new()).await?.body, "hi");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Plan>>);

#[derive(Debug, Default)]
struct Plan {
    to_server: Way,
    to_client: Way,
}

/// The plan for one direction.
#[derive(Debug, Default)]
struct Way {
    /// The packets that have come by.
    seen: usize,
    /// By the packet's number.
    once: BTreeMap<usize, Vec<Fault>>,
    always: Vec<Fault>,
}

impl Faults {
    /// No faults yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Plans a fault for one packet: the next one in that direction is number 0. Several faults of one packet act in the order in
    /// which they were planned.
    ///
    /// A message longer than 131,048 bytes is several packets, so that closing at the second one cuts it in two.
    pub fn at(&self, direction: Direction, packet: usize, fault: Fault) -> &Self {
        {
            let mut plan = self.plan();
            let way = plan.way(direction);
            way.once.entry(way.seen.saturating_add(packet)).or_default().push(fault);
        }
        self
    }

    /// Plans a fault for every packet of a direction, until [`clear`](Self::clear). It acts before those of [`at`](Self::at).
    pub fn always(&self, direction: Direction, fault: Fault) -> &Self {
        self.plan().way(direction).always.push(fault);
        self
    }

    /// Clears the plan: from now on all packets pass.
    pub fn clear(&self) {
        let mut plan = self.plan();
        for direction in [Direction::ToServer, Direction::ToClient] {
            let way = plan.way(direction);
            way.once.clear();
            way.always.clear();
        }
    }

    /// How many of the faults planned by [`at`](Self::at) are still to come: 0 shows that a test met all that it planned.
    #[must_use]
    pub fn planned(&self) -> usize {
        let plan = self.plan();
        plan.to_server.once.values().chain(plan.to_client.once.values()).map(Vec::len).sum()
    }

    /// What happens to the packet that comes by now.
    pub(super) fn next(&self, direction: Direction) -> PacketFaults {
        let mut plan = self.plan();
        let way = plan.way(direction);
        let once = way.once.remove(&way.seen).unwrap_or_default();
        way.seen += 1;
        PacketFaults(way.always.iter().cloned().chain(once).collect())
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plan {
    fn way(&mut self, direction: Direction) -> &mut Way {
        match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        }
    }
}

/// What happens to one packet.
#[derive(Debug, Default)]
pub(super) struct PacketFaults(Vec<Fault>);

impl PacketFaults {
    /// The packets that come in place of this one; `None` if the connection is to be closed.
    pub(super) async fn apply(self, packet: Bytes) -> Option<SmallVec<[Bytes; 2]>> {
        let mut packets: SmallVec<[Bytes; 2]> = smallvec![packet];
        for fault in self.0 {
            match fault {
                Fault::Delay(time) => tokio::time::sleep(time).await,
                Fault::Drop => packets.clear(),
                Fault::Cut(len) => packets.iter_mut().for_each(|packet| packet.truncate(len)),
                Fault::Replace(bytes) => packets.iter_mut().for_each(|packet| *packet = bytes.clone()),
                Fault::Repeat => packets.extend(packets.clone()),
                Fault::Close => return None,
            }
        }
        Some(packets)
    }
}
