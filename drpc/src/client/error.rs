use std::error::Error;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use rustix::io::Errno;

use super::descriptors::DescriptorFault;
use crate::dispatch::authorization::Allow;
use crate::handler::details::Details;
use crate::handler::failure::{Escaped, Failure};
use crate::transport::{PeerCredentials, abstract_name, is_peer_gone, name_len};
use crate::wire::{
    EnvelopeError, FailureCause, FrameError, MessageTooLong, Response, ResponseFields, Status,
};

/// Why a call has no reply.
///
/// ```
/// # fn example(error: drpc::CallError) {
/// use drpc::{CallErrorKind, Status};
///
/// match error.kind() {
///     CallErrorKind::Status if error.status() == Some(Status::UNKNOWN_MODULE) => println!("an older server"),
///     CallErrorKind::Timeout => println!("the server is slow"),
///     _ => println!("{error}"),
/// }
/// # }
/// ```
///
/// Its text says what happened, whether the call may have been executed, and what to do; and the [server's text](Self::peer_text), if the client
/// [asked for it](crate::guide::errors). `Debug` adds kind, status and source, as a log wants them.
///
/// A server that refuses a client (by a rule, a limit or a hook) closes the connection without a word: a call then fails as `Disconnected` or, if
/// that happened before it was sent, as `NotConnected`. The server's log has the reason.
///
/// | [`kind`](Self::kind) | may have been executed | [`is_retryable`](Self::is_retryable) | [`source`](Error::source) |
/// |---|---|---|---|
/// | `Connect` | no | if the server may yet come | the system's error |
/// | `NotConnected` | no | unless the client was closed | what broke the connection |
/// | `TooLong` | no, but for that of a stream's item | no: it will always be | |
/// | `Timeout` | unless it was never sent | if it was never sent, though it had time | |
/// | `Disconnected` | unless it was not wholly sent | if it was not wholly sent | what broke the connection |
/// | `Reply`, `Submitted` | yes | no | the decoder's error |
/// | `Status` | as the status says | no | |
/// | `NoStream` | yes | no | |
/// | `NotTaken` | yes, or it still is | no | |
#[derive(Clone)]
pub struct CallError(Box<Kind>);

/// The kinds of [`CallError`].
///
/// ```no_run
/// use drpc::blocking::Client;
/// use drpc::{CallErrorKind, CallOptions, Method};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let client = Client::connect("/run/greeter.sock")?;
///     match client.call_raw(Method::new(5, 501, "hello"), "", &CallOptions::new()) {
///         Ok(response) => println!("{}", response.status),
///         Err(error) if error.kind() == CallErrorKind::Timeout => println!("too slow"),
///         Err(error) => return Err(error.into()),
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CallErrorKind {
    /// The server could not be reached; nothing was sent ([C8](crate::guide::rules#client)).
    Connect,
    /// The client is not connected; nothing was sent ([C3](crate::guide::rules#client)).
    NotConnected,
    /// The connection broke while the call was in flight ([C7](crate::guide::rules#client)). The call may have been executed, unless [`CallError::is_retryable`] says that it was not.
    Disconnected,
    /// No reply came in time ([C4](crate::guide::rules#client)). The call may have been executed, unless [`CallError::is_retryable`] says that it was not.
    Timeout,
    /// The server answered that the call failed: see [`CallError::status`].
    Status,
    /// The server accepted the call and will send no reply, but one was wanted (SUBMITTED, [C6](crate::guide::rules#client)).
    Submitted,
    /// The reply can't be read ([C3](crate::guide::rules#client)).
    Reply,
    /// The request is too long for the wire ([W7](crate::guide::rules#wire)) or the limit; nothing was sent. Likewise an item of a
    /// [stream](crate::guide::streams), which was not sent: the call goes on without it.
    TooLong,
    /// The server answered a call for a [stream](crate::guide::streams) with one reply: it does not know streams, as DAOS's don't. The call was
    /// executed.
    NoStream,
    /// The server takes no more items of a [stream](crate::guide::streams) that the caller sends: the handler has answered already, or has stopped taking them. This is
    /// no failure: the answer says what came of the call.
    NotTaken,
    /// The call's [descriptors](crate::guide::descriptors) can't be passed, or the reply's were lost. The error says which, and whether anything was sent.
    Descriptors,
}

#[derive(Clone, Debug)]
enum Kind {
    Connect(Arc<ConnectError>),
    NotConnected(Arc<Disconnect>),
    Disconnected(Arc<Disconnect>),
    Unfinished(Arc<Disconnect>),
    Timeout(Duration),
    Unsent(Duration),
    Status(Status, Option<Box<ResponseFields>>),
    Submitted,
    Payload(Arc<Failure>),
    TooLong(MessageTooLong),
    ItemTooLong(MessageTooLong),
    NoStream,
    Stalled(Duration),
    NotTaken,
    Descriptors(DescriptorFault),
}

impl CallError {
    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> CallErrorKind {
        match &*self.0 {
            Kind::Connect(_) => CallErrorKind::Connect,
            Kind::NotConnected(_) => CallErrorKind::NotConnected,
            Kind::Disconnected(cause) => match **cause {
                Disconnect::Undecodable(_) => CallErrorKind::Reply,
                _ => CallErrorKind::Disconnected,
            },
            Kind::Unfinished(_) => CallErrorKind::Disconnected,
            Kind::Timeout(_) | Kind::Unsent(_) | Kind::Stalled(_) => CallErrorKind::Timeout,
            Kind::NoStream => CallErrorKind::NoStream,
            Kind::Status(..) => CallErrorKind::Status,
            Kind::Submitted => CallErrorKind::Submitted,
            Kind::Payload(_) => CallErrorKind::Reply,
            Kind::TooLong(_) | Kind::ItemTooLong(_) => CallErrorKind::TooLong,
            Kind::NotTaken => CallErrorKind::NotTaken,
            Kind::Descriptors(_) => CallErrorKind::Descriptors,
        }
    }

    /// The status of the response, if there was one.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        match *self.0 {
            Kind::Status(status, _) => Some(status),
            Kind::Submitted => Some(Status::SUBMITTED),
            _ => None,
        }
    }

    /// Whether it timed out: no reply came, or the server did not accept the connection.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        match &*self.0 {
            Kind::Timeout(_) | Kind::Unsent(_) | Kind::Stalled(_) => true,
            Kind::Connect(error) => error.is_timeout(),
            _ => false,
        }
    }

    /// Whether there was no connection to send the call on, so that it was not executed ([C3](crate::guide::rules#client), [C8](crate::guide::rules#client)).
    #[must_use]
    pub fn is_connect(&self) -> bool {
        matches!(*self.0, Kind::Connect(_) | Kind::NotConnected(_))
    }

    /// Whether the call was certainly not executed, for a reason that may go away: it is safe to retry, whatever its method does.
    ///
    /// False says less: the call may have been executed, or would fail again in the same way.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match &*self.0 {
            Kind::Connect(error) => error.may_pass(),
            Kind::NotConnected(cause) | Kind::Unfinished(cause) => cause.may_pass(),
            // Without any time it will always be so.
            Kind::Unsent(after) => !after.is_zero(),
            _ => false,
        }
    }

    /// The server's text for the failure, if there is one. The client must ask for it with [`AddedFields::ERROR`](crate::AddedFields::ERROR), and the server must
    /// support that ([E5](crate::guide::rules#envelope)): see [the chapter](crate::guide::errors).
    ///
    /// It is exactly what the server sent, line breaks included; [`Display`](fmt::Display) escapes control characters.
    #[must_use]
    pub fn peer_text(&self) -> Option<&str> {
        self.added().map(|added| &*added.error).filter(|text| !text.is_empty())
    }

    /// What the handler attached [to the failure](Failure::with_details), under the same conditions as [`peer_text`](Self::peer_text): a message, or an error type that
    /// both sides know and that derives `Failure`. [`Bytes`](crate::Bytes) are the raw details.
    ///
    /// `None` if there are none, or as far as can be told they are not a `D`.
    #[must_use]
    pub fn details<D: Details>(&self) -> Option<D> {
        let details = self.added().map(|added| &added.details).filter(|details| !details.is_empty())?;
        D::from_details(details)
    }

    /// Why a call was answered FAILURE: the handler returned an error, panicked or timed out, or the caller was denied access. Under the same conditions as
    /// [`peer_text`](Self::peer_text).
    ///
    /// ```
    /// # use drpc::{Failure, Server, drpc_module};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use drpc::{AddedFields, Allow, FailureCause, testing};
    /// # struct Pools;
    /// # #[drpc_module(id = 5)]
    /// # impl Pools { #[method(1, allow = "admin")] fn destroy(&self) {} }
    ///
    /// let server = testing::server_of(Server::builder().module(Pools).rule("admin", Allow::no_one()))?;
    /// let client = server.client_builder().added_fields(AddedFields::ERROR).connect().await?;
    /// let error = PoolsClient::new(client).destroy().await.unwrap_err();
    /// assert_eq!(error.failure_cause(), Some(FailureCause::Denied));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn failure_cause(&self) -> Option<FailureCause> {
        self.added().and_then(|added| added.cause)
    }

    fn added(&self) -> Option<&ResponseFields> {
        match &*self.0 {
            Kind::Status(_, added) => added.as_deref(),
            _ => None,
        }
    }

    /// The failure of a handler that passes on what it asks another server for, such as a gateway's: what the server answered as it was, with
    /// text, details and cause; any other error as this handler's own.
    #[must_use]
    pub fn passed_on(self) -> Failure {
        match &*self.0 {
            Kind::Status(status, added) => {
                Failure::passed_on(*status, added.as_deref().cloned().unwrap_or_default())
            }
            _ => self.into(),
        }
    }

    pub(crate) fn answered(status: Status, added: Option<Box<ResponseFields>>) -> Self {
        match status {
            Status::SUBMITTED => Kind::Submitted.into(),
            status => Kind::Status(status, added).into(),
        }
    }

    /// The response to a call that asks for a stream, if it opens one.
    pub(super) fn unless_opened(response: Response) -> Result<Response, Self> {
        match response.part() {
            Some(_) => Ok(response),
            None if response.status == Status::SUCCESS => Err(Kind::NoStream.into()),
            None => Err(CallError::answered(response.status, response.added)),
        }
    }

    pub(crate) fn payload(failure: Failure) -> Self {
        Kind::Payload(failure.into()).into()
    }
}

/// For a [`Caller`](crate::Caller) of one's own.
///
/// ```
/// use std::io;
///
/// use drpc::{CallError, CallErrorKind, ConnectError};
///
/// let refused = ConnectError::remote("https://host-3:7443", io::ErrorKind::ConnectionRefused.into());
/// assert!(CallError::from(refused).is_retryable());
///
/// let broken = CallError::broken_off(io::ErrorKind::ConnectionReset.into());
/// assert_eq!(broken.kind(), CallErrorKind::Disconnected);
/// assert!(!broken.is_retryable());
/// ```
impl CallError {
    /// The connection broke while the call was in flight, so that it may have been executed.
    #[must_use]
    pub fn broken_off(cause: io::Error) -> Self {
        CallError::disconnected(Arc::new(cause.into()))
    }

    /// No reply came within that time, so that the call may have been executed.
    #[must_use]
    pub fn timeout(after: Duration) -> Self {
        Kind::Timeout(after).into()
    }

    /// The server takes no more of what the caller sends.
    #[must_use]
    pub fn not_taken() -> Self {
        Kind::NotTaken.into()
    }

    /// The request has more bytes than may be sent; nothing was.
    #[must_use]
    pub fn too_long(bytes: usize, limit: usize) -> Self {
        MessageTooLong::new(bytes, limit).into()
    }
}

impl CallError {
    /// The connection was no more before the call was sent (C3).
    pub(super) fn not_connected(cause: Arc<Disconnect>) -> Self {
        Kind::NotConnected(cause).into()
    }

    /// The connection broke after the call was sent (C7).
    pub(super) fn disconnected(cause: Arc<Disconnect>) -> Self {
        Kind::Disconnected(cause).into()
    }

    /// The connection broke before all of the call was sent, so that no server can have read it.
    pub(super) fn unfinished(cause: Arc<Disconnect>) -> Self {
        Kind::Unfinished(cause).into()
    }

    /// Nothing came of a stream for so long.
    pub(super) fn stalled(after: Duration) -> Self {
        Kind::Stalled(after).into()
    }

    /// The time was over before anything was sent.
    pub(super) fn unsent(after: Duration) -> Self {
        Kind::Unsent(after).into()
    }

    pub(super) fn descriptors(fault: DescriptorFault) -> Self {
        Kind::Descriptors(fault).into()
    }

    /// The same error of a stream's item, of which the call has been sent.
    pub(super) fn of_item(self) -> Self {
        match *self.0 {
            Kind::TooLong(error) => Kind::ItemTooLong(error).into(),
            _ => self,
        }
    }

    /// Whether the call was certainly not executed, be it that the reason may pass or not.
    pub(super) fn was_not_executed(&self) -> bool {
        match &*self.0 {
            Kind::Descriptors(fault) => fault.is_unsent(),
            Kind::Connect(_)
            | Kind::NotConnected(_)
            | Kind::Unfinished(_)
            | Kind::Unsent(_)
            | Kind::TooLong(_) => true,
            Kind::Disconnected(_)
            | Kind::Timeout(_)
            | Kind::ItemTooLong(_)
            | Kind::Status(..)
            | Kind::Submitted
            | Kind::NoStream
            | Kind::Stalled(_)
            | Kind::NotTaken
            | Kind::Payload(_) => false,
        }
    }

    /// Why the connection was no more before the call was sent.
    pub(super) fn not_connected_because(&self) -> Option<&Arc<Disconnect>> {
        match &*self.0 {
            Kind::NotConnected(cause) => Some(cause),
            _ => None,
        }
    }

    /// Whether the server went while the call was under way: it may have been executed, and another try may succeed.
    pub(super) fn is_broken_off(&self) -> bool {
        match &*self.0 {
            Kind::Disconnected(cause) => matches!(**cause, Disconnect::ByPeer | Disconnect::Io(_)),
            _ => false,
        }
    }
}

impl From<Kind> for CallError {
    fn from(kind: Kind) -> Self {
        CallError(Box::new(kind))
    }
}

impl From<ConnectError> for CallError {
    fn from(error: ConnectError) -> Self {
        Kind::Connect(error.into()).into()
    }
}

impl From<MessageTooLong> for CallError {
    fn from(error: MessageTooLong) -> Self {
        Kind::TooLong(error).into()
    }
}

/// `CallError { kind: Disconnected, text: "…", source: … }`: status, cause and source as far as there are any.
impl fmt::Debug for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("CallError");
        debug.field("kind", &self.kind());
        if let Some(status) = self.status() {
            debug.field("status", &format_args!("{status}"));
        }
        if let Some(cause) = self.failure_cause() {
            debug.field("cause", &cause);
        }
        debug.field("text", &format_args!("\"{self}\""));
        if let Some(source) = self.source() {
            debug.field("source", &source);
        }
        debug.finish()
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Connect(error) => write!(f, "{error}"),
            Kind::NotConnected(cause) => match **cause {
                Disconnect::Closed | Disconnect::Runtime => {
                    write!(f, "not connected: {cause}; connect again first")
                }
                _ => write!(
                    f,
                    "not connected: {cause}; nothing was sent; connect again, and see the server's log if that does not help"
                ),
            },
            Kind::Disconnected(cause) => match **cause {
                Disconnect::Undecodable(_) => write!(f, "{cause}"),
                Disconnect::ByPeer => write!(
                    f,
                    "{cause} and did not answer; the call may have been executed; the server's log says why, if it lives"
                ),
                _ => write!(f, "{cause}; the call may have been executed"),
            },
            Kind::Unfinished(cause) => {
                write!(f, "{cause} before all of the call was sent; it was not executed")
            }
            Kind::Timeout(after) => {
                write!(f, "no reply came within {after:?}; the call may have been executed")
            }
            Kind::Stalled(after) => {
                write!(f, "the stream gave nothing within {after:?}, nor room for more, and was given up")
            }
            Kind::NotTaken => f.write_str(
                "the server takes no more items: its handler has answered, or has stopped taking them; `finish` gives the answer",
            ),
            Kind::NoStream => f.write_str(
                "the server answered at once, and not by a stream: it does not know streams of this kind; the call was executed",
            ),
            Kind::Unsent(Duration::ZERO) => {
                f.write_str("the time was over before the call was made; it was not executed")
            }
            Kind::Unsent(after) => write!(
                f,
                "the call could not be sent within {after:?} and was not executed: the server took no new connection or read no more, \
                 or all connections were in use; give the call more time, or the client more connections"
            ),
            Kind::Status(status, _) => {
                write!(f, "the server answered {status}")?;
                match self.peer_text() {
                    Some(text) => write!(f, ": {}", Escaped(text)),
                    None if *status == Status::FAILURE => write!(
                        f,
                        ": {}; its text is in the server's log, and comes to clients that ask by `AddedFields::ERROR`",
                        status.description()
                    ),
                    None if status.name().is_some() => write!(f, ": {}", status.description()),
                    None => Ok(()),
                }
            }
            Kind::Submitted => f.write_str("the call was submitted, and there is no reply to it"),
            Kind::Payload(_) => f.write_str("the reply's body is not what the method replies"),
            Kind::TooLong(error) => write!(f, "can't send the call: {error}"),
            Kind::ItemTooLong(error) => {
                write!(f, "can't send an item of the stream: {error}; send it in shorter ones")
            }
            Kind::Descriptors(fault) => write!(f, "{fault}"),
        }
    }
}

impl Error for CallError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &*self.0 {
            Kind::Connect(error) => error.source(),
            Kind::NotConnected(cause) | Kind::Disconnected(cause) | Kind::Unfinished(cause) => cause.source(),
            Kind::Payload(failure) => failure.source(),
            _ => None,
        }
    }
}

/// Why a connection is no more: told to every call that waited on it (C7).
#[derive(Debug)]
pub(crate) enum Disconnect {
    /// This side closed it.
    Closed,
    /// The server closed it.
    ByPeer,
    /// What the server sent is not of this wire.
    Frame(FrameError),
    /// What the server sent is no response.
    Undecodable(EnvelopeError),
    Io(io::Error),
    /// The server sent parts of a stream that nobody asked for, or more of one than there was room for.
    Overrun,
    /// The runtime that the connection lived on is gone.
    Runtime,
}

impl Disconnect {
    /// Whether it may be otherwise on another connection.
    fn may_pass(&self) -> bool {
        match self {
            Disconnect::Closed | Disconnect::Runtime => false,
            Disconnect::Io(error) => !is_too_small(error),
            _ => true,
        }
    }
}

/// Whether the host's buffers are too small for a packet.
fn is_too_small(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::MSGSIZE)
}

impl fmt::Display for Disconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Disconnect::Closed => f.write_str("the connection was closed by this client"),
            Disconnect::ByPeer => f.write_str("the server closed the connection"),
            Disconnect::Frame(error) => write!(f, "the server broke the wire's rules: {error}"),
            Disconnect::Undecodable(error) => {
                write!(f, "the server sent something else than a response: {error}")
            }
            Disconnect::Io(error) if is_too_small(error) => write!(
                f,
                "the connection failed: {error}: this host lets no socket send so long a packet; raise the sysctl net.core.wmem_max"
            ),
            Disconnect::Io(error) => write!(f, "the connection failed: {error}"),
            Disconnect::Overrun => f.write_str(
                "the server sent more of a stream than it was asked for, and the connection was closed",
            ),
            Disconnect::Runtime => f.write_str("the runtime that the connection was made on has stopped"),
        }
    }
}

impl Error for Disconnect {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Disconnect::Frame(error) => Some(error),
            Disconnect::Undecodable(error) => Some(error),
            Disconnect::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<FrameError> for Disconnect {
    fn from(error: FrameError) -> Self {
        Disconnect::Frame(error)
    }
}

impl From<EnvelopeError> for Disconnect {
    fn from(error: EnvelopeError) -> Self {
        Disconnect::Undecodable(error)
    }
}

impl From<io::Error> for Disconnect {
    fn from(error: io::Error) -> Self {
        if is_peer_gone(&error) { Disconnect::ByPeer } else { Disconnect::Io(error) }
    }
}

/// Why no connection could be made: the path, the system's error, and what to do ([C8](crate::guide::rules#client)).
///
/// Its `Debug` form is its text too, since a `main` that returns it prints that.
///
/// ```
/// use drpc::blocking::Client;
///
/// let error = Client::connect("/run/no-such.sock").unwrap_err();
/// assert_eq!(error.path(), std::path::Path::new("/run/no-such.sock"));
/// assert_eq!(error.raw_os_error(), Some(2)); // ENOENT
/// ```
pub struct ConnectError {
    path: PathBuf,
    cause: ConnectCause,
}

#[derive(Debug)]
enum ConnectCause {
    /// The path, or the abstract name, is empty.
    EmptyPath,
    NulInPath,
    /// There is no tokio runtime for an async client.
    NoRuntime,
    /// An async client, or one in steps, was made before this process was forked.
    Forked,
    /// Something else than a socket is at the path.
    NotASocket(io::Error),
    /// A socket of another type is there.
    OtherType(io::Error, SocketType),
    Io(io::Error),
    /// Of an address on a network.
    Network(io::Error),
    PathTooLong(usize),
    Timeout(Duration),
    Probe(Disconnect),
    /// The client was closed meanwhile.
    Closed,
    /// Somebody else serves there than the client demands.
    OtherServer(Box<(PeerCredentials, Allow)>),
}

impl ConnectError {
    pub(crate) fn io(path: &Path, cause: io::Error) -> Self {
        // The system refuses a connection to a regular file in the same words as to a dead socket.
        let other_file = abstract_name(path).is_none()
            && std::fs::metadata(path).is_ok_and(|file| !file.file_type().is_socket());
        let cause = match Errno::from_io_error(&cause) {
            _ if other_file => ConnectCause::NotASocket(cause),
            Some(Errno::PROTOTYPE) => ConnectCause::OtherType(cause, SocketType::found_at(path)),
            _ => ConnectCause::Io(cause),
        };
        ConnectError { path: path.to_owned(), cause }
    }

    /// An address on a network can't be reached, for a [`Caller`](crate::Caller) of one's own.
    ///
    /// The call is [retryable](CallError::is_retryable) if the cause's kind says that the server is not there or not yet.
    #[must_use]
    pub fn remote(address: &str, cause: io::Error) -> Self {
        ConnectError { path: address.into(), cause: ConnectCause::Network(cause) }
    }

    #[cfg(any(feature = "client", feature = "progress"))]
    pub(super) fn no_runtime(path: &Path) -> Self {
        ConnectError { path: path.to_owned(), cause: ConnectCause::NoRuntime }
    }

    #[cfg(any(feature = "client", feature = "progress"))]
    pub(super) fn forked(path: &Path) -> Self {
        ConnectError { path: path.to_owned(), cause: ConnectCause::Forked }
    }

    /// A blocking client was to connect to what answers in memory.
    pub(super) fn no_socket(path: &Path) -> Self {
        let cause = "a blocking client needs a socket; connect an async one, or bind the server";
        Self::io(path, io::Error::new(io::ErrorKind::Unsupported, cause))
    }

    pub(super) fn empty_path(path: &Path) -> Self {
        ConnectError { path: path.to_owned(), cause: ConnectCause::EmptyPath }
    }

    pub(super) fn nul_in_path(path: &Path) -> Self {
        ConnectError { path: path.to_owned(), cause: ConnectCause::NulInPath }
    }

    /// The socket to connect to, or the address.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the server did not accept the connection in time.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self.cause, ConnectCause::Timeout(_))
    }

    /// The system's error number, if the system refused.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        match &self.cause {
            ConnectCause::Io(cause)
            | ConnectCause::Network(cause)
            | ConnectCause::NotASocket(cause)
            | ConnectCause::OtherType(cause, _) => cause.raw_os_error(),
            _ => None,
        }
    }
}

impl ConnectError {
    /// Whether the server may yet come: it is not there, or does not listen, or is just starting or stopping.
    pub(super) fn may_pass(&self) -> bool {
        match &self.cause {
            ConnectCause::Io(cause) => {
                matches!(
                    Errno::from_io_error(cause),
                    Some(Errno::NOENT | Errno::CONNREFUSED | Errno::CONNRESET)
                )
            }
            ConnectCause::Network(cause) => matches!(
                cause.kind(),
                io::ErrorKind::ConnectionRefused
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::HostUnreachable
                    | io::ErrorKind::NetworkUnreachable
                    | io::ErrorKind::TimedOut
            ),
            ConnectCause::Timeout(_) | ConnectCause::Probe(Disconnect::ByPeer) => true,
            _ => false,
        }
    }

    pub(super) fn path_too_long(path: &Path) -> Self {
        ConnectError { path: path.to_owned(), cause: ConnectCause::PathTooLong(name_len(path)) }
    }

    pub(super) fn timeout(path: &Path, after: Duration) -> Self {
        ConnectError { path: path.to_owned(), cause: ConnectCause::Timeout(after) }
    }

    pub(super) fn other_server(path: &Path, server: PeerCredentials, allowed: Allow) -> Self {
        ConnectError { path: path.to_owned(), cause: ConnectCause::OtherServer(Box::new((server, allowed))) }
    }

    pub(super) fn probe(path: &Path, cause: Disconnect) -> Self {
        ConnectError { path: path.to_owned(), cause: ConnectCause::Probe(cause) }
    }

    pub(super) fn closed(path: &Path) -> Self {
        ConnectError { path: path.to_owned(), cause: ConnectCause::Closed }
    }
}

impl fmt::Debug for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            ConnectCause::EmptyPath if abstract_name(&self.path).is_none() => {
                return f.write_str("can't connect to an empty path: give the path of the server's socket");
            }
            // So that it can be seen.
            ConnectCause::NulInPath => write!(f, "can't connect to {:?}: ", self.path)?,
            _ => write!(f, "can't connect to {}: ", self.path.display())?,
        }
        match &self.cause {
            ConnectCause::EmptyPath => f.write_str("the abstract name is empty: give the name after the @"),
            ConnectCause::NulInPath => f.write_str("a path can't contain a NUL byte"),
            ConnectCause::Closed => f.write_str("the client was closed meanwhile; connect again"),
            ConnectCause::NoRuntime => f.write_str(
                "there is no tokio runtime here; connect within one (`#[tokio::main]`, or `Runtime::block_on`), or take \
                 `drpc::blocking::Client`, which needs none",
            ),
            ConnectCause::Forked => f.write_str(
                "the client was made in another process, from which this one was forked; make one of its own here, or take \
                 `drpc::blocking::Client`, which notices",
            ),
            ConnectCause::OtherType(cause, found) => {
                write!(f, "{cause}; a {found} socket is there, not dRPC's SOCK_SEQPACKET")
            }
            ConnectCause::NotASocket(cause) => write!(f, "{cause}; what is there is not a socket"),
            ConnectCause::Io(cause) => {
                write!(f, "{cause}")?;
                match Errno::from_io_error(cause) {
                    Some(Errno::NOENT) => f.write_str("; is the server started, and the path right?"),
                    Some(Errno::CONNREFUSED) if abstract_name(&self.path).is_some() => {
                        f.write_str("; is the server started, in this network namespace, and the name right?")
                    }
                    Some(Errno::CONNREFUSED) => f.write_str(
                        "; nobody listens there: the socket file is stale, start the server again",
                    ),
                    Some(Errno::ACCESS) => f.write_str(
                        "; run as a user whom the socket's mode lets in, or open its mode at the server",
                    ),
                    _ => Ok(()),
                }
            }
            ConnectCause::Network(cause) => {
                write!(f, "{cause}")?;
                match cause.kind() {
                    io::ErrorKind::ConnectionRefused => {
                        f.write_str("; nobody listens there: is the server started, and the port right?")
                    }
                    _ => Ok(()),
                }
            }
            ConnectCause::PathTooLong(len) => {
                write!(
                    f,
                    "the {what} is {len} bytes long, and a socket's {what} is at most {}",
                    crate::transport::MAX_PATH,
                    what = if abstract_name(&self.path).is_some() { "name" } else { "path" }
                )
            }
            ConnectCause::OtherServer(other) => {
                let (server, allowed) = &**other;
                write!(
                    f,
                    "it is served by {server}, and this client takes {allowed} for its server; somebody else may have taken the \
                     path: see who that is, or change what `ClientBuilder::server` demands"
                )
            }
            ConnectCause::Timeout(after) => {
                write!(
                    f,
                    "the server did not take the connection within {after:?}; it may be stuck or overloaded"
                )
            }
            ConnectCause::Probe(cause) => {
                write!(f, "could not find out which wire the server speaks: {cause}")
            }
        }
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.cause {
            ConnectCause::Io(cause)
            | ConnectCause::Network(cause)
            | ConnectCause::NotASocket(cause)
            | ConnectCause::OtherType(cause, _) => Some(cause),
            ConnectCause::Probe(cause) => cause.source(),
            _ => None,
        }
    }
}

/// The type of a socket that is not dRPC's.
#[derive(Clone, Copy, Debug)]
enum SocketType {
    Stream,
    Datagram,
}

impl SocketType {
    /// Which of the two it is: who receives datagrams does not notice who only connects.
    fn found_at(path: &Path) -> Self {
        let connect = |socket: UnixDatagram| match abstract_name(path) {
            Some(name) => socket.connect_addr(&SocketAddr::from_abstract_name(name)?),
            None => socket.connect(path),
        };
        match UnixDatagram::unbound().and_then(connect) {
            Ok(()) => SocketType::Datagram,
            Err(_) => SocketType::Stream,
        }
    }
}

impl fmt::Display for SocketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SocketType::Stream => "stream",
            SocketType::Datagram => "datagram",
        })
    }
}

/// For a handler that calls another server.
impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Failure::from_error(error)
    }
}

/// For a handler that calls another server.
impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        Failure::from_error(error)
    }
}
