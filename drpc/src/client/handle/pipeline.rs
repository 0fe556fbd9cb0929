//! Batches on the async client: calls that go out one behind the other on one connection.

use std::collections::VecDeque;
use std::mem;
use std::pin::pin;
use std::sync::Arc;

use futures_util::FutureExt;
use tracing::Instrument;

use super::{Abandonable, Client};
use crate::client::batch::Batch;
use crate::client::call_state::CallState;
use crate::client::caller::CallOptions;
use crate::client::connection::{Connection, GivenUp};
use crate::client::error::CallError;
use crate::client::retry::Attempts;
use crate::handler::method::Method;
use crate::observe::client::batch_span;
use crate::wire::{Body, Response};

impl Client {
    pub(super) async fn run_batch(
        &self,
        mut batch: Batch,
        options: &CallOptions,
    ) -> Vec<Result<Response, CallError>> {
        let mut state = self.begin(options);
        let deadline = state.deadline;
        let span = batch_span(&self.0.config.path, batch.due().len());
        let gathering = async {
            let mut attempts = Attempts::of(options.retry.as_ref(), self.0.config.retry.as_ref());
            loop {
                self.attempt_batch(&mut batch, attempts.is_last(), options, &mut state).await;
                match batch.again(&mut attempts, deadline) {
                    Some(pause) => self.0.runtime.sleep(pause).await,
                    None => return,
                }
            }
        };
        // What is missing once the time is over gets its error below.
        self.0.runtime.by(deadline.at, pin!(gathering.instrument(span))).await;
        batch.finish(|| state.never_begun())
    }

    async fn attempt_batch(
        &self,
        batch: &mut Batch,
        is_last: bool,
        options: &CallOptions,
        state: &mut CallState<'_>,
    ) {
        state.begin_attempt();
        loop {
            let connection = match self.connection(state).await {
                Ok(connection) => connection,
                Err(error) => return batch.settle_due(&error),
            };
            if self.pipeline(&connection, batch, is_last, options, state).await {
                return;
            }
        }
    }

    /// Sends calls one behind the other and gathers their responses. False if the connection was gone, or held up, before anything was
    /// sent, and another may be taken.
    async fn pipeline(
        &self,
        connection: &Arc<Connection>,
        batch: &mut Batch,
        is_last: bool,
        options: &CallOptions,
        state: &mut CallState<'_>,
    ) -> bool {
        let Ok(_turn) = self.turn(connection).await else { return false };
        let mut sent = VecDeque::with_capacity(batch.due().len());
        let mut nothing_sent = true;
        for at in 0..batch.due().len() {
            let place = batch.due()[at];
            let mut added = state.added(options);
            state.stamp(&mut added);
            let begin =
                |method: &Method, body: &mut Body| connection.begin(method, body, options.no_response, added);
            match batch.with_call(place, is_last, begin) {
                Ok(in_flight) => {
                    nothing_sent = false;
                    sent.push_back((place, Abandonable { client: self, connection, in_flight }));
                    if self.0.config.one_call_at_a_time {
                        state.is_sent();
                        gather(batch, mem::take(&mut sent), state).await;
                    }
                }
                Err(error) if nothing_sent && self.goes_on_after(&error, connection, state) => {
                    return false;
                }
                Err(error) => batch.settle(place, Err(error)),
            }
        }
        state.is_sent();
        gather(batch, sent, state).await;
        true
    }
}

/// Waits for the responses to calls that were begun.
async fn gather(batch: &mut Batch, sent: VecDeque<(usize, Abandonable<'_>)>, state: &CallState<'_>) {
    let mut gathering = Gathering { batch, sent, state };
    while let Some((place, call)) = gathering.sent.front_mut() {
        let response = call.in_flight.response().await;
        gathering.batch.settle(*place, response.and_then(|response| state.in_time(response)));
        gathering.sent.pop_front();
    }
}

/// The calls of a batch that were begun. Dropped, since the time is over, it keeps what has come by then; of the others, those of
/// which anything was sent may have been executed, whatever an earlier attempt met (C4).
struct Gathering<'a> {
    batch: &'a mut Batch,
    sent: VecDeque<(usize, Abandonable<'a>)>,
    state: &'a CallState<'a>,
}

impl Drop for Gathering<'_> {
    fn drop(&mut self) {
        for (place, mut call) in self.sent.drain(..) {
            let result = match call.in_flight.response().now_or_never() {
                Some(response) => response.and_then(|response| self.state.in_time(response)),
                None if call.give_up() == GivenUp::Unsent => Err(self.state.deadline.unsent()),
                None => Err(self.state.deadline.passed()),
            };
            self.batch.settle(place, result);
        }
    }
}
