use std::fmt;

/// Why the server answered a call with a failure. DAOS's statuses don't tell these apart: all of them are FAILURE.
///
/// A client that asks, by [`AddedFields::ERROR`](crate::AddedFields::ERROR), finds it in
/// [`CallError::failure_cause`](crate::CallError::failure_cause) ([E5](crate::guide::rules#envelope)).
///
/// ```
/// use drpc::{CallError, FailureCause};
///
/// fn advice(error: &CallError) -> &'static str {
///     match error.failure_cause() {
///         Some(FailureCause::Denied) => "ask the operator for access",
///         Some(FailureCause::TimedOut) => "try again with more time",
///         Some(FailureCause::Panicked) => "report a bug",
///         _ => "read the error's text",
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureCause {
    /// The handler returned an error, or could not read its request, as the status says.
    Handler,
    /// A rule of the server does not allow the caller to call this: the handler did not run.
    Denied,
    /// The handler panicked ([S10](crate::guide::rules#server)), or a layer around it: a mistake in the server.
    Panicked,
    /// The handler's time was over before it was done, by its own limit, its server's, or its caller's.
    TimedOut,
}

impl FailureCause {
    const ALL: [FailureCause; 4] =
        [FailureCause::Handler, FailureCause::Denied, FailureCause::Panicked, FailureCause::TimedOut];

    /// The number on the wire.
    pub(super) fn code(self) -> i32 {
        match self {
            FailureCause::Handler => 1,
            FailureCause::Denied => 2,
            FailureCause::Panicked => 3,
            FailureCause::TimedOut => 4,
        }
    }

    /// The cause of a number, if this side knows it.
    pub(super) fn from_code(code: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.code() == code)
    }
}

impl fmt::Display for FailureCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            FailureCause::Handler => "handler",
            FailureCause::Denied => "denied",
            FailureCause::Panicked => "panicked",
            FailureCause::TimedOut => "timed out",
        })
    }
}
