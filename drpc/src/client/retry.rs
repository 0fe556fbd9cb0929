use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::backoff::{Backoff, Pauses};
use super::deadline::Deadline;
use super::error::CallError;
use crate::handler::method::Method;
use crate::observe::metrics;

/// Whether and how a failed call is retried. Without a policy it is not.
///
/// ```no_run
/// use std::time::Duration;
/// use drpc::{Backoff, Client, RetryPolicy};
///
/// let policy = RetryPolicy::new(4).backoff(Backoff::new(Duration::from_millis(20), Duration::from_secs(1)));
/// let client = Client::builder("/run/greeter.sock").retry(policy).connect_blocking()?;
/// # Ok::<(), drpc::ConnectError>(())
/// ```
///
/// A call of which nothing was sent (it could not connect, or the connection was gone) is always safe to retry. One that may have been executed, because its
/// connection broke while it was in flight, is retried only if its method is declared idempotent: `#[method(3, idempotent)]` or [`Method::idempotent`]. A call that
/// was answered is never retried, whatever the status.
///
/// The time-out of a call covers all its attempts and the pauses between them; an attempt that would begin later is not made.
///
/// Retries make an overload worse, so there is a budget: a retry takes a token, and ten answered calls give one back; without a token, the call fails as if it were
/// at its last attempt. Clones share one budget, and so do all calls of a client that has the policy.
#[derive(Clone, Debug)]
pub struct RetryPolicy(Arc<Policy>);

#[derive(Clone, Debug)]
struct Policy {
    attempts: u32,
    backoff: Backoff,
    budget: Budget,
}

impl RetryPolicy {
    /// A policy of at most `attempts` attempts, the first included; 0 counts as 1.
    ///
    /// The pauses are those of [`Backoff::default`], the budget is 10 tokens.
    #[must_use]
    pub fn new(attempts: u32) -> Self {
        RetryPolicy(Arc::new(Policy { attempts, backoff: Backoff::default(), budget: Budget::new(10) }))
    }

    /// How long to pause between attempts.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        Arc::make_mut(&mut self.0).backoff = backoff;
        self
    }

    /// The number of retries that the budget holds at most, and at first. This gives the policy a budget of its own.
    #[must_use]
    pub fn budget(mut self, tokens: u32) -> Self {
        Arc::make_mut(&mut self.0).budget = Budget::new(tokens);
        self
    }
}

/// Policies are equal if they are clones: if they share one budget.
impl PartialEq for RetryPolicy {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for RetryPolicy {}

/// A bucket of tokens, in tenths.
#[derive(Debug)]
struct Budget {
    tenths: AtomicU32,
    most: u32,
}

impl Budget {
    fn new(tokens: u32) -> Self {
        let most = tokens.saturating_mul(10);
        Budget { tenths: AtomicU32::new(most), most }
    }

    fn take(&self) -> bool {
        self.update(|tenths| tenths.checked_sub(10))
    }

    fn give_back(&self) {
        self.update(|tenths| (tenths < self.most).then(|| tenths + 1));
    }

    fn update(&self, change: impl Fn(u32) -> Option<u32>) -> bool {
        // It guards nothing but itself.
        self.tenths.try_update(Ordering::Relaxed, Ordering::Relaxed, change).is_ok()
    }
}

/// Full.
impl Clone for Budget {
    fn clone(&self) -> Self {
        Budget { tenths: AtomicU32::new(self.most), most: self.most }
    }
}

/// The attempts at one call, or at one batch.
#[derive(Debug)]
pub(super) struct Attempts<'a> {
    policy: Option<&'a Policy>,
    /// How many more may be made.
    left: u32,
    pauses: Option<Box<Pauses>>,
    /// The error of the attempts so far, at one call.
    failed: Option<CallError>,
}

impl<'a> Attempts<'a> {
    /// By the call's own policy, or else the client's.
    pub(super) fn of(call: Option<&'a RetryPolicy>, client: Option<&'a RetryPolicy>) -> Self {
        let policy = call.or(client).map(|policy| &*policy.0);
        let left = policy.map_or(0, |policy| policy.attempts.saturating_sub(1));
        Attempts { policy, left, pauses: None, failed: None }
    }

    /// Whether the attempt under way is the last that may be made.
    pub(super) fn is_last(&self) -> bool {
        self.left == 0
    }

    /// A call was answered.
    pub(super) fn answered(&self) {
        if let Some(policy) = self.policy {
            policy.budget.give_back();
        }
    }

    /// Whether a call that failed so may be made again, if time and budget allow for it.
    pub(super) fn may_repeat(&self, method: &Method, error: &CallError) -> bool {
        self.left > 0 && (error.is_retryable() || (method.is_idempotent() && error.is_broken_off()))
    }

    /// An attempt at the call has failed: gives how long to pause before the next, or the call's error if there is to be none.
    pub(super) fn failed(
        &mut self,
        method: &Method,
        error: CallError,
        deadline: Deadline,
    ) -> Result<Duration, CallError> {
        let pause = if self.may_repeat(method, &error) { self.next_pause(deadline) } else { None };
        let pause = pause.filter(|_| self.takes_token());
        let error = worse(self.failed.take(), error);
        let Some(pause) = pause else { return Err(error) };
        self.failed = Some(error);
        metrics::retried();
        Ok(pause)
    }

    /// Takes what it costs to make a call again. False if the budget is used up.
    pub(super) fn takes_token(&self) -> bool {
        self.policy.is_some_and(|policy| policy.budget.take())
    }

    /// How long to pause before the next attempt, or `None` if the time does not allow for it.
    pub(super) fn next_pause(&mut self, deadline: Deadline) -> Option<Duration> {
        let policy = self.policy?;
        let pauses = self.pauses.get_or_insert_with(|| Box::new(policy.backoff.pauses()));
        self.left = self.left.checked_sub(1)?;
        pauses.next().filter(|pause| *pause < deadline.left())
    }
}

/// The error of a call that failed before and has failed again.
///
/// One after which it may have been executed is not forgotten for one after which it was not.
pub(super) fn worse(before: Option<CallError>, last: CallError) -> CallError {
    match before {
        Some(before) if last.was_not_executed() && !before.was_not_executed() => before,
        _ => last,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_used_up_and_filled_by_answers() {
        let budget = Budget::new(2);
        assert!(budget.take() && budget.take() && !budget.take());
        (0..9).for_each(|_| budget.give_back());
        assert!(!budget.take());
        budget.give_back();
        assert!(budget.take() && !budget.take());
        (0..1000).for_each(|_| budget.give_back());
        assert!(budget.take() && budget.take() && !budget.take());
    }
}
