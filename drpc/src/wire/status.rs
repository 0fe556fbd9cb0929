use std::fmt;

/// The high-level status of a [`Response`](super::Response) ([E3](crate::guide::rules#envelope)).
///
/// DAOS defines the numbers 0 to 7. Any other number that a peer sends is kept as it came, shown as
/// `unknown status 42`, and counts as a failure.
///
/// # Example
///
/// ```
/// use drpc::Status;
///
/// assert_eq!(Status::FAILURE.to_string(), "FAILURE");
/// assert_eq!(Status::from(3), Status::UNKNOWN_MODULE);
/// assert!(!Status::from(42).is_success());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Status(i32);

/// The one table of DAOS's statuses: number, name, and the text that describes it (D5).
macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $description:expr;)*) => {
        impl Status {
            $($(#[$doc])* pub const $name: Status = Status($code);)*

            /// The name in DAOS's protocol, or `None` for a number that DAOS does not define.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 { $($code => Some(stringify!($name)),)* _ => None }
            }

            /// DAOS's text for the status (D5); empty for [`SUCCESS`](Self::SUCCESS) and
            /// [`SUBMITTED`](Self::SUBMITTED).
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self.0 { $($code => $description,)* _ => UNKNOWN_ERROR }
            }
        }
    };
}

const UNKNOWN_ERROR: &str = "an unknown error occurred";

statuses! {
    /// The method executed; the body may hold a payload.
    SUCCESS = 0, "";
    /// The method was queued for asynchronous execution.
    SUBMITTED = 1, "";
    /// The method failed and gave no payload.
    FAILURE = 2, UNKNOWN_ERROR;
    /// The requested module does not exist.
    UNKNOWN_MODULE = 3, "unrecognized module ID";
    /// The requested method does not exist.
    UNKNOWN_METHOD = 4, "unrecognized method ID";
    /// The call could not be unmarshalled.
    FAILED_UNMARSHAL_CALL = 5, "failed to unmarshal incoming call";
    /// The call's body could not be unmarshalled.
    FAILED_UNMARSHAL_PAYLOAD = 6, "failed to unmarshal method-specific payload";
    /// The response's payload could not be marshalled.
    FAILED_MARSHAL = 7, "failed to marshal response payload";
}

impl Status {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> i32 {
        self.0
    }

    /// Whether the method executed: only then does a response carry a body ([D3](crate::guide::rules#dispatch)).
    #[must_use]
    pub const fn is_success(self) -> bool {
        self.0 == Self::SUCCESS.0
    }

    /// Whether the call failed: anything but [`SUCCESS`](Self::SUCCESS) and [`SUBMITTED`](Self::SUBMITTED).
    #[must_use]
    pub const fn is_failure(self) -> bool {
        !self.is_success() && self.0 != Self::SUBMITTED.0
    }
}

impl From<i32> for Status {
    fn from(code: i32) -> Self {
        Status(code)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "unknown status {}", self.0),
        }
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "Status({})", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_outside_the_table_is_kept_shown_and_a_failure() {
        // E3, Ours.
        let status = Status::from(42);
        assert_eq!(status.code(), 42);
        assert_eq!(status.to_string(), "unknown status 42");
        assert!(status.is_failure());
    }

    #[test]
    fn descriptions_are_those_of_daos() {
        // D5.
        assert_eq!(Status::SUCCESS.description(), "");
        assert_eq!(Status::SUBMITTED.description(), "");
        assert_eq!(Status::UNKNOWN_MODULE.description(), "unrecognized module ID");
        assert_eq!(Status::UNKNOWN_METHOD.description(), "unrecognized method ID");
        assert_eq!(Status::FAILED_UNMARSHAL_CALL.description(), "failed to unmarshal incoming call");
        assert_eq!(
            Status::FAILED_UNMARSHAL_PAYLOAD.description(),
            "failed to unmarshal method-specific payload"
        );
        assert_eq!(Status::FAILED_MARSHAL.description(), "failed to marshal response payload");
        assert_eq!(Status::FAILURE.description(), "an unknown error occurred");
        assert_eq!(Status::from(99).description(), "an unknown error occurred");
    }
}
