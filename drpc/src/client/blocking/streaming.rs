//! The streams of the blocking client. Each has a connection of its own: nobody but its reader receives on it, so that one who stops
//! reading holds up no other call.

use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::thread::sleep;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Client, Connection, Fault, Sent, control};
use crate::client::call_state::CallState;
use crate::client::caller::{CallOptions, StreamOptions};
use crate::client::deadline::Deadline;
use crate::client::error::{CallError, Disconnect};
use crate::client::reply::item_of;
use crate::client::retry::Attempts;
use crate::handler::method::Method;
use crate::handler::payload::Payload;
use crate::observe::client::MadeCall;
use crate::wire::{Body, Control, Credit, Response};

impl Client {
    /// Calls a [streaming](Method::streaming) method with a marshalled body; returns the stream of its items as they are, once the
    /// server has opened it.
    ///
    /// ```no_run
    /// use drpc::blocking::Client;
    /// use drpc::{CallOptions, Method};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let client = Client::connect("/run/events.sock")?;
    ///     let watch = Method::new(7, 704, "watch").streaming();
    ///     for event in client.open_raw(watch, "", &CallOptions::new())? {
    ///         println!("{} bytes", event?.len());
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`CallError`] if no stream was opened: one with a status if the handler refused, and of kind
    /// [`NoStream`](crate::CallErrorKind::NoStream) if the server answered otherwise.
    pub fn open_raw(
        &self,
        method: Method,
        body: impl Into<Body>,
        options: &CallOptions,
    ) -> Result<Streaming, CallError> {
        self.open_stream(method, body.into(), options)
    }

    pub(super) fn open_stream<R: Payload>(
        &self,
        method: Method,
        body: Body,
        options: &CallOptions,
    ) -> Result<Streaming<R>, CallError> {
        let StreamOptions { credit: window, item_timeout } = options.of_stream();
        let mut opened = None;
        let observed = MadeCall::begin(&method, &self.0.config.path, body.len());
        let response = observed.run(|| self.open_in_time(&method, &body, options, &mut opened))?;
        let sequence = response.sequence;
        CallError::unless_opened(response)?;
        Ok(Streaming {
            connection: opened,
            sequence,
            early: VecDeque::new(),
            limit: self.0.config.reply_limit,
            window,
            taken: Credit::default(),
            whole: Deadline::at(Instant::now, options.deadline),
            item_timeout,
            item: PhantomData,
        })
    }

    fn open_in_time(
        &self,
        method: &Method,
        body: &Body,
        options: &CallOptions,
        opened: &mut Option<Box<Connection>>,
    ) -> Result<Response, CallError> {
        let mut state = self.begin(options);
        let mut attempts = Attempts::of(options.retry.as_ref(), self.0.config.retry.as_ref());
        loop {
            let outcome = self.attempt_to_open(method, body.clone(), options, &mut state, opened);
            match attempts.next(method, outcome, state.deadline) {
                ControlFlow::Continue(pause) => sleep(pause),
                ControlFlow::Break(outcome) => return outcome,
            }
        }
    }

    fn attempt_to_open(
        &self,
        method: &Method,
        mut body: Body,
        options: &CallOptions,
        state: &mut CallState<'_>,
        opened: &mut Option<Box<Connection>>,
    ) -> Result<Response, CallError> {
        state.begin_attempt();
        let mut added = state.added(options);
        added.get_or_insert_default().credit = Some(options.of_stream().credit);
        let connection = opened.insert(Box::new(self.connection_of_its_own(state)?));
        let mut early = Vec::new();
        let made = connection.call(method, &mut body, added, options, state, &mut early);
        let outcome = match made {
            Ok(response) => Ok(response),
            Err(fault) => early.pop().ok_or_else(|| error_of(fault, &state.deadline)),
        };
        state.in_time(outcome?)
    }

    fn connection_of_its_own(&self, state: &mut CallState<'_>) -> Result<Connection, CallError> {
        state.check_time()?;
        self.0.check_process();
        let epoch = {
            let pool = self.0.pool.lock();
            pool.may_make()?;
            pool.epoch()
        };
        state.waits();
        loop {
            match self.0.config.open_blocking(state.deadline) {
                Ok(connection) => {
                    // Closing the client ends its streams.
                    self.0.lines.add(epoch, &connection.line);
                    return Ok(connection);
                }
                Err(error) => {
                    let pause = state.refused(error).map_err(|error| state.gave_up(error))?;
                    sleep(pause);
                }
            }
        }
    }
}

/// A stream that a server sends to a blocking [`Client`]: the items of a call of a [streaming](crate::guide::streams) method.
///
/// ```no_run
/// # #[derive(Clone, PartialEq, prost::Message)] pub struct Tick { #[prost(uint32, tag = "1")] pub number: u32 }
/// # #[drpc::drpc_module(id = 7, client_only)]
/// # pub trait Clock { #[method(4, stream)] fn ticks(&self) -> impl drpc::Stream<Item = Result<Tick, drpc::Failure>>; }
/// use drpc::blocking::Client;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let client = ClockClient::new(Client::connect("/run/clock.sock")?);
/// for tick in client.ticks()? {
///     println!("{}", tick?.number);
/// }
/// # Ok(())
/// # }
/// ```
///
/// It is an iterator, which blocks its thread until the next item is there. The first error is the last thing that comes.
///
/// A stream has a connection of its own, whatever [`connections`](crate::ClientBuilder::connections) says, and closes it when it is dropped or at
/// its end: so the server learns of a stream that is given up.
pub struct Streaming<R = Bytes> {
    /// `None` once it has ended.
    connection: Option<Box<Connection>>,
    sequence: i64,
    /// What came while a credit was sent.
    early: VecDeque<Response>,
    /// How much of an item is decoded.
    limit: usize,
    window: Credit,
    /// What was taken and the server does not know of.
    taken: Credit,
    whole: Deadline,
    item_timeout: Option<Duration>,
    item: PhantomData<fn() -> R>,
}

impl<R> Streaming<R> {
    fn next_response(&mut self) -> Option<Result<Response, CallError>> {
        let connection = self.connection.as_mut()?;
        let item = Deadline::after(self.item_timeout);
        let deadline = item.or_before(self.whole);
        let received = match self.early.pop_front() {
            Some(response) => Ok(response),
            None => connection.receive(deadline),
        };
        let response = received.and_then(|response| {
            if response.part().is_some()
                && let Some(credit) = self.window.after(&mut self.taken, &response)
            {
                let mut early = Vec::new();
                let more = control(self.sequence, Control::Credit(credit));
                connection.send(&more, &CallOptions::new(), deadline, &mut early)?;
                self.early.extend(early);
            }
            Ok(response)
        });
        Some(response.map_err(|fault| match (fault, item.at) {
            (Fault::Timeout(_), Some(at)) if deadline.at == Some(at) => {
                CallError::stalled(self.item_timeout.unwrap_or_default())
            }
            (Fault::Timeout(_), _) => self.whole.passed(),
            (fault, _) => error_of(fault, &deadline),
        }))
    }
}

impl<R: Payload> Iterator for Streaming<R> {
    type Item = Result<R, CallError>;

    fn next(&mut self) -> Option<Result<R, CallError>> {
        let item = self.next_response().and_then(|outcome| item_of(outcome, self.limit));
        if !matches!(item, Some(Ok(_))) {
            self.connection = None;
        }
        item
    }
}

impl<R> fmt::Debug for Streaming<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streaming").field("has_ended", &self.connection.is_none()).finish_non_exhaustive()
    }
}

/// The error of a call on a connection of its own.
fn error_of(fault: Fault, deadline: &Deadline) -> CallError {
    match fault {
        Fault::Unsent(error) => error,
        Fault::Gone => CallError::not_connected(Disconnect::ByPeer.into()),
        Fault::Timeout(Sent::Nothing) => deadline.unsent(),
        Fault::Timeout(_) => deadline.passed(),
        Fault::Disconnect(cause) => CallError::disconnected(cause),
        Fault::Unfinished(cause) => CallError::unfinished(cause),
    }
}
