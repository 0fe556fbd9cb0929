//! The figures, for the recorder that the program has installed in the facade of the crate `metrics`.
//!
//! What is counted with every call is looked up but once: its handle is kept, by method and status. A recorder that is installed
//! later than the first call is therefore not told of it. Names that a peer makes up are counted as one, `unknown`, so that it
//! can't make more of them.

use std::array;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use ::metrics::{
    Counter, Gauge, Histogram, Label, Unit, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};

use super::end::End;
use super::side::{Side, Way};
use crate::client::error::CallError;
use crate::handler::method::Method;
use crate::wire::{Response, Status};

pub(crate) const ON: bool = true;

/// What takes the place of a name that nobody has given.
const UNKNOWN: &str = "unknown";

/// What all servers of this program count together.
struct Server {
    in_flight: Gauge,
    sessions: Gauge,
    opened: Counter,
    received: Counter,
    sent: Counter,
    /// Calls of modules that there are not, once there was one.
    unknown: LazyLock<Arc<MethodMetrics>>,
}

static SERVER: LazyLock<Server> = LazyLock::new(|| {
    describe_server();
    Server {
        in_flight: gauge!("drpc_server_calls_in_flight"),
        sessions: gauge!("drpc_server_sessions"),
        opened: counter!("drpc_server_sessions_opened_total"),
        received: counter!("drpc_server_received_bytes_total"),
        sent: counter!("drpc_server_sent_bytes_total"),
        unknown: LazyLock::new(|| Arc::new(MethodMetrics::new(&SERVED, UNKNOWN.to_owned(), UNKNOWN))),
    }
});

fn describe_server() {
    describe_counter!(
        "drpc_server_calls_total",
        Unit::Count,
        "Calls that have ended, by the status of their answer"
    );
    describe_histogram!(
        "drpc_server_call_seconds",
        Unit::Seconds,
        "From the beginning of a call, once it may run, to its answer"
    );
    describe_gauge!("drpc_server_calls_in_flight", Unit::Count, "Calls that are being carried out");
    describe_counter!("drpc_server_calls_refused_total", Unit::Count, "Calls that a rule did not allow");
    describe_counter!(
        "drpc_server_replies_too_long_total",
        Unit::Count,
        "Replies that the wire could not carry"
    );
    describe_gauge!("drpc_server_sessions", Unit::Count, "Sessions that are open");
    describe_counter!("drpc_server_sessions_opened_total", Unit::Count, "Sessions that have been opened");
    describe_counter!(
        "drpc_server_sessions_refused_total",
        Unit::Count,
        "Connections that did not become sessions"
    );
    describe_counter!(
        "drpc_server_received_bytes_total",
        Unit::Bytes,
        "Messages received, without their framing"
    );
    describe_counter!("drpc_server_sent_bytes_total", Unit::Bytes, "Messages sent, without their framing");
    describe_counter!(
        "drpc_server_received_descriptors_total",
        Unit::Count,
        "Descriptors that calls came with, within the limits"
    );
    describe_counter!("drpc_server_sent_descriptors_total", Unit::Count, "Descriptors that replies had");
}

/// What the streams of all servers of this program count together, or those of all its clients, once there is one.
struct Streams {
    open: Gauge,
    received: Items,
    sent: Items,
}

/// The items that went one way.
struct Items {
    items: Counter,
    bytes: Counter,
}

static SERVER_STREAMS: LazyLock<Streams> = LazyLock::new(|| Streams::new("server"));
static CLIENT_STREAMS: LazyLock<Streams> = LazyLock::new(|| Streams::new("client"));

impl Streams {
    fn new(side: &str) -> Self {
        let open = format!("drpc_{side}_streams");
        describe_gauge!(open.clone(), Unit::Count, "Streams that are open");
        let [received, sent] = ["received", "sent"].map(|way| {
            let items = format!("drpc_{side}_{way}_items_total");
            let bytes = format!("drpc_{side}_{way}_item_bytes_total");
            describe_counter!(items.clone(), Unit::Count, format!("Items of streams that were {way}"));
            describe_counter!(bytes.clone(), Unit::Bytes, "The bodies of these items");
            Items { items: counter!(items), bytes: counter!(bytes) }
        });
        Streams { open: gauge!(open), received, sent }
    }

    fn of(side: Side) -> &'static Self {
        match side {
            Side::Server => &SERVER_STREAMS,
            Side::Client => &CLIENT_STREAMS,
        }
    }
}

/// The figures of a module's methods, which are registered when they are first called.
pub(crate) struct ModuleMetrics {
    /// By the method's number in the module.
    methods: Box<[OnceLock<Arc<MethodMetrics>>; 100]>,
    unknown: OnceLock<Arc<MethodMetrics>>,
}

impl Default for ModuleMetrics {
    fn default() -> Self {
        ModuleMetrics { methods: Box::new(array::from_fn(|_| OnceLock::new())), unknown: OnceLock::new() }
    }
}

impl ModuleMetrics {
    /// Those of a method, by its number in the module; of none, if there is none.
    fn of(found: Option<(&str, &Self)>, number: i64, method: Option<Method>) -> Arc<MethodMetrics> {
        let Some((module, metrics)) = found else { return Arc::clone(&SERVER.unknown) };
        let name = method.map_or(UNKNOWN, |method| method.name());
        let new = || Arc::new(MethodMetrics::new(&SERVED, module.to_owned(), name));
        let kept = match method {
            None => Some(&metrics.unknown),
            Some(_) => usize::try_from(number).ok().and_then(|number| metrics.methods.get(number)),
        };
        // A method out of its module's hundred is looked up each time.
        kept.map_or_else(new, |kept| kept.get_or_init(new).clone())
    }
}

/// The figures of one method.
struct MethodMetrics {
    names: &'static Names,
    labels: Vec<Label>,
    seconds: Histogram,
    /// By what becomes of the call; registered when it first does.
    calls: [OnceLock<Counter>; End::COUNT],
}

/// What the figures of a method are called.
struct Names {
    calls: &'static str,
    seconds: &'static str,
    /// The label that says the module.
    module: &'static str,
}

/// Of a server's methods.
const SERVED: Names =
    Names { calls: "drpc_server_calls_total", seconds: "drpc_server_call_seconds", module: "module" };

/// Of the methods that a client calls. It does not know the names of modules.
const MADE: Names =
    Names { calls: "drpc_client_calls_total", seconds: "drpc_client_call_seconds", module: "module_id" };

impl MethodMetrics {
    fn new(names: &'static Names, module: String, method: &'static str) -> Self {
        let labels = vec![Label::new(names.module, module), Label::from_static_parts("method", method)];
        MethodMetrics {
            seconds: histogram!(names.seconds, labels.clone()),
            names,
            labels,
            calls: array::from_fn(|_| OnceLock::new()),
        }
    }

    fn count(&self, end: End) {
        let counter = self.calls[end.index()].get_or_init(|| {
            let mut labels = self.labels.clone();
            labels.push(Label::from_static_parts("status", end.label()));
            counter!(self.names.calls, labels)
        });
        counter.increment(1);
    }
}

/// A call that is carried out.
pub(crate) struct ServedCall {
    method: Arc<MethodMetrics>,
    has_ended: bool,
}

impl ServedCall {
    pub(super) fn begin(module: Option<(&str, &ModuleMetrics)>, number: i64, method: Option<Method>) -> Self {
        SERVER.in_flight.increment(1);
        ServedCall { method: ModuleMetrics::of(module, number, method), has_ended: false }
    }

    pub(super) fn end(&mut self, end: End, elapsed: Duration) {
        self.has_ended = true;
        self.method.count(end);
        self.method.seconds.record(elapsed);
    }
}

impl Drop for ServedCall {
    fn drop(&mut self) {
        SERVER.in_flight.decrement(1);
        if !self.has_ended {
            self.method.count(End::DROPPED);
        }
    }
}

/// A session that is open.
pub(crate) struct OpenSession(());

impl OpenSession {
    pub(crate) fn begin() -> Self {
        SERVER.sessions.increment(1);
        SERVER.opened.increment(1);
        OpenSession(())
    }
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        SERVER.sessions.decrement(1);
    }
}

/// A stream that is open.
pub(crate) struct OpenStream(Side);

impl OpenStream {
    pub(crate) fn begin(side: Side) -> Self {
        Streams::of(side).open.increment(1);
        OpenStream(side)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        Streams::of(self.0).open.decrement(1);
    }
}

/// So many items, of so many bytes, have gone through a stream.
pub(super) fn items(side: Side, way: Way, count: usize, bytes: usize) {
    let streams = Streams::of(side);
    let counted = match way {
        Way::Received => &streams.received,
        Way::Sent => &streams.sent,
    };
    counted.items.increment(count as u64);
    counted.bytes.increment(bytes as u64);
}

/// A connection does not become a session, because of that.
pub(crate) fn session_refused(reason: &'static str) {
    counter!("drpc_server_sessions_refused_total", "reason" => reason).increment(1);
}

/// A rule does not allow a call of this module.
pub(crate) fn call_refused(module: &str) {
    counter!("drpc_server_calls_refused_total", "module" => module.to_owned()).increment(1);
}

/// A message is no call (D1).
pub(crate) fn call_unreadable() {
    SERVER.unknown.count(End::of_status(Status::FAILED_UNMARSHAL_CALL));
}

/// A reply becomes `FAILED_MARSHAL` (D4).
pub(crate) fn reply_too_long() {
    counter!("drpc_server_replies_too_long_total").increment(1);
}

/// A call has come with descriptors.
#[cold]
pub(crate) fn descriptors_received(count: usize) {
    counter!("drpc_server_received_descriptors_total").increment(count as u64);
}

/// A reply with descriptors is to go out.
#[cold]
pub(crate) fn descriptors_sent(count: usize) {
    counter!("drpc_server_sent_descriptors_total").increment(count as u64);
}

/// A message has come whole.
pub(crate) fn received(bytes: usize) {
    SERVER.received.increment(bytes as u64);
}

/// A message is to be sent.
pub(crate) fn sent(bytes: usize) {
    SERVER.sent.increment(bytes as u64);
}

/// What all clients of this program count together.
struct Client {
    connections: Gauge,
    opened: Counter,
    lost: Counter,
    reconnects: Counter,
    retries: Counter,
    /// By the IDs of module and method.
    methods: RwLock<HashMap<(i32, i32), Arc<MethodMetrics>>>,
    /// Of the methods that are too many, once there are.
    unknown: LazyLock<Arc<MethodMetrics>>,
}

/// How many methods have figures of their own: a program that hands on what others call does not grow without end.
const METHODS: usize = 1000;

static CLIENT: LazyLock<Client> = LazyLock::new(|| {
    describe_client();
    Client {
        connections: gauge!("drpc_client_connections"),
        opened: counter!("drpc_client_connections_opened_total"),
        lost: counter!("drpc_client_connections_lost_total"),
        reconnects: counter!("drpc_client_reconnects_total"),
        retries: counter!("drpc_client_retries_total"),
        methods: RwLock::default(),
        unknown: LazyLock::new(|| Arc::new(MethodMetrics::new(&MADE, UNKNOWN.to_owned(), UNKNOWN))),
    }
});

fn describe_client() {
    describe_counter!("drpc_client_calls_total", Unit::Count, "Calls that were made, by what became of them");
    describe_histogram!("drpc_client_call_seconds", Unit::Seconds, "From the making of a call to its reply");
    describe_counter!(
        "drpc_client_retries_total",
        Unit::Count,
        "Attempts at calls and batches after the first"
    );
    describe_gauge!("drpc_client_connections", Unit::Count, "Connections that are open");
    describe_counter!("drpc_client_connections_opened_total", Unit::Count, "Connections that were made");
    describe_counter!("drpc_client_connections_lost_total", Unit::Count, "Connections that broke");
    describe_counter!(
        "drpc_client_reconnects_total",
        Unit::Count,
        "Connections made where there was none any more"
    );
}

impl Client {
    fn method(&self, method: Method) -> Arc<MethodMetrics> {
        let key = (method.module(), method.id());
        if let Some(known) = self.methods.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return known.clone();
        }
        let mut methods = self.methods.write().unwrap_or_else(PoisonError::into_inner);
        if methods.len() >= METHODS {
            return Arc::clone(&self.unknown);
        }
        let new = || Arc::new(MethodMetrics::new(&MADE, method.module().to_string(), method.name()));
        methods.entry(key).or_insert_with(new).clone()
    }
}

/// A call that a client makes.
pub(crate) struct MadeCall {
    method: Arc<MethodMetrics>,
    has_ended: bool,
}

impl MadeCall {
    pub(super) fn begin(method: Method) -> Self {
        MadeCall { method: CLIENT.method(method), has_ended: false }
    }

    pub(super) fn end(&mut self, end: End, elapsed: Duration) {
        self.has_ended = true;
        self.method.count(end);
        self.method.seconds.record(elapsed);
    }
}

impl Drop for MadeCall {
    fn drop(&mut self) {
        if !self.has_ended {
            self.method.count(End::DROPPED);
        }
    }
}

/// A call of a batch has ended. It has no time of its own.
pub(crate) fn batched(method: Method, outcome: &Result<Response, CallError>) {
    CLIENT.method(method).count(End::of_call(outcome));
}

/// A connection of a client.
#[derive(Debug)]
pub(crate) struct OpenConnection(());

impl OpenConnection {
    pub(crate) fn begin() -> Self {
        CLIENT.connections.increment(1);
        CLIENT.opened.increment(1);
        OpenConnection(())
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        CLIENT.connections.decrement(1);
    }
}

/// A connection is no more, and its client did not want that.
pub(crate) fn connection_lost() {
    CLIENT.lost.increment(1);
}

/// A client that had no connection any more has one again.
pub(crate) fn reconnected() {
    CLIENT.reconnects.increment(1);
}

/// A call, or a batch, is made again.
pub(crate) fn retried() {
    CLIENT.retries.increment(1);
}
