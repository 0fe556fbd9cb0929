pub(crate) mod guard;

use std::borrow::Cow;
use std::error::Error;
use std::fmt::{self, Write};
use std::io;

use bytes::Bytes;

use crate::handler::details::Details;
use crate::wire::{FailureCause, ResponseFields, Status, beginning};

/// Why a call failed: what a handler returns instead of a reply.
///
/// **By default only its [`status`](Self::status) travels**, as between DAOS's peers ([E4](crate::guide::rules#envelope)). A client that asks, by
/// [`AddedFields::ERROR`](crate::AddedFields::ERROR), also receives its text, as `to_string` gives it, and its [details](Self::with_details) ([E5](crate::guide::rules#envelope)). Its source
/// only goes to the server's log, so that is the place for what callers must not see.
///
/// A handler may return any error type, which then becomes a `Failure`: `anyhow::Error`, `Box<dyn Error>`, a `String`, a type of your own. Its status is FAILURE,
/// unless there is a `Failure` among its sources ([D4](crate::guide::rules#dispatch)) or the type derives this, with or without `thiserror`:
///
/// ```
/// use drpc::{Failure, Status};
///
/// #[derive(Debug, thiserror::Error, drpc::Failure)]
/// enum PoolError {
///     #[error("no pool {0}")]
///     #[failure(status = UNKNOWN_METHOD)] // without it, as above
///     NoSuchPool(String),
///     #[error("{0} is full")]
///     Full(String),
///     #[error("the disk")]
///     #[failure(local)] // callers are told status and text alone
///     Disk(#[from] std::io::Error),
/// }
///
/// let failure = Failure::from(PoolError::NoSuchPool("tank".into()));
/// assert_eq!(failure.to_string(), "no pool tank");
/// assert_eq!(failure.status(), Status::UNKNOWN_METHOD);
/// ```
///
/// A client that asks and knows the type gets the variant back: `error.details::<PoolError>()`. See [the chapter](crate::guide::errors).
#[derive(Debug)]
pub struct Failure {
    /// Always a failure.
    status: Status,
    message: Cow<'static, str>,
    source: Option<Box<dyn Error + Send + Sync>>,
    /// Marshalled. In a box, since there are seldom any.
    details: Option<Box<Bytes>>,
    /// Who failed, once that is known.
    cause: Option<FailureCause>,
}

impl Failure {
    /// A failure with DAOS's text for its status ([D5](crate::guide::rules#dispatch)).
    ///
    /// [`Status::SUCCESS`] and [`Status::SUBMITTED`] are not failures and become [`Status::FAILURE`].
    #[must_use]
    pub fn new(status: Status) -> Self {
        let status = if status.is_failure() { status } else { Status::FAILURE };
        Failure {
            status,
            message: Cow::Borrowed(status.description()),
            source: None,
            details: None,
            cause: None,
        }
    }

    /// A failure with its own text, for the log and for a caller that asks for it.
    #[must_use]
    pub fn with_message(status: Status, message: impl Into<Cow<'static, str>>) -> Self {
        Failure { message: message.into(), ..Failure::new(status) }
    }

    /// Any error as a failure. A `Failure` anywhere among its sources gives the status, and its details; else it is FAILURE ([D4](crate::guide::rules#dispatch)).
    ///
    /// ```
    /// use drpc::{Failure, Status};
    ///
    /// let inner = Failure::new(Status::UNKNOWN_METHOD);
    /// let wrapped = std::io::Error::other(inner);
    /// assert_eq!(Failure::from_error(wrapped).status(), Status::UNKNOWN_METHOD);
    /// ```
    #[must_use]
    pub fn from_error(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let error = match error.into().downcast::<Failure>() {
            Ok(failure) => return *failure,
            Err(error) => error,
        };
        let (status, details) = match failure_within(&*error) {
            Some(failure) => (failure.status, failure.details.clone()),
            None => (Status::FAILURE, None),
        };
        Failure { status, message: error.to_string().into(), source: Some(error), details, cause: None }
    }

    /// An error that becomes one which hides what it holds: what can be seen of it by reference tells its status.
    pub(crate) fn from_held<E>(error: E) -> Self
    where
        E: AsRef<dyn Error + 'static> + Into<Box<dyn Error + Send + Sync>>,
    {
        let held = error.as_ref();
        match failure_within(held) {
            Some(failure) if std::ptr::addr_eq(failure, held) => Failure::read_from(held),
            Some(failure) => {
                let Failure { status, details, .. } = failure;
                let (status, details) = (*status, details.clone());
                Failure { status, details, ..Failure::from_error(error) }
            }
            None => Failure::from_error(error),
        }
    }

    /// An error that can't be kept: its status and details, and its text and those of its sources.
    pub(crate) fn read_from(error: &(dyn Error + 'static)) -> Self {
        let (status, details) = match failure_within(error) {
            Some(failure) => (failure.status, failure.details.clone()),
            None => (Status::FAILURE, None),
        };
        let mut texts: Vec<_> = chain(error).map(ToString::to_string).collect();
        let message = texts.remove(0).into();
        let source = texts.into_iter().rev().fold(None, |source, text| Some(Box::new(Text { text, source })));
        Failure { status, message, source: source.map(|source| source as _), details, cause: None }
    }

    /// Attaches a message that tells a caller more than a text can, such as which quota was exceeded and by how much. A caller that asks for it
    /// ([E5](crate::guide::rules#envelope)) reads it with [`CallError::details`](crate::CallError::details).
    ///
    /// It is at most 64 KiB ([`ResponseFields::MAX_DETAILS`]), and left out if it is longer.
    ///
    /// ```
    /// # #[derive(Clone, PartialEq, prost::Message)] struct NotLeader { #[prost(string, tag = "1")] leader: String }
    /// use drpc::Failure;
    ///
    /// let failure = Failure::from("not the leader").with_details(NotLeader { leader: "host-3".into() });
    /// assert_eq!(failure.to_string(), "not the leader");
    /// ```
    #[must_use]
    pub fn with_details(self, details: impl Details) -> Self {
        Failure { details: details.to_details().map(Box::new), ..self }
    }

    /// The failure of an error type of one's own, where that says more of it.
    #[doc(hidden)]
    #[must_use]
    pub fn stating(self, status: Option<Status>, details: Option<Bytes>) -> Self {
        Failure {
            status: status.filter(|status| status.is_failure()).unwrap_or(self.status),
            details: details.map(Box::new).or(self.details),
            ..self
        }
    }

    /// What another server answered a call with, to be passed on as it is: for a module that forwards its calls.
    ///
    /// ```
    /// use drpc::{Failure, Status, wire::ResponseFields};
    ///
    /// let failure = Failure::passed_on(Status::FAILURE, ResponseFields::new("no pool tank", "".into()));
    /// assert_eq!(failure.to_string(), "no pool tank");
    /// ```
    #[must_use]
    pub fn passed_on(status: Status, fields: ResponseFields) -> Self {
        let ResponseFields { error, details, cause, .. } = fields;
        let failure =
            if error.is_empty() { Failure::new(status) } else { Failure::with_message(status, error) };
        Failure { details: (!details.is_empty()).then(|| details.into()), cause, ..failure }
    }

    /// The server has no module with this ID ([D2](crate::guide::rules#dispatch)).
    #[must_use]
    pub fn unknown_module() -> Self {
        Failure::new(Status::UNKNOWN_MODULE)
    }

    /// The module has no method with this ID ([D2](crate::guide::rules#dispatch)).
    #[must_use]
    pub fn unknown_method() -> Self {
        Failure::new(Status::UNKNOWN_METHOD)
    }

    /// The body is not a valid request of the method ([D4](crate::guide::rules#dispatch)).
    #[must_use]
    pub fn unmarshal_payload(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Failure { source: Some(cause.into()), ..Failure::new(Status::FAILED_UNMARSHAL_PAYLOAD) }
    }

    /// The reply can't be marshalled or sent ([D4](crate::guide::rules#dispatch)).
    #[must_use]
    pub fn marshal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Failure { source: Some(cause.into()), ..Failure::new(Status::FAILED_MARSHAL) }
    }

    /// The handler panicked (S10), or one of the layers around it if there are any. What the panic says is for the log: it may show
    /// what no caller is meant to see, so it is a source, which does not travel (E5).
    pub(crate) fn panicked(text: String, layered: bool) -> Self {
        let who =
            if layered { "the handler, or a layer around it, panicked" } else { "the handler panicked" };
        let failure = Failure { source: Some(text.into()), ..Failure::with_message(Status::FAILURE, who) };
        failure.caused_by(FailureCause::Panicked)
    }

    /// The failure, with who failed; the first that is said stays.
    pub(crate) fn caused_by(self, cause: FailureCause) -> Self {
        Failure { cause: self.cause.or(Some(cause)), ..self }
    }

    /// Whether the call was bad: it can't be read, is of nothing that there is, or is not allowed its caller.
    pub(crate) fn is_of_a_bad_call(&self) -> bool {
        self.cause == Some(FailureCause::Denied)
            || matches!(
                self.status,
                Status::UNKNOWN_MODULE | Status::UNKNOWN_METHOD | Status::FAILED_UNMARSHAL_PAYLOAD
            )
    }

    /// What every caller is told.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// What a caller is told beside it that asks for more (E5).
    pub(crate) fn as_fields(&self) -> ResponseFields {
        let details = self.details.as_deref().cloned().unwrap_or_default();
        ResponseFields { cause: self.cause, ..ResponseFields::new(self.to_string(), details) }
    }
}

/// What an error said that could not be kept.
#[derive(Debug)]
struct Text {
    text: String,
    source: Option<Box<Text>>,
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Text {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// A stranger's text, fit for a line of a log or a terminal.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl Escaped<'_> {
    /// How much of it is shown, in bytes.
    const SHOWN: usize = ResponseFields::MAX_ERROR;
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = beginning(self.0, Self::SHOWN);
        shown.chars().try_for_each(|char| match char.is_control() {
            true => write!(f, "{}", char.escape_default()),
            false => f.write_char(char),
        })?;
        if shown.len() < self.0.len() { f.write_str("…") } else { Ok(()) }
    }
}

/// The first `Failure` in the chain of sources. (Go loses its status.)
fn failure_within<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Failure> {
    chain(error).find_map(<dyn Error>::downcast_ref)
}

/// An error, its source, the source of that, and so on.
pub(crate) fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    /// More than any error has that does not go round in a circle.
    const LONGEST: usize = 100;
    std::iter::successors(Some(error), |&error| {
        // An io::Error is transparent: its source() skips the error that it holds.
        let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        held.map(|held| held as _).or_else(|| error.source())
    })
    .take(LONGEST)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Failure::new(status)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::from_error(error)
    }
}

impl From<Box<dyn Error + Send + Sync>> for Failure {
    fn from(error: Box<dyn Error + Send + Sync>) -> Self {
        Failure::from_error(error)
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Failure::with_message(Status::FAILURE, message)
    }
}

impl From<&str> for Failure {
    fn from(message: &str) -> Self {
        Failure::with_message(Status::FAILURE, message.to_owned())
    }
}

impl From<std::convert::Infallible> for Failure {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Wrapper(Failure);

    impl fmt::Display for Wrapper {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("wrapped")
        }
    }

    impl Error for Wrapper {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn a_wrapped_failure_keeps_its_status_and_details() {
        // D4, Ours, and E5.
        let inner = Failure::unknown_module().with_details(Bytes::from("details"));
        let failure = Failure::from_error(io::Error::other(Wrapper(inner)));
        assert_eq!(failure.status(), Status::UNKNOWN_MODULE);
        assert_eq!(failure.as_fields(), ResponseFields::new("wrapped", "details".into()));
        assert_eq!(failure.to_string(), "wrapped");
    }

    #[test]
    fn any_other_error_is_a_failure() {
        // D4.
        assert_eq!(Failure::from_error("oh").status(), Status::FAILURE);
        assert_eq!(Failure::from(io::Error::other("oh")).status(), Status::FAILURE);
    }

    #[test]
    fn success_is_no_failure() {
        for status in [Status::SUCCESS, Status::SUBMITTED] {
            assert_eq!(Failure::new(status).status(), Status::FAILURE);
        }
    }
}
