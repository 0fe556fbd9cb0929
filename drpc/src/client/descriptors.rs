//! What a call passes besides bytes, and what it takes: the same for all clients.

use std::fmt;
use std::io;

use rustix::io::Errno;

use super::error::CallError;
use crate::descriptors::{Arrived, MAX, Problem};
use crate::handler::method::Method;
use crate::wire::{Body, CallFields, Packet, Response, Wire};

/// Which ways a call passes descriptors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passing {
    to_server: bool,
    to_client: bool,
}

impl Passing {
    #[inline]
    pub(super) fn of(method: &Method, body: &Body) -> Self {
        Passing { to_server: body.has_descriptors(), to_client: method.has_fds() }
    }

    /// Whether there is anything to be done about it.
    #[inline]
    pub(super) fn is_none(self) -> bool {
        !self.to_server && !self.to_client
    }

    /// Announces it to the server, unless the call can't be sent so.
    #[cold]
    pub(super) fn announce(
        self,
        body: &Body,
        wire: Wire,
        no_response: bool,
        added: &mut Option<Box<CallFields>>,
    ) -> Result<(), CallError> {
        let fault = match self {
            Passing { to_client: false, .. } => Some(DescriptorFault::NotDeclared),
            _ if wire == Wire::Plain => Some(DescriptorFault::PlainWire),
            Passing { to_server: true, .. } if no_response => Some(DescriptorFault::NoResponse),
            _ if body.descriptors().len() > MAX => Some(DescriptorFault::TooMany(body.descriptors().len())),
            _ => None,
        };
        if let Some(fault) = fault {
            return Err(CallError::descriptors(fault));
        }
        let added = added.get_or_insert_default();
        added.takes_descriptors = true;
        // The server knows the field, and its answer is where it says what was wrong with them.
        added.wants_error = true;
        Ok(())
    }

    /// The response, if all descriptors have gone and come that it and its call say they have.
    #[inline]
    pub(super) fn check(self, outcome: Result<Response, CallError>) -> Result<Response, CallError> {
        match outcome {
            Ok(response) if self.to_server || response.added.is_some() => self.check_added(response),
            outcome => outcome,
        }
    }

    #[cold]
    fn check_added(self, mut response: Response) -> Result<Response, CallError> {
        if response.status.is_failure() {
            return Ok(response);
        }
        let added = response.added.as_deref_mut();
        if self.to_server && !added.as_ref().is_some_and(|added| added.took_descriptors) {
            return Err(CallError::descriptors(DescriptorFault::NotTaken));
        }
        match added {
            Some(added) if self.to_client => match added.descriptors.problem() {
                Some(problem) => Err(CallError::descriptors(DescriptorFault::Received(problem))),
                None => Ok(response),
            },
            Some(added) => {
                // Nobody has asked for them.
                added.descriptors = Default::default();
                Ok(response)
            }
            None => Ok(response),
        }
    }
}

/// Puts descriptors to the response that they came with.
#[cold]
pub(super) fn attach(response: &mut Response, arrived: Arrived) {
    response.added.get_or_insert_default().descriptors.come(arrived);
}

/// Why the kernel did not send a call that passes descriptors; `None` if it has nothing to do with them.
pub(super) fn refused(error: &io::Error, packet: &Packet<'_>) -> Option<CallError> {
    if packet.descriptors().is_empty() {
        return None;
    }
    let fault = match Errno::from_io_error(error) {
        Some(Errno::TOOMANYREFS) => DescriptorFault::TooManyOnTheirWay,
        _ if error.kind() == io::ErrorKind::PermissionDenied => DescriptorFault::Refused,
        _ => return None,
    };
    Some(CallError::descriptors(fault))
}

/// What is wrong with a call's descriptors, or its reply's.
#[derive(Clone, Copy, Debug)]
pub(super) enum DescriptorFault {
    NotDeclared,
    PlainWire,
    /// They stay on their host.
    OtherHost,
    NoResponse,
    TooMany(usize),
    /// By the kernel, as the server wants.
    Refused,
    TooManyOnTheirWay,
    /// By a server that knows none.
    NotTaken,
    Received(Problem),
}

impl DescriptorFault {
    /// Whether nothing was sent.
    pub(super) fn is_unsent(self) -> bool {
        !matches!(self, DescriptorFault::NotTaken | DescriptorFault::Received(_))
    }
}

impl fmt::Display for DescriptorFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DescriptorFault::NotDeclared => f.write_str(
                "can't send the call: it has descriptors, and its method takes none; declare it by `#[method(…, fds)]`, or \
                 `Method::fds`, in both programs",
            ),
            DescriptorFault::PlainWire => f.write_str(
                "can't send the call: its method passes descriptors, and the plain wire of DAOS 2.6 does not",
            ),
            DescriptorFault::OtherHost => f.write_str(
                "can't send the call: its method passes descriptors, which stay on their host; make it by a `Client`, on a socket",
            ),
            DescriptorFault::NoResponse => f.write_str(
                "can't send the call: only a response tells that its descriptors have come; make it without \
                 `CallOptions::no_response`",
            ),
            DescriptorFault::TooMany(count) => {
                write!(f, "can't send the call: it has {count} descriptors, and a message has at most {MAX}")
            }
            DescriptorFault::Refused => f.write_str(
                "can't send the call: the server takes no descriptors; it has no method with `fds`, or is of an earlier \
                 version",
            ),
            DescriptorFault::TooManyOnTheirWay => f.write_str(
                "can't send the call: this user has as many descriptors on their way as a process may have open \
                 (RLIMIT_NOFILE); wait until some are received",
            ),
            DescriptorFault::NotTaken => f.write_str(
                "the server answered, and does not say that it took the call's descriptors: it knows of none, and may have \
                 carried the call out without them",
            ),
            DescriptorFault::Received(problem) => write!(f, "the reply has no descriptors: {problem}"),
        }
    }
}
