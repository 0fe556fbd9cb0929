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

use super::wakeup::Wakeup;

/// How many sockets are looked at in one step. The kernel gives the others the next time, before these.
const READY_PER_STEP: usize = 256;

/// The longest time that `epoll_wait` takes: 24 days.
const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);

/// What is waited for, and what it was last ready for.
///
/// All of it is level-triggered: what a step leaves undone is ready again at the next.
pub(crate) struct Poller {
    epoll: OwnedFd,
    wakeup: Arc<Wakeup>,
    waker: Waker,
}

/// What the last wait found, and was not taken yet.
pub(crate) type Found = VecDeque<Ready>;

/// Something that is ready.
pub(crate) struct Ready {
    /// What it is, as it was added.
    pub(crate) token: u64,
    pub(crate) flags: EventFlags,
}

impl Poller {
    /// What is ready when the [`waker`](Self::waker) was called.
    pub(crate) const WAKEUP: u64 = u64::MAX;

    pub(crate) fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let wakeup = Wakeup::new()?;
        epoll::add(&epoll, &wakeup, EventData::new_u64(Self::WAKEUP), EventFlags::IN)?;
        let waker = Waker::from(wakeup.clone());
        Ok(Poller { epoll, wakeup, waker })
    }

    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Waits until something is ready, a signal comes, or the time is over ([`Duration::MAX`] never is).
    pub(crate) fn wait(&self, timeout: Duration, found: &mut Found) -> io::Result<()> {
        found.clear();
        self.fall_asleep();
        let timeout =
            if timeout == Duration::MAX { None } else { Timespec::try_from(timeout.min(LONGEST)).ok() };
        let mut events = [const { MaybeUninit::uninit() }; READY_PER_STEP];
        let events: &[Event] = match epoll::wait(&self.epoll, &mut events, timeout.as_ref()) {
            Ok((events, _)) => events,
            Err(Errno::INTR) => &[],
            Err(errno) => return Err(errno.into()),
        };
        found.extend(events.iter().map(|event| Ready { token: event.data.u64(), flags: event.flags }));
        Ok(())
    }

    /// Lets the waker write nothing until the loop [falls asleep](Self::fall_asleep), and forgets its calls up to now: to be called before
    /// looking at all that they may be for. True if it was called.
    pub(crate) fn stay_awake(&self) -> bool {
        self.wakeup.stay_awake()
    }

    /// Ends a step that was awake.
    pub(crate) fn fall_asleep(&self) {
        self.wakeup.fall_asleep();
    }

    /// Forgets the calls of the waker up to now. What was done before them is visible from here on.
    pub(crate) fn clear_wakeup(&self) {
        self.wakeup.clear();
    }

    pub(crate) fn add(&self, source: impl AsFd, token: u64, flags: EventFlags) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, source, EventData::new_u64(token), flags)?)
    }

    pub(crate) fn modify(&self, source: impl AsFd, token: u64, flags: EventFlags) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, source, EventData::new_u64(token), flags)?)
    }

    pub(crate) fn delete(&self, source: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, source)?)
    }
}

impl AsFd for Poller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}
