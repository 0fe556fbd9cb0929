//! What a step waits for: sockets, and a nudge from another thread. The one place of epoll.

use std::collections::VecDeque;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;

use crate::server::wakeup::Wakeup;

/// How many sockets are looked at in one step. The kernel gives the others the next time, before these.
const READY_PER_STEP: usize = 256;

/// The longest time that `epoll_wait` takes: 24 days.
const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);

/// What is waited for, and what it was last ready for.
///
/// All of it is level-triggered: what a step leaves undone is ready again at the next.
pub(super) struct Poller {
    epoll: OwnedFd,
    /// What the last wait found, and was not taken yet.
    ready: VecDeque<Ready>,
    wakeup: Arc<Wakeup>,
    waker: Waker,
}

/// Something that is ready.
pub(super) struct Ready {
    /// What it is, as it was added.
    pub(super) token: u64,
    pub(super) flags: EventFlags,
}

impl Poller {
    /// What is ready when the [`waker`](Self::waker) was called.
    pub(super) const WAKEUP: u64 = u64::MAX;

    pub(super) fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let wakeup = Wakeup::new()?;
        epoll::add(&epoll, &wakeup, EventData::new_u64(Self::WAKEUP), EventFlags::IN)?;
        let waker = Waker::from(wakeup.clone());
        Ok(Poller { epoll, ready: VecDeque::with_capacity(READY_PER_STEP), wakeup, waker })
    }

    pub(super) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Waits until something is ready, a signal comes, or the time is over ([`Duration::MAX`] never is); [`next`](Self::next) has
    /// the outcome.
    pub(super) fn wait(&mut self, timeout: Duration) -> io::Result<()> {
        self.ready.clear();
        let timeout =
            if timeout == Duration::MAX { None } else { Timespec::try_from(timeout.min(LONGEST)).ok() };
        let mut events = [const { MaybeUninit::uninit() }; READY_PER_STEP];
        let events: &[Event] = match epoll::wait(&self.epoll, &mut events, timeout.as_ref()) {
            Ok((events, _)) => events,
            Err(Errno::INTR) => &[],
            Err(errno) => return Err(errno.into()),
        };
        self.ready.extend(events.iter().map(|event| Ready { token: event.data.u64(), flags: event.flags }));
        Ok(())
    }

    /// The next that the last wait found ready.
    pub(super) fn next(&mut self) -> Option<Ready> {
        self.ready.pop_front()
    }

    /// Forgets the calls of the waker up to now. What was done before them is visible from here on.
    pub(super) fn clear_wakeup(&self) {
        self.wakeup.clear();
    }

    pub(super) fn add(&self, source: impl AsFd, token: u64, flags: EventFlags) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, source, EventData::new_u64(token), flags)?)
    }

    pub(super) fn modify(&self, source: impl AsFd, token: u64, flags: EventFlags) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, source, EventData::new_u64(token), flags)?)
    }

    pub(super) fn delete(&self, source: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, source)?)
    }
}

impl AsFd for Poller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}
