use std::collections::VecDeque;
use std::ops::RangeInclusive;

use super::{Connection, Fault, Sent};
use crate::client::batch::Batch;
use crate::client::call_state::CallState;
use crate::client::caller::CallOptions;
use crate::client::error::{CallError, Disconnect};
use crate::client::packs::Packs;
use crate::client::reply::submitted;
use crate::wire::{Call, CallFields, Pack, Response, UNREADABLE_CALL};

/// A batch on its way through a connection.
struct Pipeline<'a> {
    batch: &'a mut Batch,
    /// The calls that wait for their response, by ascending sequence, and their places in the batch.
    open: VecDeque<(i64, usize)>,
    /// The sequences of those that were not wholly sent, one or those of a pack: they can't have been executed.
    unfinished: Option<RangeInclusive<i64>>,
    /// Whether no call will be made again.
    is_last: bool,
    /// Whether a call waits for the response to the one before.
    one_at_a_time: bool,
}

impl Connection {
    /// Sends the calls of a batch one behind the other, then receives what is still missing. Each call gets its result; the
    /// fault tells what has become of the connection.
    ///
    /// `added` are the fields that are added to the calls, in their order. With [`Fault::Gone`] alone no call has a result:
    /// nothing was sent.
    pub(super) fn pipeline(
        &mut self,
        batch: &mut Batch,
        is_last: bool,
        added: Vec<Option<Box<CallFields>>>,
        options: &CallOptions,
        state: &mut CallState<'_>,
        one_at_a_time: bool,
    ) -> Result<(), Fault> {
        let open = VecDeque::new();
        let mut pipeline = Pipeline { batch, open, unfinished: None, is_last, one_at_a_time };
        let finished = self
            .send_all(&mut pipeline, added, options, state)
            .and_then(|()| self.receive_all(&mut pipeline, state));
        let error = match &finished {
            Err(Fault::Timeout(_)) => state.deadline.passed(),
            Err(Fault::Disconnect(cause) | Fault::Unfinished(cause)) => {
                CallError::disconnected(cause.clone())
            }
            _ => return finished,
        };
        for (sequence, place) in pipeline.open {
            self.calls.abandon(sequence);
            let error = match &finished {
                Err(Fault::Disconnect(cause) | Fault::Unfinished(cause))
                    if pipeline
                        .unfinished
                        .as_ref()
                        .is_some_and(|unfinished| unfinished.contains(&sequence)) =>
                {
                    CallError::unfinished(cause.clone())
                }
                _ => error.clone(),
            };
            pipeline.batch.settle(place, Err(error));
        }
        finished
    }

    fn send_all(
        &mut self,
        pipeline: &mut Pipeline<'_>,
        added: Vec<Option<Box<CallFields>>>,
        options: &CallOptions,
        state: &mut CallState<'_>,
    ) -> Result<(), Fault> {
        let mut early = Vec::new();
        let mut nothing_sent = true;
        let mut at = 0;
        let mut added = added.into_iter().peekable();
        while added.peek().is_some() {
            let packed = self.pack(pipeline, at, &mut added, options, state);
            let (calls, sent) = match packed {
                Some((pack, calls)) => {
                    let sent = self.send(&pack.into_call(), options, state.deadline, &mut early);
                    (calls, sent)
                }
                None => {
                    let added = added.next().flatten();
                    let (call, sent) = self.send_one(pipeline, at, added, options, state, &mut early);
                    (vec![call], sent)
                }
            };
            let mut unsent_from = at + calls.len();
            match &sent {
                Ok(_) if options.no_response => pipeline.settle_all(&calls, &Ok(submitted())),
                Err(Fault::Unsent(error)) => pipeline.settle_all(&calls, &Err(error.clone())),
                Err(Fault::Gone | Fault::Timeout(Sent::Nothing)) => unsent_from = at,
                sent => {
                    if matches!(sent, Ok(Sent::Part) | Err(Fault::Unfinished(_))) {
                        let (first, last) = (calls.first(), calls.last());
                        pipeline.unfinished = first.zip(last).map(|((first, _), (last, _))| *first..=*last);
                    }
                    pipeline.open.extend(&calls);
                }
            }
            if matches!(sent, Err(Fault::Unsent(_) | Fault::Gone | Fault::Timeout(Sent::Nothing))) {
                for (sequence, _) in &calls {
                    self.calls.take_back(*sequence);
                }
            }
            at += calls.len();
            for response in early.drain(..) {
                pipeline.settle(response, state);
            }
            match sent {
                Ok(Sent::Part) => {
                    // The server is gone. What it said before it went is received.
                    state.is_sent();
                    let error = CallError::not_connected(Disconnect::ByPeer.into());
                    pipeline.settle_unsent(unsent_from, &error);
                    return Ok(());
                }
                Ok(_) => {
                    state.is_sent();
                    nothing_sent = false;
                    if pipeline.one_at_a_time
                        && let Err(fault) = self.receive_all(pipeline, state)
                    {
                        let unsent = match &fault {
                            Fault::Disconnect(cause) | Fault::Unfinished(cause) => {
                                CallError::not_connected(cause.clone())
                            }
                            _ => state.deadline.unsent(),
                        };
                        pipeline.settle_unsent(unsent_from, &unsent);
                        return Err(fault);
                    }
                }
                Err(Fault::Unsent(_)) => {}
                Err(Fault::Gone) if nothing_sent => return Err(Fault::Gone),
                Err(Fault::Gone) => {
                    // What the server said before it went is received.
                    pipeline.settle_unsent(unsent_from, &CallError::not_connected(Disconnect::ByPeer.into()));
                    return Ok(());
                }
                Err(Fault::Timeout(sent)) => {
                    state.is_sent();
                    pipeline.settle_unsent(unsent_from, &state.deadline.unsent());
                    return Err(Fault::Timeout(sent));
                }
                Err(fault @ (Fault::Disconnect(_) | Fault::Unfinished(_))) => {
                    state.is_sent();
                    if let Fault::Disconnect(cause) | Fault::Unfinished(cause) = &fault {
                        pipeline.settle_unsent(unsent_from, &CallError::not_connected(cause.clone()));
                    }
                    return Err(fault);
                }
            }
        }
        Ok(())
    }

    /// Sends the call at a place of those that are due; gives its sequence, and its place in the batch.
    fn send_one(
        &mut self,
        pipeline: &mut Pipeline<'_>,
        at: usize,
        mut added: Option<Box<CallFields>>,
        options: &CallOptions,
        state: &CallState<'_>,
        early: &mut Vec<Response>,
    ) -> ((i64, usize), Result<Sent, Fault>) {
        let place = pipeline.batch.due()[at];
        let sequence = self.calls.begin((!options.no_response).then_some(()));
        self.packs.ask(&mut added);
        let sent = pipeline.batch.with_call(place, pipeline.is_last, |method, body| {
            self.pass(method, body, options, &mut added)?;
            let (module, method) = (method.module(), method.id());
            state.stamp(&mut added);
            let call = Call { module, method, sequence, body: std::mem::take(body), added };
            let sent = self.send(&call, options, state.deadline, early);
            // It may be made again.
            if let Err(Fault::Gone | Fault::Unsent(_)) = sent {
                *body = call.body;
            }
            sent
        });
        ((sequence, place), sent)
    }

    /// Begins the calls from a place on of those that are due which fit into one packet, if these are several; gives their sequences, and
    /// their places in the batch.
    fn pack(
        &mut self,
        pipeline: &Pipeline<'_>,
        at: usize,
        added: &mut impl Iterator<Item = Option<Box<CallFields>>>,
        options: &CallOptions,
        state: &CallState<'_>,
    ) -> Option<(Pack, Vec<(i64, usize)>)> {
        if self.packs != Packs::Taken || pipeline.one_at_a_time {
            return None;
        }
        let due = &pipeline.batch.due()[at..];
        // One that is alone goes as it is.
        pipeline.batch.short_calls(due).nth(1)?;
        let mut pack = Pack::default();
        let mut calls = Vec::new();
        for (place, method, body) in pipeline.batch.short_calls(due) {
            if !pack.has_room() {
                break;
            }
            let mut added = added.next().flatten();
            state.stamp(&mut added);
            let sequence = self.calls.begin((!options.no_response).then_some(()));
            let call =
                Call { module: method.module(), method: method.id(), sequence, body: body.clone(), added };
            assert!(pack.put(&call.head(), &call.body), "there is room for a short one");
            calls.push((sequence, place));
        }
        Some((pack, calls))
    }

    fn receive_all(&mut self, pipeline: &mut Pipeline<'_>, state: &CallState<'_>) -> Result<(), Fault> {
        while !pipeline.open.is_empty() {
            let response = self.receive(state.deadline)?;
            pipeline.settle(response, state);
        }
        Ok(())
    }
}

impl Pipeline<'_> {
    /// Gives a response to its call; one without a sequence, to the oldest (C5).
    fn settle(&mut self, response: Response, state: &CallState<'_>) {
        let found = match response.sequence {
            UNREADABLE_CALL => Ok(0),
            sequence => self.open.binary_search_by_key(&sequence, |(open, _)| *open),
        };
        if let Some((_, place)) = found.ok().and_then(|at| self.open.remove(at)) {
            self.batch.settle(place, state.in_time(response));
        }
    }

    fn settle_all(&mut self, calls: &[(i64, usize)], result: &Result<Response, CallError>) {
        for (_, place) in calls {
            self.batch.settle(*place, result.clone());
        }
    }

    /// The calls from this one on were not sent.
    fn settle_unsent(&mut self, from: usize, error: &CallError) {
        for at in from..self.batch.due().len() {
            self.batch.settle(self.batch.due()[at], Err(error.clone()));
        }
    }
}
