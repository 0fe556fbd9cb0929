//! The streams of the blocking client. Each has a connection of its own: nobody but its reader receives on it, so that one who stops
//! reading holds up no other call.

use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::task::Poll;
use std::thread::sleep;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Client, Connection, Fault, Sent, about};
use crate::client::call_state::CallState;
use crate::client::caller::CallOptions;
use crate::client::deadline::Deadline;
use crate::client::error::{CallError, CallErrorKind, Disconnect};
use crate::client::reply::{item_body, item_of, reply_of};
use crate::client::retry::Attempts;
use crate::client::unpacking::{Step, Unpacking, admit};
use crate::flow::Room;
use crate::gather::Gatherer;
use crate::handler::method::Method;
use crate::handler::payload::Payload;
use crate::observe::client::{MadeCall, MadeStream};
use crate::wire::{Body, CallFields, Control, Credit, Gathered, Part, Response};

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
        let flow = self.open_flow(&method, &body, options, Asked { receives: true, sends: false })?;
        Ok(Streaming { flow, limit: self.0.config.reply_limit, item: PhantomData })
    }

    pub(super) fn open_upload<T: Payload, R: Payload>(
        &self,
        method: Method,
        body: Body,
        options: &CallOptions,
    ) -> Result<Upload<T, R>, CallError> {
        let flow = self.open_flow(&method, &body, options, Asked { receives: false, sends: true })?;
        Ok(Upload { flow, limit: self.0.config.reply_limit, types: PhantomData })
    }

    pub(super) fn open_exchange<T: Payload, R: Payload>(
        &self,
        method: Method,
        body: Body,
        options: &CallOptions,
    ) -> Result<Exchange<T, R>, CallError> {
        let flow = self.open_flow(&method, &body, options, Asked { receives: true, sends: true })?;
        Ok(Exchange { flow, limit: self.0.config.reply_limit, types: PhantomData })
    }

    fn open_flow(
        &self,
        method: &Method,
        body: &Body,
        options: &CallOptions,
        asked: Asked,
    ) -> Result<Flow, CallError> {
        let mut opened = None;
        let observed = MadeCall::begin(method, &self.0.config.path, body.len());
        let (response, observed) = observed.run_to_open(|| {
            CallError::unless_opened(self.open_in_time(method, body, options, asked, &mut opened)?)
        })?;
        let added = response.added.as_deref();
        let room = added.and_then(|added| added.credit).unwrap_or_default();
        let sends_many = opened.as_ref().is_some_and(|connection| connection.codec.sends(Gathered::LONGEST));
        let takes_many = sends_many && added.is_some_and(|added| added.takes_many);
        let window = asked.window(options).unwrap_or_default();
        Ok(Flow {
            connection: opened,
            sequence: response.sequence,
            observed,
            early: VecDeque::new(),
            unpacking: Unpacking::of(window),
            expected: window.into(),
            room: room.into(),
            takes_many,
            is_open: asked.sends,
            failure: None,
            whole: Deadline::at(Instant::now, options.deadline),
            item_timeout: options.of_stream().item_timeout,
        })
    }

    fn open_in_time(
        &self,
        method: &Method,
        body: &Body,
        options: &CallOptions,
        asked: Asked,
        opened: &mut Option<Box<Connection>>,
    ) -> Result<Response, CallError> {
        let mut state = self.begin(options);
        let mut attempts = Attempts::of(options.retry.as_ref(), self.0.config.retry.as_ref());
        loop {
            let outcome = self.attempt_to_open(method, body.clone(), options, asked, &mut state, opened);
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
        asked: Asked,
        state: &mut CallState<'_>,
        opened: &mut Option<Box<Connection>>,
    ) -> Result<Response, CallError> {
        state.begin_attempt();
        let mut added = state.added(options);
        let fields: &mut CallFields = added.get_or_insert_default();
        fields.credit = asked.window(options);
        fields.sends_items = asked.sends;
        fields.takes_many = asked.receives && self.0.config.message_limit >= Gathered::LONGEST;
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
    flow: Flow,
    /// How much of an item is decoded.
    limit: usize,
    item: PhantomData<fn() -> R>,
}

impl<R: Payload> Iterator for Streaming<R> {
    type Item = Result<R, CallError>;

    fn next(&mut self) -> Option<Result<R, CallError>> {
        self.flow.next_item(self.limit)
    }
}

impl<R> fmt::Debug for Streaming<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streaming").field("has_ended", &self.flow.has_ended()).finish_non_exhaustive()
    }
}

/// A stream that a blocking [`Client`] sends, and then its reply: a call of a [method](crate::guide::streams) that takes an
/// [`Incoming`](crate::Incoming).
///
/// ```no_run
/// # #[derive(Clone, PartialEq, prost::Message)] pub struct Piece { #[prost(bytes = "bytes", tag = "1")] pub bytes: drpc::Bytes }
/// # #[derive(Clone, PartialEq, prost::Message)] pub struct Stored { #[prost(uint64, tag = "1")] pub bytes: u64 }
/// # #[drpc::drpc_module(id = 8, client_only)]
/// # pub trait Store { #[method(1, stream)] fn upload(&self, pieces: drpc::Incoming<Piece>) -> Stored; }
/// use drpc::blocking::Client;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = StoreClient::new(Client::connect("/run/store.sock")?);
/// let pieces = ["one", "two"].map(|text| Piece { bytes: text.into() });
/// println!("{} bytes are stored", store.upload()?.finish_with(pieces)?.bytes);
/// # Ok(())
/// # }
/// ```
///
/// It sends no more than the server has [room](crate::ServerBuilder::stream_credit) for, and blocks otherwise. **Dropped before it was finished, the call is given
/// up**: its connection, which is its own, closes, and the server's handler is told that these were not all.
pub struct Upload<T = Bytes, R = Bytes> {
    flow: Flow,
    limit: usize,
    types: PhantomData<fn(T) -> R>,
}

impl<T: Payload, R: Payload> Upload<T, R> {
    /// Sends an item, once there is room for it.
    ///
    /// # Errors
    ///
    /// [`CallError`]: what the call failed with, if that is known already; of kind [`NotTaken`](CallErrorKind::NotTaken) if the server takes no more, so that
    /// [`finish`](Self::finish) is next; of kind `Timeout` if the server had no room for too long; and of kind `TooLong` for an item that is too long for a
    /// message. After the last, others can be sent.
    pub fn send(&mut self, item: T) -> Result<(), CallError> {
        let sent = self.flow.send(item_body(item));
        if let (Err(_), Some(failure)) = (&sent, &self.flow.failure) {
            return Err(failure.clone());
        }
        if sent.as_ref().is_err_and(|error| error.kind() == CallErrorKind::NotTaken)
            && let Some(response) = self.flow.early.back()
            && response.part().is_none()
            && response.status.is_failure()
        {
            let error = CallError::answered(response.status, response.added.clone());
            self.flow.observed.end(Some(&error));
            return Err(error);
        }
        sent
    }

    /// Sends all of these, and waits for the reply; ends before if the server takes no more. While the iterator blocks, nothing is looked at but it.
    ///
    /// Items are gathered into messages as far as the iterator's [`size_hint`](Iterator::size_hint) says that there are more, as a vector's does and that of a channel
    /// does not.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send), but for `NotTaken`, and of [`finish`](Self::finish).
    pub fn finish_with(mut self, items: impl IntoIterator<Item = T>) -> Result<R, CallError> {
        self.flow.send_all(items)?;
        self.finish()
    }

    /// Says that these were all the items, and waits for the reply.
    ///
    /// # Errors
    ///
    /// [`CallError`] if the call failed, or there is no reply.
    pub fn finish(mut self) -> Result<R, CallError> {
        self.flow.finish()?;
        let outcome = match self.flow.next_step() {
            Some(Ok(Step::Last(response))) => Ok(response),
            Some(Err(error)) => Err(error),
            Some(Ok(Step::Item(_))) | None => Err(CallError::not_taken()),
        };
        self.flow.observed.reply(&outcome);
        reply_of(outcome?, self.limit)
    }
}

impl<T, R> fmt::Debug for Upload<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("has_ended", &self.flow.has_ended()).finish_non_exhaustive()
    }
}

/// A stream that a blocking [`Client`] sends, and one that it receives, on the same call of a [method](crate::guide::streams) that takes
/// an [`Incoming`](crate::Incoming) and answers by a stream.
///
/// ```no_run
/// # #[derive(Clone, PartialEq, prost::Message)] pub struct Number { #[prost(uint64, tag = "1")] pub number: u64 }
/// # #[drpc::drpc_module(id = 7, client_only)]
/// # pub trait Squares { #[method(6, stream)] fn square(&self, numbers: drpc::Incoming<Number>) -> impl drpc::Stream<Item = Result<Number, drpc::Failure>>; }
/// use drpc::blocking::Client;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut squares = SquaresClient::new(Client::connect("/run/squares.sock")?).square()?;
/// for number in 1..=3 {
///     squares.send(Number { number })?;
///     if let Some(square) = squares.next() {
///         println!("{}", square?.number);
///     }
/// }
/// squares.finish()?;
/// assert!(squares.next().is_none());
/// # Ok(())
/// # }
/// ```
///
/// It is an iterator of what the server sends. While an item waits for room, what comes is kept, up to the [credit](CallOptions::stream_credit). A server that
/// takes no more before its own items are taken waits for its client, and its client for it: then take some, or set an
/// [`item_timeout`](CallOptions::item_timeout).
///
/// Dropped before its end, it closes its connection, which is its own: so the server learns that it is given up.
pub struct Exchange<T = Bytes, R = Bytes> {
    flow: Flow,
    limit: usize,
    types: PhantomData<fn(T) -> R>,
}

impl<T: Payload, R: Payload> Exchange<T, R> {
    /// Sends an item, once there is room for it.
    ///
    /// # Errors
    ///
    /// [`CallError`]: of kind [`NotTaken`](CallErrorKind::NotTaken) if the server takes no more, or the call is over, which the next item tells of; of kind `Timeout` if
    /// the server had no room for too long; and of kind `TooLong` for an item that is too long for a message. After the last, others can be sent.
    pub fn send(&mut self, item: T) -> Result<(), CallError> {
        self.flow.send(item_body(item))
    }

    /// Says that these were all the items; what the server sends may still come.
    ///
    /// # Errors
    ///
    /// [`CallError`] if that can't be sent.
    pub fn finish(&mut self) -> Result<(), CallError> {
        self.flow.finish()
    }
}

impl<T, R: Payload> Iterator for Exchange<T, R> {
    type Item = Result<R, CallError>;

    fn next(&mut self) -> Option<Result<R, CallError>> {
        self.flow.next_item(self.limit)
    }
}

impl<T, R> fmt::Debug for Exchange<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("has_ended", &self.flow.has_ended()).finish_non_exhaustive()
    }
}

/// Which ways a call is a stream.
#[derive(Clone, Copy)]
struct Asked {
    receives: bool,
    sends: bool,
}

impl Asked {
    fn window(self, options: &CallOptions) -> Option<Credit> {
        self.receives.then(|| options.of_stream().credit)
    }
}

/// A call that is a stream, on a connection of its own.
struct Flow {
    /// `None` once it has ended.
    connection: Option<Box<Connection>>,
    sequence: i64,
    observed: MadeStream,
    /// What came while something was sent.
    early: VecDeque<Response>,
    unpacking: Unpacking,
    /// How much the server may send.
    expected: Room,
    /// How much the server has room for.
    room: Room,
    /// Several items may go in one message.
    takes_many: bool,
    /// Items may still be sent.
    is_open: bool,
    /// What it failed with, behind what came early.
    failure: Option<CallError>,
    whole: Deadline,
    item_timeout: Option<Duration>,
}

impl Flow {
    fn has_ended(&self) -> bool {
        self.connection.is_none() && self.early.is_empty() && self.failure.is_none()
    }

    fn next_item<R: Payload>(&mut self, limit: usize) -> Option<Result<R, CallError>> {
        let item = self.next_step().and_then(|outcome| item_of(outcome, limit, &self.observed));
        if !matches!(item, Some(Ok(_))) {
            self.connection = None;
            self.early.clear();
            self.unpacking = Unpacking::of(Credit::default());
            self.failure = None;
            self.observed.end(item.as_ref().and_then(|last| last.as_ref().err()));
        }
        item
    }

    /// What comes next that is not only about the items that are sent.
    fn next_step(&mut self) -> Option<Result<Step, CallError>> {
        loop {
            if let Some((item, credit)) = self.unpacking.next() {
                if let Err(error) = self.check_time() {
                    return Some(Err(error));
                }
                // Where the stream was cut, what has come is still given.
                if let Some(credit) = credit.filter(|_| self.connection.is_some()) {
                    self.expected.add(credit);
                    if let Err(error) = self.say(Control::Credit(credit), Body::new()) {
                        return Some(Err(error));
                    }
                }
                return Some(Ok(Step::Item(item)));
            }
            while self.early.is_empty() {
                if self.connection.is_none() {
                    return self.failure.take().map(Err);
                }
                if let Err(error) = self.receive() {
                    return Some(Err(error));
                }
            }
            let response = self.early.pop_front()?;
            if let Some(last) = self.unpacking.put(response) {
                return Some(Ok(Step::Last(last)));
            }
        }
    }

    fn send(&mut self, item: Body) -> Result<(), CallError> {
        self.wait_for_room()?;
        self.send_gathered(Gathered::of(item))
    }

    fn send_all<T: Payload>(&mut self, items: impl IntoIterator<Item = T>) -> Result<(), CallError> {
        let mut items = items.into_iter();
        let mut gatherer = Gatherer::default();
        loop {
            let gathered = gatherer.poll(self.takes_many, |gathered| {
                // An iterator that does not know of another item may block until there is one, and that may depend on these.
                let goes_on = gathered.is_empty()
                    || (items.size_hint().0 > 0
                        && self.room.is_open_behind(gathered.len(), gathered.bytes()));
                match goes_on {
                    true => Poll::Ready(items.next().map(item_body).ok_or(())),
                    false => Poll::Pending,
                }
            });
            let Poll::Ready(Ok(gathered)) = gathered else { return Ok(()) };
            match self.wait_for_room() {
                Err(error) if error.kind() == CallErrorKind::NotTaken => return Ok(()),
                ready => ready?,
            }
            self.send_gathered(gathered)?;
        }
    }

    fn wait_for_room(&mut self) -> Result<(), CallError> {
        while self.is_open && !self.room.is_open() {
            self.receive()?;
        }
        if self.is_open && self.connection.is_some() {
            self.check_time()
        } else {
            Err(CallError::not_taken())
        }
    }

    /// Fails if the stream must be over by now: where something is always there, nothing is waited for.
    fn check_time(&mut self) -> Result<(), CallError> {
        if self.whole.is_over() { Err(self.fail(self.whole.passed())) } else { Ok(()) }
    }

    fn send_gathered(&mut self, items: Gathered) -> Result<(), CallError> {
        let (count, bytes) = (items.len(), items.bytes());
        let (body, several) = items.into_body();
        self.say(if several { Control::Items } else { Control::Item }, body)?;
        self.room.take_all(count, bytes);
        self.observed.sent(count, bytes);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), CallError> {
        match std::mem::take(&mut self.is_open) {
            true => self.say(Control::End, Body::new()),
            false => Ok(()),
        }
    }

    /// Receives one response, and keeps it unless it is about the items that are sent.
    fn receive(&mut self) -> Result<(), CallError> {
        let deadline = self.deadline();
        let Some(connection) = &mut self.connection else { return Err(CallError::not_taken()) };
        let received = connection.receive(deadline);
        let response = received.map_err(|fault| self.failed(fault, &deadline))?;
        self.keep(response)
    }

    fn keep(&mut self, response: Response) -> Result<(), CallError> {
        let Some(part) = response.part() else {
            self.is_open = false;
            self.early.push_back(response);
            return Ok(());
        };
        match part {
            Part::Opened => {}
            Part::Credit => self.room.add(response.added.and_then(|added| added.credit).unwrap_or_default()),
            Part::Enough => self.is_open = false,
            Part::Item | Part::Items => {
                if let Err(cause) = admit(part, &response.body, &mut self.expected) {
                    return Err(self.fail(CallError::disconnected(cause.into())));
                }
                self.early.push_back(response);
            }
        }
        Ok(())
    }

    /// Says something of the call; what comes meanwhile is kept.
    fn say(&mut self, control: Control, body: Body) -> Result<(), CallError> {
        let deadline = self.deadline();
        let Some(connection) = &mut self.connection else { return Err(CallError::not_taken()) };
        let message = about(self.sequence, control, body);
        let mut early = Vec::new();
        let sent = connection.send(&message, &CallOptions::new(), deadline, &mut early);
        for response in early {
            self.keep(response)?;
        }
        match sent {
            // The server is gone; what it said before is still to be received.
            Ok(_) | Err(Fault::Gone) => Ok(()),
            // It has answered, and gone.
            Err(_) if self.early.back().is_some_and(|last| last.part().is_none()) => Ok(()),
            Err(fault) => Err(self.failed(fault, &deadline)),
        }
    }

    fn deadline(&self) -> Deadline {
        Deadline::after(self.item_timeout).or_before(self.whole)
    }

    /// The error of a step. But for an item that was never sent, the call is over.
    fn failed(&mut self, fault: Fault, deadline: &Deadline) -> CallError {
        let fault = match fault {
            Fault::Unsent(error) => match error.not_connected_because() {
                // The call was under way.
                Some(cause) => Fault::Disconnect(cause.clone()),
                None => return error.of_item(),
            },
            fault => fault,
        };
        let error = match fault {
            Fault::Timeout(_) if deadline.at != self.whole.at => {
                CallError::stalled(self.item_timeout.unwrap_or_default())
            }
            Fault::Timeout(_) => self.whole.passed(),
            fault => error_of(fault, deadline),
        };
        self.fail(error)
    }

    /// The call is over with an error, which whoever receives is told as well.
    fn fail(&mut self, error: CallError) -> CallError {
        self.connection = None;
        self.is_open = false;
        self.observed.end(Some(&error));
        self.failure = Some(error.clone());
        error
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
