use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::time::Instant;

use super::{Direction, RecordedPacket, Recording};

/// Records the packets of sessions, both ways, as they were sent: before any [`Faults`](super::Faults).
///
/// It is a handle: clones share what is recorded. It keeps every packet in memory.
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use drpc::testing::{self, MockModule, Recorder};
/// use drpc::{Bytes, Method, Server};
///
/// let recorder = Recorder::new();
/// let mock = MockModule::new(5, "greeter").reply(501, Bytes::from("hi"));
/// let client = testing::server_of(Server::builder().module(mock))?.record(&recorder).client();
/// client.call_raw(Method::new(5, 501, "hello"), "World", &Default::default()).await?;
///
/// let text = recorder.sessions()[0].to_string();
/// assert!(text.contains("call of module 5, method 501, sequence 1, body of 5 bytes"), "{text}");
/// assert!(text.contains("response to sequence 1, SUCCESS, body of 2 bytes"), "{text}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Recorder(Arc<Mutex<Vec<Tape>>>);

impl Recorder {
    /// An empty recorder.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What was recorded so far: one recording per session, in the order in which they were opened.
    #[must_use]
    pub fn sessions(&self) -> Vec<Recording> {
        let recorded = |(number, tape): (usize, &Tape)| {
            Recording::new(format!("session {}", number + 1), tape.packets().clone())
        };
        self.tapes().iter().enumerate().map(recorded).collect()
    }

    /// Begins a session.
    pub(super) fn begin(&self) -> Tape {
        let tape = Tape { begun: Instant::now(), packets: Arc::default() };
        self.tapes().push(tape.clone());
        tape
    }

    fn tapes(&self) -> MutexGuard<'_, Vec<Tape>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session that is being recorded.
#[derive(Clone, Debug)]
pub(super) struct Tape {
    begun: Instant,
    packets: Arc<Mutex<Vec<RecordedPacket>>>,
}

impl Tape {
    pub(super) fn record(&self, direction: Direction, bytes: Bytes) {
        let at = self.begun.elapsed();
        self.packets().push(RecordedPacket { direction, at, bytes });
    }

    fn packets(&self) -> MutexGuard<'_, Vec<RecordedPacket>> {
        self.packets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
