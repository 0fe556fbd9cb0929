//! Where the two processes run, and whether the cores may sleep: what decides most of the time of a short call.
//!
//! A waiting process sleeps, and where nothing else runs its core sleeps too. To wake a core costs 2 µs on hardware, and
//! 20 to 30 in a virtual machine; and whether it happens at all is the scheduler's choice, which puts two
//! processes that call each other now on one core and now on two. Left alone, the same call takes 4 µs or 70.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, available_parallelism};

use anyhow::{Context, Result};
use clap::ValueEnum;
use rustix::thread::{CpuSet, sched_setaffinity};
use serde::{Deserialize, Serialize};

/// Where the two processes run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
pub(crate) enum Placement {
    /// Where the scheduler likes, on cores that never sleep.
    Awake,
    /// Both on one core: the work alone, without any overlap of the two.
    OneCore,
    /// Each on a core of its own, which sleeps while its process waits.
    Asleep,
}

impl Placement {
    pub(crate) const ALL: [Placement; 3] = [Placement::Awake, Placement::OneCore, Placement::Asleep];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Placement::Awake => "cores awake",
            Placement::OneCore => "one core",
            Placement::Asleep => "cores asleep",
        }
    }

    /// The only core that the server may use; `None` for any.
    pub(crate) fn server_core(self) -> Option<usize> {
        match self {
            Placement::Awake => None,
            Placement::OneCore | Placement::Asleep => Some(0),
        }
    }

    /// The only core that the client may use; `None` for any.
    pub(crate) fn client_core(self) -> Option<usize> {
        match self {
            Placement::Awake => None,
            Placement::OneCore => Some(0),
            Placement::Asleep => Some(1 % cores()),
        }
    }

    /// What must be held during a measurement.
    pub(crate) fn prepare(self) -> Option<KeepAwake> {
        (self == Placement::Awake).then(KeepAwake::begin)
    }
}

/// Lets this process, which must not have started threads yet, run on one core alone.
pub(crate) fn pin(core: Option<usize>) -> Result<()> {
    let Some(core) = core else { return Ok(()) };
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).with_context(|| format!("pinning to core {core}"))
}

/// Keeps all cores from sleeping by threads that run only where nothing else wants to. Dropped, it ends.
pub(crate) struct KeepAwake(Arc<AtomicBool>);

impl KeepAwake {
    fn begin() -> KeepAwake {
        let stop = Arc::new(AtomicBool::new(false));
        for core in 0..cores() {
            let stop = stop.clone();
            thread::spawn(move || {
                // Without these it would be in the way of what is measured: then rather not at all.
                if pin(Some(core)).is_ok() && yield_to_all_others() {
                    while !stop.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                }
            });
        }
        KeepAwake(stop)
    }
}

impl Drop for KeepAwake {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Puts this thread into the class that the scheduler treats as an idle core.
#[allow(unsafe_code, reason = "no safe crate of ours knows the scheduling classes")]
fn yield_to_all_others() -> bool {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: the pointer is to a live `sched_param`, which the call only reads; 0 is the calling thread.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &parameters) == 0 }
}

fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}
