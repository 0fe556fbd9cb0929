//! Whether this is still the process that something was made in. After a `fork` without `exec`, parent and child share a connection, and
//! each would take the other's replies.

use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

/// How often this process, and those that it comes from, were forked since [`generation`] was first asked.
static GENERATION: AtomicU64 = AtomicU64::new(0);

static WATCHED: Once = Once::new();

/// A number that is another one in a child, however often it is forked. To ask is a load.
#[inline]
pub(crate) fn generation() -> u64 {
    if !WATCHED.is_completed() {
        watch();
    }
    GENERATION.load(Ordering::Relaxed)
}

#[cold]
#[allow(unsafe_code, reason = "to ask for the process's number each time is a system call")]
fn watch() {
    WATCHED.call_once(|| {
        // SAFETY: the handler is a function of this program that lives as long as it does, and does nothing but to add to an atomic, which is safe in a
        // child of a process with several threads. If there is no memory for it, forks are not noticed.
        unsafe { libc::pthread_atfork(None, None, Some(forked)) };
    });
}

extern "C" fn forked() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}
