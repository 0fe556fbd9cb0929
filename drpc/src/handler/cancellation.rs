use std::sync::atomic::{AtomicU8, Ordering};

use event_listener::Event;

/// Why a call's reply is no longer of use, or soon won't be: the first of these that happened.
///
/// ```
/// use drpc::{Cancelled, Context, Failure, drpc_module};
///
/// struct Copier;
///
/// #[drpc_module(id = 9)]
/// impl Copier {
///     #[method(1)]
///     async fn copy(&self, context: &Context) -> Result<(), Failure> {
///         context.cancelled().await;
///         match context.cancellation() {
///             Some(Cancelled::CallerLeft) => Ok(()), // nobody reads this
///             _ => Err("stopped: call again".into()),
///         }
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cancelled {
    /// The caller has closed its connection, or the connection broke ([S6](crate::guide::rules#server)).
    CallerLeft,
    /// The server shuts down ([S7](crate::guide::rules#server)). The caller still waits, and is answered if the handler is done in time.
    ShuttingDown,
    /// The server closes this session alone: [`Session::close`](crate::Session::close). The caller still waits.
    SessionClosed,
    /// The caller has dropped this call, or its time was over, and its client [tells](crate::AddedFields::CANCEL) of that; its connection
    /// goes on.
    CallerGaveUp,
}

/// A reason that comes once and can be waited for, on any runtime or none.
#[derive(Default)]
pub(crate) struct Cancellation {
    /// 0, or the reason.
    reason: AtomicU8,
    event: Event,
}

const REASONS: [Cancelled; 4] =
    [Cancelled::CallerLeft, Cancelled::ShuttingDown, Cancelled::SessionClosed, Cancelled::CallerGaveUp];

impl Cancellation {
    /// Gives the reason, unless there is one already.
    pub(crate) fn cancel(&self, reason: Cancelled) {
        let code = REASONS.iter().position(|known| *known == reason).map_or(0, |place| place as u8 + 1);
        let _ = self.reason.compare_exchange(0, code, Ordering::AcqRel, Ordering::Acquire);
        self.event.notify(usize::MAX);
    }

    pub(crate) fn reason(&self) -> Option<Cancelled> {
        let code = self.reason.load(Ordering::Acquire);
        REASONS.get(usize::from(code).wrapping_sub(1)).copied()
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.reason.load(Ordering::Acquire) != 0
    }

    pub(crate) async fn cancelled(&self) {
        while !self.is_cancelled() {
            let listener = self.event.listen();
            // Looked at again: the reason may have come before the listener was there.
            if !self.is_cancelled() {
                listener.await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_stays() {
        for first in REASONS {
            let cancellation = Cancellation::default();
            assert_eq!(cancellation.reason(), None);
            cancellation.cancel(first);
            REASONS.iter().for_each(|later| cancellation.cancel(*later));
            assert_eq!(cancellation.reason(), Some(first));
        }
    }
}
