use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::backoff::{Backoff, Pauses};
use super::deadline::Deadline;
use super::error::CallError;
use crate::handler::decoding::{DEFAULT_DECODE_LIMIT, Decoding};
use crate::handler::method::Method;
use crate::handler::payload::Payload;
use crate::observe::metrics;
use crate::wire::Response;

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
/// was answered is not retried, whatever the status, unless [`if_reply`](Self::if_reply) says so.
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
    if_reply: Option<IfReply>,
}

/// Whether a reply is one after which the call is made again.
#[derive(Clone)]
struct IfReply(Arc<dyn Fn(&Response) -> bool + Send + Sync>);

impl RetryPolicy {
    /// A policy of at most `attempts` attempts, the first included; 0 counts as 1.
    ///
    /// The pauses are those of [`Backoff::default`], the budget is 10 tokens.
    #[must_use]
    pub fn new(attempts: u32) -> Self {
        RetryPolicy(Arc::new(Policy {
            attempts,
            backoff: Backoff::default(),
            budget: Budget::new(10),
            if_reply: None,
        }))
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

    /// Also retries a call if its reply says so: for errors that travel in the body of a SUCCESS, as DAOS's do ([E4](crate::guide::rules#envelope)). It applies to every method, `idempotent` or
    /// not, since `again` knows what the reply promises.
    ///
    /// ```
    /// use drpc::{Der, RetryPolicy};
    ///
    /// /// The one field that all replies of the service begin with.
    /// #[derive(Clone, PartialEq, prost::Message)]
    /// pub struct DaosResp {
    ///     #[prost(int32, tag = "1")]
    ///     pub status: i32,
    /// }
    ///
    /// let patient = RetryPolicy::new(5).if_reply(|reply: &DaosResp| reply.status == Der::BUSY);
    /// # let _ = patient;
    /// ```
    ///
    /// The reply is decoded as an `R`, whatever the method's reply type: with a message of just the field that counts, one policy covers all methods of a client. A body
    /// that is not an `R`, or is longer than 4 MiB, is not retried. `again` is called wherever the reply is received, so it should be fast.
    ///
    /// When no attempts or no time are left, the call returns the last reply; also if the retry was certainly not executed.
    #[must_use]
    pub fn if_reply<R: Payload>(mut self, again: impl Fn(&R) -> bool + Send + Sync + 'static) -> Self {
        let of_response = move |response: &Response| {
            let mut decoding = Decoding::of_reply(DEFAULT_DECODE_LIMIT);
            R::from_body_within(response.body.clone(), &mut decoding).is_ok_and(|reply| again(&reply))
        };
        Arc::make_mut(&mut self.0).if_reply = Some(IfReply(Arc::new(of_response)));
        self
    }
}

impl fmt::Debug for IfReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IfReply")
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
        self.tenths.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change).is_ok()
    }
}

/// Full.
impl Clone for Budget {
    fn clone(&self) -> Self {
        Budget { tenths: AtomicU32::new(self.most), most: self.most }
    }
}

type Outcome = Result<Response, CallError>;

/// The attempts at one call, or at one batch.
#[derive(Debug)]
pub(super) struct Attempts<'a> {
    policy: Option<&'a Policy>,
    /// How many more may be made.
    left: u32,
    pauses: Option<Box<Pauses>>,
    /// What came of the attempts so far, at one call.
    before: Option<Box<Outcome>>,
}

impl<'a> Attempts<'a> {
    /// By the call's own policy, or else the client's.
    pub(super) fn of(call: Option<&'a RetryPolicy>, client: Option<&'a RetryPolicy>) -> Self {
        let policy = call.or(client).map(|policy| &*policy.0);
        let left = policy.map_or(0, |policy| policy.attempts.saturating_sub(1));
        Attempts { policy, left, pauses: None, before: None }
    }

    /// Whether the attempt under way is the last that may be made.
    pub(super) fn is_last(&self) -> bool {
        self.left == 0
    }

    /// Whether a call of which that came may be made again, if time and budget allow for it. An answer that is to stay fills the
    /// budget.
    pub(super) fn may_repeat(&self, method: &Method, outcome: &Outcome) -> bool {
        match (outcome, self.policy) {
            (_, None) => false,
            (Ok(response), Some(policy)) => {
                let again = self.left > 0 && policy.is_asked_again(response);
                if !again {
                    policy.budget.give_back();
                }
                again
            }
            (Err(error), _) => {
                self.left > 0 && (error.is_retryable() || (method.is_idempotent() && error.is_broken_off()))
            }
        }
    }

    /// An attempt at the call has come to an end: goes on with how long to pause before the next, or else breaks with what comes of the
    /// call.
    #[inline]
    pub(super) fn next(
        &mut self,
        method: &Method,
        outcome: Outcome,
        deadline: Deadline,
    ) -> ControlFlow<Outcome, Duration> {
        match self.policy {
            None => ControlFlow::Break(outcome),
            Some(_) => self.next_by_policy(method, outcome, deadline),
        }
    }

    #[inline(never)]
    fn next_by_policy(
        &mut self,
        method: &Method,
        outcome: Outcome,
        deadline: Deadline,
    ) -> ControlFlow<Outcome, Duration> {
        let pause = if self.may_repeat(method, &outcome) { self.next_pause(deadline) } else { None };
        let pause = pause.filter(|_| self.takes_token());
        let outcome = better(self.before.take().map(|before| *before), outcome);
        let Some(pause) = pause else { return ControlFlow::Break(outcome) };
        self.before = Some(outcome.into());
        metrics::retried();
        ControlFlow::Continue(pause)
    }

    /// The time is over in the attempt under way, of which something was sent or not: what comes of the call.
    pub(super) fn cut_short(&mut self, was_sent: bool, error: impl FnOnce() -> CallError) -> Outcome {
        match self.before.take() {
            Some(before) if !was_sent && !was_not_executed(&before) => *before,
            _ => Err(error()),
        }
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

impl Policy {
    fn is_asked_again(&self, response: &Response) -> bool {
        // A stream that has opened is no reply yet.
        let is_reply = response.status.is_success() && response.part().is_none();
        let if_reply = self.if_reply.as_ref().filter(|_| is_reply);
        if_reply.is_some_and(|if_reply| (if_reply.0)(response))
    }
}

/// What comes of a call that was made before, and again.
///
/// An attempt that was answered, or after which the call may have been executed, is not forgotten for one after which it was not.
pub(super) fn better(before: Option<Outcome>, last: Outcome) -> Outcome {
    match before {
        Some(before) if was_not_executed(&last) && !was_not_executed(&before) => before,
        _ => last,
    }
}

fn was_not_executed(outcome: &Outcome) -> bool {
    outcome.as_ref().is_err_and(CallError::was_not_executed)
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
