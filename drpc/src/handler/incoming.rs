//! The stream that a caller sends, as its handler takes it.

use std::cell::Cell;
use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll, Wake, Waker, ready};
use std::thread::{self, Thread};

use bytes::Bytes;
use futures_util::stream::Stream;

use crate::handler::cancellation::Cancelled;
use crate::handler::context::Context;
use crate::handler::failure::Failure;
use crate::handler::inbox::{End, STOPPED, Source};
use crate::handler::method::Method;
use crate::handler::payload::Payload;

/// The items that a caller sends: what a handler takes whose call is a [stream](crate::guide::streams), beside its request.
///
/// ```
/// use drpc::{Failure, Incoming, Server, drpc_module, testing};
///
/// #[derive(Clone, PartialEq, prost::Message)]
/// pub struct Piece {
///     #[prost(bytes = "bytes", tag = "1")]
///     pub bytes: drpc::Bytes,
/// }
///
/// #[derive(Clone, PartialEq, prost::Message)]
/// pub struct Stored {
///     #[prost(uint64, tag = "1")]
///     pub bytes: u64,
/// }
///
/// struct Store;
///
/// #[drpc_module(id = 8)]
/// impl Store {
///     #[method(1, stream)]
///     async fn upload(&self, mut pieces: Incoming<Piece>) -> Result<Stored, Failure> {
///         let mut stored = Stored::default();
///         while let Some(piece) = pieces.next().await {
///             stored.bytes += piece?.bytes.len() as u64;
///         }
///         Ok(stored)
///     }
/// }
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let store = StoreClient::new(testing::client_of(Server::builder().module(Store))?);
///     let mut upload = store.upload().await?;
///     for text in ["one", "two"] {
///         upload.send(Piece { bytes: text.into() }).await?;
///     }
///     assert_eq!(upload.finish().await?.bytes, 6);
///     Ok(())
/// }
/// ```
///
/// It is a [`Stream`] too, and a handler that is no `async fn` iterates over it: `for piece in pieces`. **The end is `None` only if the caller has sent
/// all**; a caller that stopped in the middle, was dropped, or left is an `Err`, the last item, that says so.
///
/// The caller sends no more than [`ServerBuilder::stream_credit`](crate::ServerBuilder::stream_credit) allows until items are taken. Dropped before its end, it
/// takes no more, and the caller is told; the call goes on.
pub struct Incoming<T = Bytes> {
    /// `None` once it has ended.
    source: Option<Source>,
    context: Context,
    method: Method,
    item: PhantomData<fn() -> T>,
}

impl<T: Payload> Incoming<T> {
    pub(crate) fn new(source: Source, context: Context, method: Method) -> Self {
        Incoming { source: Some(source), context, method, item: PhantomData }
    }

    /// Waits for the next item; `None` once the caller has sent all. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`struct@Failure`] if these were not all: which says why no more come. Also for an item that can't be read. It is the last that comes.
    pub async fn next(&mut self) -> Option<Result<T, Failure>> {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut task::Context<'_>) -> Poll<Option<Result<T, Failure>>> {
        let next = match &mut self.source {
            Some(Source::Session(inbox)) => match ready!(inbox.poll_next(context)) {
                Ok(item) => Some(Ok(item)),
                Err(End::Complete) => None,
                Err(end) => Some(Err(self.cut_short(end).into())),
            },
            Some(Source::Carrier(items)) => {
                let next = ready!(items.poll_next(context));
                if let (Some(Ok(item)), Some(control)) = (&next, self.context.control()) {
                    control.took_carried(item.len());
                }
                next
            }
            None => None,
        };
        let next = next.map(|item| {
            let item = item?;
            let mut decoding = self.context.decoding(self.method, &item);
            T::from_body_within(item, &mut decoding)
        });
        if !matches!(next, Some(Ok(_))) {
            self.end();
        }
        Poll::Ready(next)
    }

    /// Why the items that came were not all.
    fn cut_short(&self, end: End) -> &'static str {
        match end {
            End::Complete => "the caller has sent all of its items",
            End::Aborted => STOPPED,
            End::GivenUp => "the caller has given the call up before it had sent all of its items",
            End::Overrun => "the caller sent an item that there was no room for",
            End::Unreadable => "the caller sent something else than items",
            End::Unheard => match self.context.cancellation() {
                Some(Cancelled::ShuttingDown) => {
                    "the server shuts down, and the caller had not sent all of its items"
                }
                Some(Cancelled::SessionClosed) => {
                    "the server closes the session, and the caller had not sent all of its items"
                }
                _ => "the caller has left before it had sent all of its items",
            },
            End::Answered => "the call is over, and no more of its items are taken",
        }
    }
}

impl<T> Incoming<T> {
    fn end(&mut self) {
        if let Some(Source::Session(inbox)) = self.source.take() {
            inbox.let_go();
        }
    }
}

impl<T: Payload> Stream for Incoming<T> {
    type Item = Result<T, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(context)
    }
}

/// For a handler that blocks its thread until the next item is there.
impl<T: Payload> IntoIterator for Incoming<T> {
    type Item = Result<T, Failure>;
    type IntoIter = IncomingIter<T>;

    fn into_iter(self) -> IncomingIter<T> {
        IncomingIter(self)
    }
}

impl<T> Drop for Incoming<T> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<T> fmt::Debug for Incoming<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("has_ended", &self.source.is_none()).finish_non_exhaustive()
    }
}

/// The items that a caller sends, for a thread that waits for each: what [`Incoming`] is in a `for` loop.
///
/// The handlers of a [`blocking::Server`](crate::blocking::Server) may use it, and any thread of one's own. Where the session itself would have to wait, as in a
/// handler of [`Server`](crate::Server) or [`progress::Server`](crate::progress::Server), or in the stream that a handler returns, on any server, its one item is an
/// error that says so.
///
/// ```
/// use drpc::{Bytes, Failure, Incoming, drpc_module};
///
/// struct Adder;
///
/// #[drpc_module(id = 8)]
/// impl Adder {
///     #[method(2, stream)]
///     fn count(&self, pieces: Incoming<Bytes>) -> Result<Bytes, Failure> {
///         let mut bytes = 0;
///         for piece in pieces {
///             bytes += piece?.len();
///         }
///         Ok(bytes.to_string().into())
///     }
/// }
/// ```
#[derive(Debug)]
pub struct IncomingIter<T = Bytes>(Incoming<T>);

impl<T: Payload> Iterator for IncomingIter<T> {
    type Item = Result<T, Failure>;

    fn next(&mut self) -> Option<Result<T, Failure>> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        loop {
            if let Poll::Ready(next) = self.0.poll(&mut task::Context::from_waker(&waker)) {
                return next;
            }
            if WAITS_FOR_ITSELF.get() {
                self.0.end();
                let failure = "a handler can't block for its caller's items here, since it is its session that reads them: take \
                               them in an `async fn`, or as a `Stream` in the stream that it returns, or serve the module by a `blocking::Server`";
                return Some(Err(failure.into()));
            }
            thread::park();
        }
    }
}

/// A thread that waits.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

thread_local! {
    /// Whether this thread polls a handler that takes items, in place of the session that reads them.
    static WAITS_FOR_ITSELF: Cell<bool> = const { Cell::new(false) };
}

/// Polls a handler on the thread that its session needs: there it can't block for items.
pub(crate) fn poll_in_session<R>(poll: impl FnOnce() -> R) -> R {
    struct Reset(bool);
    impl Drop for Reset {
        fn drop(&mut self) {
            WAITS_FOR_ITSELF.set(self.0);
        }
    }
    let _reset = Reset(WAITS_FOR_ITSELF.replace(true));
    poll()
}
