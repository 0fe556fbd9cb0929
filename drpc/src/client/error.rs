//! Why a call has no reply, or a connection could not be made, and what to do.

mod connect;
mod disconnect;

pub use self::connect::ConnectError;
pub(crate) use self::disconnect::Disconnect;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use super::descriptors::DescriptorFault;
use crate::handler::details::Details;
use crate::handler::failure::{Escaped, Failure};
use crate::wire::{FailureCause, MessageTooLong, Response, ResponseFields, Status};

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

/// For a handler that calls another server.
impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Failure::from_error(error)
    }
}
