use std::time::Duration;

use super::deadline::Deadline;
use super::descriptors::Passing;
use super::error::CallError;
use super::retry::{Attempts, better};
use crate::handler::method::Method;
use crate::observe::metrics;
use crate::wire::{Body, Pack, Response};

/// Calls that are sent one behind the other, and their results as they come in: what all clients know of them.
#[derive(Debug)]
pub(super) struct Batch {
    calls: Vec<Member>,
    /// Those of the attempt under way, by their places, ascending.
    due: Vec<usize>,
}

#[derive(Debug)]
struct Member {
    method: Method,
    body: Body,
    passing: Passing,
    result: Option<Result<Response, CallError>>,
}

impl Batch {
    /// In the order of their results.
    pub(super) fn new(calls: impl IntoIterator<Item = (Method, Body)>) -> Self {
        let member = |(method, body)| {
            let passing = Passing::of(&method, &body);
            Member { method, body, passing, result: None }
        };
        let calls: Vec<_> = calls.into_iter().map(member).collect();
        let due = (0..calls.len()).collect();
        Batch { calls, due }
    }

    /// The places of the calls that are to be made now.
    pub(super) fn due(&self) -> &[usize] {
        &self.due
    }

    /// Makes the call at a place, with a body that may be taken. It is a copy unless this attempt is the last.
    pub(super) fn with_call<T>(
        &mut self,
        place: usize,
        is_last: bool,
        make: impl FnOnce(&Method, &mut Body) -> T,
    ) -> T {
        let Member { method, body, .. } = &mut self.calls[place];
        match is_last {
            true => make(method, body),
            false => make(method, &mut body.clone()),
        }
    }

    /// The calls at these places, up to the first that is long, or has to do with descriptors.
    pub(super) fn short_calls<'a>(
        &'a self,
        places: &'a [usize],
    ) -> impl Iterator<Item = (usize, &'a Method, &'a Body)> {
        let call = |&place: &usize| {
            let Member { method, body, passing, .. } = &self.calls[place];
            (passing.is_none() && body.len() <= Pack::LONGEST).then_some((place, method, body))
        };
        places.iter().map_while(call)
    }

    pub(super) fn settle(&mut self, place: usize, result: Result<Response, CallError>) {
        let Member { passing, result: settled, .. } = &mut self.calls[place];
        *settled = Some(better(settled.take(), passing.check(result)));
    }

    /// None of the calls could be made.
    pub(super) fn settle_due(&mut self, error: &CallError) {
        for at in 0..self.due.len() {
            self.settle(self.due[at], Err(error.clone()));
        }
    }

    /// Finds the calls that are to be made again; gives how long to pause before, or `None` if there is no more to do.
    pub(super) fn again(&mut self, attempts: &mut Attempts<'_>, deadline: Deadline) -> Option<Duration> {
        let calls = &self.calls;
        self.due.retain(|&place| {
            let Member { method, result, .. } = &calls[place];
            result.as_ref().is_some_and(|outcome| attempts.may_repeat(method, outcome))
        });
        if self.due.is_empty() {
            return None;
        }
        let pause = attempts.next_pause(deadline)?;
        self.due.retain(|_| attempts.takes_token());
        (!self.due.is_empty()).then_some(pause).inspect(|_| metrics::retried())
    }

    /// The results, in the order of the calls. Those that are not there get the error.
    pub(super) fn finish(self, mut missing: impl FnMut() -> CallError) -> Vec<Result<Response, CallError>> {
        let ended = self.calls.into_iter().map(|call| {
            let result = call.result.unwrap_or_else(|| Err(missing()));
            metrics::batched(call.method, &result);
            result
        });
        ended.collect()
    }
}
