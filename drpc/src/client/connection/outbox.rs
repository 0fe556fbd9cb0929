//! What a connection sends: each call by itself, as far as the socket takes it, and the rest from its outbox.

use std::future::poll_fn;
use std::task::{Context, Poll, Waker};
use std::{io, mem};

use super::shared::{Shared, State, wake};
use crate::client::answers::Key;
use crate::client::descriptors::refused;
use crate::client::error::{CallError, Disconnect};
use crate::client::packs::Packs;
use crate::client::reply::submitted;
use crate::sync::MutexGuard;
use crate::transport::is_peer_gone;
use crate::wire::{Body, Call, CallFields, Control, Head, MessageTooLong, Pack, Packets};

/// No call has this sequence.
const CONTROL: i64 = 0;

/// A call that is not wholly sent, or what is said of one.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// [`CONTROL`] for what is no call.
    pub(super) sequence: i64,
    pub(super) head: Head,
    pub(super) body: Body,
    /// How many of its packets are sent. From the first on it can't be taken back.
    pub(super) sent: u32,
    /// Who waits for no more than that it is sent (C6).
    pub(super) on_sent: Option<Key>,
}

impl Shared {
    pub(super) fn packets<'a>(&self, head: &'a Head, body: &'a Body) -> Result<Packets<'a>, MessageTooLong> {
        Packets::fitting(self.wire, head, body, self.message_limit, self.longest_packet)
    }

    /// Sends a call as far as the socket takes it, and leaves the rest to the driver, with the body. Gives who is to be woken, since
    /// the connection broke.
    pub(super) fn send_now(
        &self,
        state: &mut State,
        call: &mut Call<Body>,
        on_sent: Option<Key>,
    ) -> Result<Vec<Waker>, CallError> {
        let head = call.head();
        let packets = self.packets(&head, &call.body)?;

        let mut unsent = packets.len();
        let mut sent = 0;
        let gathers = state.gathers(&call.body);
        if state.outbox.is_empty() && !gathers {
            for packet in packets {
                match self.link.try_send(&packet) {
                    Ok(()) => {
                        sent += 1;
                        unsent -= 1;
                    }
                    // The driver will find that the server is gone. This call was not under way.
                    Err(error) if is_peer_gone(&error) && sent == 0 => {
                        return Err(CallError::not_connected(Disconnect::ByPeer.into()));
                    }
                    // What a server said before it went is still to be received. The driver does that, finds the same as we
                    // did here, and tells all calls (C7).
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock || is_peer_gone(&error) => break,
                    Err(error) => {
                        if let Some(refused) = refused(&error, &packet) {
                            return Err(refused);
                        }
                        let key = state.calls.take_back(call.sequence).or(on_sent);
                        let mut told = state.break_off(error.into());
                        if let (Some(key), Some(cause)) = (key, state.broken.clone()) {
                            told.extend(state.answers.put(key, Err(CallError::unfinished(cause))));
                        }
                        self.driver.wake();
                        return Ok(told);
                    }
                }
            }
        }
        if unsent == 0 {
            // Nobody waits for it yet.
            let _nobody = on_sent.and_then(|key| state.answers.put(key, Ok(submitted())));
            return Ok(Vec::new());
        }
        let (sequence, body) = (call.sequence, call.body.clone());
        if state.outbox.is_empty() {
            state.gathers = gathers;
            self.driver.wake();
        }
        state.outbox.push_back(Outgoing { sequence, head, body, sent, on_sent });
        Ok(Vec::new())
    }

    /// Says something of a call that has no body.
    pub(super) fn control(&self, state: &mut State, sequence: i64, control: Control) {
        // It is one packet, which is never too long.
        let _ = self.say(state, sequence, control, Body::new());
    }

    /// Says something of a call, as far as the socket takes it, and leaves the rest to the driver. If the connection is no more, whoever
    /// receives will find that.
    pub(super) fn say(
        &self,
        state: &mut State,
        sequence: i64,
        control: Control,
        body: Body,
    ) -> Result<(), MessageTooLong> {
        let added = CallFields { control: Some(control), ..CallFields::default() };
        let call = Call { module: 0, method: 0, sequence, body, added: Some(added.into()) };
        let head = call.head();
        let packets = self.packets(&head, &call.body)?;
        let (mut unsent, mut sent) = (packets.len(), 0);
        if state.outbox.is_empty() {
            for packet in packets {
                match self.link.try_send(&packet) {
                    Ok(()) => {
                        sent += 1;
                        unsent -= 1;
                    }
                    Err(error) if is_peer_gone(&error) => return Ok(()),
                    // The driver tries again, and finds what else is wrong.
                    Err(_) => break,
                }
            }
            if unsent == 0 {
                return Ok(());
            }
            self.driver.wake();
        }
        state.outbox.push_back(Outgoing { sequence: CONTROL, head, body: call.body, sent, on_sent: None });
        Ok(())
    }

    /// Sends what is in the outbox, until the connection is no more.
    pub(super) async fn flush(&self) -> Result<(), Disconnect> {
        loop {
            poll_fn(|context| self.poll_unsent(context)).await?;
            // The call that is first now may be taken back until then.
            self.link.when_there_is_room(|| self.send_next()).await?;
        }
    }

    /// Waits for something in the outbox. The driver is woken when something is put there, unless it is at it already.
    pub(super) fn poll_unsent(&self, context: &Context<'_>) -> Poll<Result<(), Disconnect>> {
        let mut state = self.state();
        let gathers = mem::take(&mut state.gathers);
        match &state.broken {
            Some(_) => Poll::Ready(Err(Disconnect::Closed)),
            None if state.outbox.is_empty() => Poll::Pending,
            None if gathers => {
                // Tasks that are ready, and may call, have their turn first.
                context.waker().wake_by_ref();
                Poll::Pending
            }
            None => Poll::Ready(Ok(())),
        }
    }

    /// Sends what is first in the outbox, as far as the socket takes it.
    pub(super) fn send_next(&self) -> io::Result<()> {
        let mut state = self.state();
        match state.pack() {
            Some((pack, calls)) if self.send_pack(&pack)? => {
                let sent = state.outbox.drain(..calls).filter_map(|call| call.on_sent).collect();
                self.are_sent(state, sent);
                Ok(())
            }
            _ => self.send_first(state),
        }
    }

    /// Sends a pack; false if that can't be done, and each of its calls is to be sent by itself.
    pub(super) fn send_pack(&self, pack: &Call<Body>) -> io::Result<bool> {
        let head = pack.head();
        let Ok(packets) = self.packets(&head, &pack.body) else { return Ok(false) };
        for packet in packets {
            match self.link.try_send(&packet) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
                Err(_) => return Ok(false),
                Ok(()) => {}
            }
        }
        Ok(true)
    }

    /// Sends the first call in the outbox, as far as the socket takes it.
    pub(super) fn send_first(&self, mut state: MutexGuard<'_, State>) -> io::Result<()> {
        let Some(Outgoing { head, body, sent, .. }) = state.outbox.front_mut() else {
            self.are_sent(state, Vec::new());
            return Ok(());
        };
        let packets = self.packets(head, body).map_err(io::Error::other)?;
        let mut is_refused = None;
        for packet in packets.skip_sent(*sent) {
            if let Err(error) = self.link.try_send(&packet) {
                is_refused = Some(refused(&error, &packet).ok_or(error)?);
                break;
            }
            *sent += 1;
        }
        if let Some(error) = is_refused {
            let told = state.refuse_first(error);
            self.are_sent(state, Vec::new());
            wake(told);
            return Ok(());
        }
        let on_sent = state.outbox.pop_front().and_then(|call| call.on_sent);
        self.are_sent(state, on_sent.into_iter().collect());
        Ok(())
    }

    /// Tells those who wait for no more than that.
    pub(super) fn are_sent(&self, mut state: MutexGuard<'_, State>, on_sent: Vec<Key>) {
        let mut told: Vec<_> =
            on_sent.into_iter().filter_map(|key| state.answers.put(key, Ok(submitted()))).collect();
        told.extend(state.no_longer_held_up());
        drop(state);
        wake(told);
    }
}

impl State {
    /// Whether a call waits a turn, as it is in company and others may be about to be made.
    #[inline]
    pub(super) fn gathers(&self, body: &Body) -> bool {
        self.packs == Packs::Taken && self.calls.len() > 1 && body.len() <= Pack::LONGEST
    }

    /// What is first in the outbox as one message, and how many calls that has, if these are several.
    pub(super) fn pack(&self) -> Option<(Call<Body>, usize)> {
        if self.packs != Packs::Taken || self.outbox.len() < 2 {
            return None;
        }
        let mut pack = Pack::default();
        let whole = self.outbox.iter().take_while(|call| call.sent == 0);
        let calls = whole.take_while(|call| pack.put(&call.head, &call.body)).count();
        (calls > 1).then(|| (pack.into_call(), calls))
    }

    /// The kernel does not send the first call in the outbox. Gives who is to be woken.
    #[must_use]
    pub(super) fn refuse_first(&mut self, error: CallError) -> Option<Waker> {
        let call = self.outbox.pop_front()?;
        let key = self.calls.take_back(call.sequence).or(call.on_sent)?;
        self.answers.put(key, Err(error))
    }

    /// The streams that have waited for an empty outbox, to be woken if it is.
    #[must_use]
    pub(super) fn no_longer_held_up(&mut self) -> Vec<Waker> {
        match self.outbox.is_empty() {
            true => self.held_up.drain(..).map(|outgo| outgo.waker()).collect(),
            false => Vec::new(),
        }
    }
}
