//! The streams of a session in threads: one thread sends for all of them, as long as there are any. A handler that takes a stream may
//! block for its items, and has a thread of its own.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_util::stream::{SelectAll, StreamExt};

use super::parking::Parking;
use super::session::SessionState;
use crate::dispatch::outflow::{HandlerElsewhere, Outflow};
use crate::handler::failure::Failure;

/// The streams that are to be sent.
#[derive(Default)]
pub(super) struct Streams(Mutex<State>);

#[derive(Default)]
struct State {
    /// Those that the thread has not taken yet.
    opened: VecDeque<Box<Outflow>>,
    has_thread: bool,
    /// Wakes the thread, once it may wait.
    thread: Option<Waker>,
}

impl Streams {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionState {
    /// Has the items of a stream sent, behind the response that opened it.
    pub(super) fn send_stream(self: &Arc<Self>, mut stream: Box<Outflow>) {
        if let Some(handler) = stream.take_handler()
            && let Err(error) = self.spawn_thread("-stream", |state| state.carry_out_handler(handler))
        {
            return self.reply(stream.fail(no_thread(&error)), 1);
        }
        let mut state = self.streams.state();
        state.opened.push_back(stream);
        if state.has_thread {
            let thread = state.thread.clone();
            drop(state);
            return thread.into_iter().for_each(Waker::wake);
        }
        state.has_thread = true;
        drop(state);
        if let Err(error) = self.spawn_thread("-streams", SessionState::send_streams) {
            let mut state = self.streams.state();
            state.has_thread = false;
            let opened = std::mem::take(&mut state.opened);
            drop(state);
            for mut stream in opened {
                self.reply(stream.fail(no_thread(&error)), 1);
            }
        }
    }

    /// The thread of a handler that takes a stream.
    fn carry_out_handler(self: &Arc<Self>, mut handler: HandlerElsewhere) {
        let mut parking = Parking::default();
        let waker = parking.waker();
        let mut context = Context::from_waker(&waker);
        let mut cut = pin!(self.connection.cut.cancelled());
        while cut.as_mut().poll(&mut context).is_pending() && handler.poll(&mut context).is_pending() {
            parking.park(None, None);
        }
    }

    /// The thread of the streams.
    fn send_streams(self: &Arc<Self>) {
        let mut parking = Parking::default();
        let waker = parking.waker();
        let mut context = Context::from_waker(&waker);
        let mut cut = pin!(self.connection.cut.cancelled());
        let mut streams = SelectAll::new();
        loop {
            let is_cut = cut.as_mut().poll(&mut context).is_ready();
            let mut state = self.streams.state();
            state.thread.get_or_insert_with(|| waker.clone());
            streams.extend(state.opened.drain(..));
            if is_cut || streams.is_empty() {
                (state.has_thread, state.thread) = (false, None);
                return;
            }
            drop(state);
            match streams.poll_next_unpin(&mut context) {
                Poll::Ready(Some(response)) => self.reply(response, 0),
                Poll::Ready(None) => {}
                Poll::Pending => self.park(&parking, None),
            }
        }
    }
}

fn no_thread(error: &io::Error) -> Failure {
    format!("the server can have no thread for the stream: {error}").into()
}
