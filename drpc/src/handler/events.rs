//! One source of events for many streams.

use std::fmt;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::vec;

use async_broadcast::{InactiveReceiver, Receiver, RecvError, Sender, TryRecvError, broadcast};
use futures_util::stream::{Stream, StreamExt};

use crate::handler::failure::Failure;

/// A source of events, which any number of [streams](crate::guide::streams) tell of: each gets every event from its beginning on, whoever reads how fast.
///
/// ```
/// use drpc::{Events, Failure, Server, Slow, Stream, Told, drpc_module, testing};
/// use futures_util::StreamExt;
///
/// #[derive(Clone, PartialEq, prost::Message)]
/// pub struct Change {
///     #[prost(string, tag = "1")]
///     pub text: String,
/// }
///
/// struct Engine {
///     changes: Events<Change>,
/// }
///
/// #[drpc_module(id = 6)]
/// impl Engine {
///     /// What there is, and then each change.
///     #[method(1, stream)]
///     fn watch(&self) -> impl Stream<Item = Result<Change, Failure>> {
///         let changes = self.changes.subscribe(Slow::Ends).starting_with(|| [Change { text: "all ranks are up".into() }]);
///         changes.map(|told| Ok(told?.event))
///     }
///
///     #[method(2)]
///     fn stop_rank(&self) {
///         self.changes.send(Change { text: "rank 1 is down".into() });
///     }
/// }
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let engine = EngineClient::new(testing::client_of(Server::builder().module(Engine { changes: Events::new(64) }))?);
///     let mut watching = engine.watch().await?;
///     assert_eq!(watching.next().await.unwrap()?.text, "all ranks are up");
///     engine.stop_rank().await?;
///     assert_eq!(watching.next().await.unwrap()?.text, "rank 1 is down");
///     Ok(())
/// }
/// ```
///
/// It holds the last events, as many as it is made for, for those who have not read them; [`Slow`] says what becomes of a stream that reads fewer. No sender ever waits. It
/// needs no runtime, and works on all servers. An event is cloned for each stream: a large one is better an `Arc` or `Bytes`.
///
/// When it is dropped, its streams end behind the events that they have not told of yet.
pub struct Events<T> {
    sender: Sender<T>,
    /// Keeps the channel open while nobody listens.
    idle: InactiveReceiver<T>,
}

/// What becomes of a [`Subscription`] that is read too slowly, so that events are lost to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Slow {
    /// It ends with an error that says how many were lost: for readers that must not miss any, which begin anew.
    #[default]
    Ends,
    /// The oldest are lost, and counted in the next [`Told`].
    LosesOldest,
    /// It tells of the latest alone, whatever came before it was read: all others count as lost.
    LatestOnly,
}

/// An event, as a [`Subscription`] tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told<T> {
    /// It.
    pub event: T,
    /// How many events before it were lost to this reader.
    pub lost: u64,
}

impl<T: Clone> Events<T> {
    /// A source that holds so many events. 0 is taken as 1.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let (mut sender, receiver) = broadcast(capacity.max(1));
        sender.set_overflow(true);
        Events { sender, idle: receiver.deactivate() }
    }

    /// Tells every stream of an event. It never waits.
    pub fn send(&self, event: T) {
        // An error says that nobody listens.
        let _oldest = self.sender.try_broadcast(event);
    }

    /// A stream of the events from now on.
    #[must_use]
    pub fn subscribe(&self, slow: Slow) -> Subscription<T> {
        let receiver = Some(self.idle.activate_cloned());
        Subscription { snapshot: Vec::new().into_iter(), receiver, slow, lost: 0 }
    }

    /// How many subscriptions there are.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        self.sender.receiver_count()
    }
}

impl<T> fmt::Debug for Events<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("subscriptions", &self.sender.receiver_count()).finish_non_exhaustive()
    }
}

/// A stream of the events of an [`Events`].
///
/// Its only error is that of a reader that was too slow, with [`Slow::Ends`]; it is the last that comes.
pub struct Subscription<T> {
    /// What it begins with.
    snapshot: vec::IntoIter<T>,
    /// `None` once it has ended.
    receiver: Option<Receiver<T>>,
    slow: Slow,
    /// How many were lost before the next.
    lost: u64,
}

impl<T: Clone> Subscription<T> {
    /// The same, behind what there is already. As that is asked for only now, nothing that changes in between is missed; it may be told of twice.
    #[must_use]
    pub fn starting_with<I: IntoIterator<Item = T>>(self, snapshot: impl FnOnce() -> I) -> Self {
        let snapshot = snapshot().into_iter().collect::<Vec<_>>().into_iter();
        Subscription { snapshot, ..self }
    }

    /// What is next, unless that is a loss, which is counted.
    fn take(&mut self, received: Result<T, RecvError>) -> Option<Result<T, Failure>> {
        match received {
            Ok(event) => Some(Ok(event)),
            Err(RecvError::Closed) => None,
            Err(RecvError::Overflowed(lost)) => {
                self.lost += lost;
                (self.slow == Slow::Ends).then(|| {
                    let text =
                        format!("the reader was too slow, and {lost} events were lost to it: begin anew");
                    Err(text.into())
                })
            }
        }
    }

    /// The latest, if only that is wanted.
    fn latest(&mut self, mut event: T) -> T {
        while self.slow == Slow::LatestOnly
            && let Some(receiver) = &mut self.receiver
        {
            match receiver.try_recv() {
                Ok(later) => {
                    event = later;
                    self.lost += 1;
                }
                Err(TryRecvError::Overflowed(lost)) => self.lost += lost,
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        event
    }
}

/// Nothing of it is pinned.
impl<T> Unpin for Subscription<T> {}

impl<T: Clone> Stream for Subscription<T> {
    type Item = Result<Told<T>, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Some(event) = this.snapshot.next() {
            return Poll::Ready(Some(Ok(Told { event, lost: 0 })));
        }
        loop {
            let Some(receiver) = &mut this.receiver else { return Poll::Ready(None) };
            let Some(received) = ready!(Pin::new(receiver).poll_recv(context)) else {
                this.receiver = None;
                return Poll::Ready(None);
            };
            match this.take(received) {
                Some(Ok(event)) => {
                    let event = this.latest(event);
                    let lost = std::mem::take(&mut this.lost);
                    return Poll::Ready(Some(Ok(Told { event, lost })));
                }
                Some(Err(failure)) => {
                    this.receiver = None;
                    return Poll::Ready(Some(Err(failure)));
                }
                None => {}
            }
        }
    }
}

impl<T> fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("slow", &self.slow).finish_non_exhaustive()
    }
}

/// A value that changes, and that [streams](crate::guide::streams) watch: each begins with what it is, and then tells of what it has become, the latest alone.
///
/// ```
/// use drpc::{Failure, Server, Stream, Watched, drpc_module, testing};
///
/// #[derive(Clone, PartialEq, prost::Message)]
/// pub struct Level {
///     #[prost(uint32, tag = "1")]
///     pub percent: u32,
/// }
///
/// struct Tank {
///     level: Watched<Level>,
/// }
///
/// #[drpc_module(id = 6)]
/// impl Tank {
///     #[method(1, stream)]
///     fn watch(&self) -> impl Stream<Item = Result<Level, Failure>> {
///         self.level.watch()
///     }
///
///     #[method(2)]
///     fn fill(&self, level: Level) {
///         self.level.set(level);
///     }
/// }
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let tank = Tank { level: Watched::new(Level { percent: 20 }) };
///     let tank = TankClient::new(testing::client_of(Server::builder().module(tank))?);
///     let mut levels = tank.watch().await?;
///     assert_eq!(levels.next().await.unwrap()?.percent, 20);
///     tank.fill(Level { percent: 80 }).await?;
///     assert_eq!(levels.next().await.unwrap()?.percent, 80);
///     Ok(())
/// }
/// ```
pub struct Watched<T> {
    value: Mutex<T>,
    changes: Events<T>,
}

impl<T: Clone> Watched<T> {
    /// A value.
    #[must_use]
    pub fn new(value: T) -> Self {
        Watched { value: Mutex::new(value), changes: Events::new(1) }
    }

    /// What it is.
    pub fn get(&self) -> T {
        self.value().clone()
    }

    /// Makes it another, and tells those who watch.
    pub fn set(&self, value: T) {
        self.change(|old| *old = value);
    }

    /// Changes it, and tells those who watch. Nobody sees it in between: keep this short.
    pub fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let mut value = self.value();
        let changed = change(&mut value);
        // Still locked, so that the order of changes is that of what is told.
        self.changes.send(value.clone());
        changed
    }

    /// What it is, and then what it becomes, each once. It ends when this is dropped, and never with an error.
    pub fn watch(&self) -> impl Stream<Item = Result<T, Failure>> + use<T> {
        let value = self.value();
        let changes = self.changes.subscribe(Slow::LatestOnly);
        changes.starting_with(|| [value.clone()]).map(|told| Ok(told?.event))
    }

    fn value(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone + fmt::Debug> fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("value", &*self.value()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn told<T: Clone>(mut stream: impl Stream<Item = T> + Unpin) -> Vec<T> {
        std::iter::from_fn(|| stream.next().now_or_never().flatten()).collect()
    }

    fn numbers(stream: impl Stream<Item = Result<Told<u32>, Failure>> + Unpin) -> Vec<(u32, u64)> {
        told(stream.map(|told| told.map(|told| (told.event, told.lost)).unwrap_or((0, 0))))
    }

    #[test]
    fn each_reader_is_told_of_all_from_its_beginning_on() {
        let events = Events::new(4);
        events.send(1);
        let one = events.subscribe(Slow::Ends);
        events.send(2);
        let other = events.subscribe(Slow::LosesOldest);
        events.send(3);
        assert_eq!(events.subscriptions(), 2);
        assert_eq!(numbers(one.starting_with(|| [7])), [(7, 0), (2, 0), (3, 0)]);
        assert_eq!(numbers(other), [(3, 0)]);
        assert_eq!(events.subscriptions(), 0);
    }

    #[test]
    fn a_slow_reader_ends_or_loses_what_it_was_told_it_would() {
        let events = Events::new(2);
        let [ends, loses, latest] =
            [Slow::Ends, Slow::LosesOldest, Slow::LatestOnly].map(|slow| events.subscribe(slow));
        (1..=5).for_each(|event| events.send(event));
        let mut ends = Box::pin(ends);
        let failure = ends.next().now_or_never().unwrap().unwrap().unwrap_err();
        assert!(failure.to_string().contains("3 events were lost"), "{failure}");
        assert!(ends.next().now_or_never().unwrap().is_none());
        assert_eq!(numbers(loses), [(4, 3), (5, 0)]);
        assert_eq!(numbers(latest), [(5, 4)]);
    }

    #[test]
    fn a_watched_value_is_told_as_it_is_and_as_it_becomes() {
        let watched = Watched::new(1);
        let mut watching = Box::pin(watched.watch());
        let mut next = || watching.next().now_or_never().map(|next| next.map(Result::unwrap));
        assert_eq!(next(), Some(Some(1)));
        assert_eq!(next(), None);
        (2..=9).for_each(|value| watched.set(value));
        assert_eq!((next(), next()), (Some(Some(9)), None));
        watched.change(|value| *value += 1);
        drop(watched);
        assert_eq!((next(), next()), (Some(Some(10)), Some(None)));
    }
}
