use crate::client::error::{CallError, CallErrorKind};
use crate::wire::{Response, Status};

/// What became of a call: one of few, so that it can be a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End(usize);

/// DAOS's statuses, by their numbers.
const STATUSES: usize = 8;

/// Those that are no status of DAOS's.
const OTHERS: [&str; 11] = [
    "other",
    "dropped",
    "connect",
    "not_connected",
    "disconnected",
    "timeout",
    "reply",
    "too_long",
    "no_stream",
    "descriptors",
    "not_taken",
];

#[cfg_attr(not(feature = "metrics"), allow(dead_code, reason = "the span of a call needs but a part"))]
impl End {
    pub(super) const COUNT: usize = STATUSES + OTHERS.len();

    /// A status that DAOS does not define.
    const OTHER: End = End(STATUSES);
    /// Its handler was dropped, or the future of its caller.
    pub(super) const DROPPED: End = End(STATUSES + 1);

    pub(super) fn of_status(status: Status) -> End {
        usize::try_from(status.code()).ok().filter(|code| *code < STATUSES).map_or(End::OTHER, End)
    }

    /// Of a call that a client has made.
    pub(super) fn of_call(outcome: &Result<Response, CallError>) -> End {
        match outcome {
            Ok(response) => End::of_status(response.status),
            Err(error) => End::of_error(error),
        }
    }

    pub(super) fn of_error(error: &CallError) -> End {
        let place = match error.kind() {
            CallErrorKind::Status | CallErrorKind::Submitted => {
                return End::of_status(error.status().unwrap_or(Status::FAILURE));
            }
            CallErrorKind::Connect => 2,
            CallErrorKind::NotConnected => 3,
            CallErrorKind::Disconnected => 4,
            CallErrorKind::Timeout => 5,
            CallErrorKind::Reply => 6,
            CallErrorKind::TooLong => 7,
            CallErrorKind::NoStream => 8,
            CallErrorKind::Descriptors => 9,
            CallErrorKind::NotTaken => 10,
        };
        End(STATUSES + place)
    }

    pub(super) fn label(self) -> &'static str {
        match self.0.checked_sub(STATUSES) {
            Some(place) => OTHERS[place],
            None => Status::from(self.0 as i32).name().unwrap_or(OTHERS[0]),
        }
    }

    /// Its place among the ends that there are.
    pub(super) fn index(self) -> usize {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_its_name_and_one_that_daos_does_not_define_is_other() {
        for code in 0..STATUSES as i32 {
            let status = Status::from(code);
            assert_eq!(Some(End::of_status(status).label()), status.name());
        }
        for code in [-1, STATUSES as i32, i32::MAX, i32::MIN] {
            assert_eq!(Status::from(code).name(), None);
            assert_eq!(End::of_status(Status::from(code)).label(), "other");
        }
    }
}
