use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io;

use crate::wire::Status;
use crate::{CallError, ConnectError};

/// Why a call was not carried out: what a handler returns in place of a reply, and what a server answers.
///
/// Only its [`status`](Self::status) travels (E4). The message and the source go to the server's log.
///
/// A handler may return any error that converts into a `Failure`. An error type of your own needs one line:
///
/// ```
/// use drpc::{Failure, Status};
///
/// #[derive(Debug)]
/// enum PoolError { NoSuchPool(String) }
///
/// impl From<PoolError> for Failure {
///     fn from(error: PoolError) -> Failure {
///         match error {
///             PoolError::NoSuchPool(name) => Failure::with_message(Status::FAILURE, format!("no pool {name}")),
///         }
///     }
/// }
///
/// fn handler() -> Result<(), Failure> {
///     Err(PoolError::NoSuchPool("tank".into()))?
/// }
/// assert_eq!(handler().unwrap_err().to_string(), "no pool tank");
/// ```
#[derive(Debug)]
pub struct Failure {
    /// Never SUCCESS.
    status: Status,
    message: Cow<'static, str>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// A failure with DAOS's text for its status (D5).
    ///
    /// [`Status::SUCCESS`] is no failure and becomes [`Status::FAILURE`].
    #[must_use]
    pub fn new(status: Status) -> Self {
        let status = if status.is_success() { Status::FAILURE } else { status };
        Failure { status, message: Cow::Borrowed(status.description()), source: None }
    }

    /// A failure with a text of its own, for the log.
    #[must_use]
    pub fn with_message(status: Status, message: impl Into<Cow<'static, str>>) -> Self {
        Failure { message: message.into(), ..Failure::new(status) }
    }

    /// Any error as a failure. A `Failure` anywhere among its sources gives the status; else it is FAILURE (D4).
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
        let status = status_within(&*error).unwrap_or(Status::FAILURE);
        Failure { status, message: error.to_string().into(), source: Some(error) }
    }

    /// No module of the server has the ID (D2).
    #[must_use]
    pub fn unknown_module() -> Self {
        Failure::new(Status::UNKNOWN_MODULE)
    }

    /// The module has no method of the ID (D2).
    #[must_use]
    pub fn unknown_method() -> Self {
        Failure::new(Status::UNKNOWN_METHOD)
    }

    /// The body is not the method's request (D4).
    #[must_use]
    pub fn unmarshal_payload(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Failure { source: Some(cause.into()), ..Failure::new(Status::FAILED_UNMARSHAL_PAYLOAD) }
    }

    /// The reply can't be marshalled or sent (D4).
    #[must_use]
    pub fn marshal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Failure { source: Some(cause.into()), ..Failure::new(Status::FAILED_MARSHAL) }
    }

    /// What the caller is told.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }
}

/// The status of the first `Failure` in the chain of sources. (Go loses it.)
fn status_within(error: &(dyn Error + 'static)) -> Option<Status> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(failure) = error.downcast_ref::<Failure>() {
            return Some(failure.status);
        }
        // An io::Error is transparent: its source() skips the error that it holds.
        if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            return status_within(inner);
        }
        next = error.source();
    }
    None
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.message.is_empty() { "no failure" } else { &self.message })
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

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Failure::with_message(Status::FAILURE, message)
    }
}

impl From<&'static str> for Failure {
    fn from(message: &'static str) -> Self {
        Failure::with_message(Status::FAILURE, message)
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
    fn a_wrapped_failure_keeps_its_status() {
        // D4, Ours.
        let deep = io::Error::other(Wrapper(Failure::unknown_module()));
        let failure = Failure::from_error(deep);
        assert_eq!(failure.status(), Status::UNKNOWN_MODULE);
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
        assert_eq!(Failure::new(Status::SUCCESS).status(), Status::FAILURE);
    }
}
