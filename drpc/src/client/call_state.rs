use std::time::{Duration, Instant};

use super::backoff::Pauses;
use super::builder::ClientBuilder;
use super::caller::CallOptions;
use super::deadline::Deadline;
use super::error::{CallError, ConnectError};
use crate::wire::{CallFields, Response};

/// How far a call has come, and how long it goes on trying to get a connection: what its error is made of.
///
/// The clients wait in different ways; what they wait for, and until when, is settled here.
#[derive(Debug)]
pub(super) struct CallState<'a> {
    config: &'a ClientBuilder,
    /// The client's clock.
    now: fn() -> Instant,
    /// Of the call, all its attempts included.
    pub(super) deadline: Deadline,
    /// Whether some of the call may have been sent, so that it may have been executed.
    sent: bool,
    /// The same of the attempt under way.
    attempt_sent: bool,
    /// How many connections may still turn out to be gone, in this attempt, before they are of use.
    replacements: usize,
    /// Made once the call has to wait for a connection.
    connecting: Option<Box<Connecting>>,
}

#[derive(Debug)]
struct Connecting {
    until: Deadline,
    pauses: Pauses,
    /// What the last attempt met.
    refused: Option<ConnectError>,
}

impl<'a> CallState<'a> {
    /// Of a call that begins. The clock is read only if the call has a limit.
    pub(super) fn of_call(options: &CallOptions, config: &'a ClientBuilder, now: fn() -> Instant) -> Self {
        let deadline = Deadline::by(now, options.timeout.or(config.timeout));
        let deadline = deadline.or_before(Deadline::at(now, options.deadline));
        let (sent, attempt_sent) = (false, false);
        CallState { config, now, deadline, sent, attempt_sent, replacements: 0, connecting: None }
    }

    /// Of a client that is to be connected for the first time.
    pub(super) fn of_client(config: &'a ClientBuilder) -> Self {
        let patience = config.wait_until_ready.unwrap_or_default();
        let state = Self::of_call(&CallOptions::new(), config, Instant::now);
        CallState {
            deadline: Deadline::NEVER,
            connecting: Some(Connecting::begin(config, patience, state.now)),
            ..state
        }
    }

    /// Fails if there was no time for the call from the beginning.
    pub(super) fn check_time(&mut self) -> Result<(), CallError> {
        if self.deadline.limit == Some(Duration::ZERO) { Err(self.timed_out()) } else { Ok(()) }
    }

    /// The fields that are added to a call (E5), but for its [time](Self::stamp). It may ask the user's code.
    pub(super) fn added(&self, options: &CallOptions) -> Option<Box<CallFields>> {
        self.config.added_fields.of_call(options, self.config.tracer.as_ref())
    }

    /// Adds how much time is left for a call that is sent now (E5).
    pub(super) fn stamp(&self, added: &mut Option<Box<CallFields>>) {
        if let (Some(added), Some(at)) = (added, self.deadline.at)
            && self.config.added_fields.tell_time()
        {
            added.time_left = Some(at.saturating_duration_since((self.now)()));
        }
    }

    /// A response, unless it is a failure that came too late: the server cuts a handler off when its caller's time is over (E5), and
    /// that is the caller's time-out, whichever of the two is told first.
    pub(super) fn in_time(&self, response: Response) -> Result<Response, CallError> {
        match self.deadline.at {
            Some(at)
                if self.config.added_fields.tell_time()
                    && response.status.is_failure()
                    && at <= (self.now)() =>
            {
                Err(self.deadline.passed())
            }
            _ => Ok(response),
        }
    }

    /// The call is made, or made again.
    pub(super) fn begin_attempt(&mut self) {
        self.attempt_sent = false;
        self.replacements = if self.config.auto_reconnect { self.config.connections } else { 0 };
    }

    /// From now on the call waits for a connection. Calls that queue for the same one lose patience together.
    pub(super) fn waits(&mut self) {
        self.connecting();
    }

    fn connecting(&mut self) -> &mut Connecting {
        let (config, now) = (self.config, self.now);
        self.connecting.get_or_insert_with(|| Connecting::begin(config, config.connect_timeout, now))
    }

    /// An attempt to connect has failed: gives how long to pause before the next, or the error if there is to be none.
    pub(super) fn refused(&mut self, error: ConnectError) -> Result<Duration, ConnectError> {
        let (of_call, now) = (self.deadline, self.now);
        let connecting = self.connecting();
        let left = connecting.until.or_before(of_call).left_by(now);
        if left.is_zero() || !error.may_pass() {
            return Err(error);
        }
        connecting.refused = Some(error);
        Ok(connecting.pauses.next().unwrap_or_default().min(left))
    }

    /// The error of a call that gives up connecting.
    pub(super) fn gave_up(&mut self, error: ConnectError) -> CallError {
        match error.is_timeout() && self.deadline.left_by(self.now).is_zero() {
            true => self.timed_out(),
            false => error.into(),
        }
    }

    /// A connection was gone before anything was sent on it: whether the call may take another.
    ///
    /// Any connection of the pool may be so when the server was started anew; one that was made since should not.
    pub(super) fn takes_another(&mut self) -> bool {
        let another = self.replacements > 0;
        self.replacements -= usize::from(another);
        another
    }

    /// From now on the call may be executed.
    pub(super) fn is_sent(&mut self) {
        (self.sent, self.attempt_sent) = (true, true);
    }

    /// Whether some of this attempt may have been sent.
    pub(super) fn attempt_was_sent(&self) -> bool {
        self.attempt_sent
    }

    /// The error of a call whose time is over: it says whether the call may have been executed, and if not, why (C4, C8).
    pub(super) fn timed_out(&mut self) -> CallError {
        if self.sent { self.deadline.passed() } else { self.never_begun() }
    }

    /// The error of a call that was never begun, and whose time is over: why it was not (C4, C8).
    pub(super) fn never_begun(&mut self) -> CallError {
        match self.connecting.as_mut().and_then(|connecting| connecting.refused.take()) {
            Some(refused) => refused.into(),
            None => self.deadline.unsent(),
        }
    }
}

impl Connecting {
    fn begin(config: &ClientBuilder, patience: Duration, now: fn() -> Instant) -> Box<Self> {
        let (until, pauses) = (Deadline::by(now, Some(patience)), config.reconnect_backoff.pauses());
        Box::new(Connecting { until, pauses, refused: None })
    }
}
