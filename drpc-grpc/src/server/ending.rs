//! How far the end of a server has come, for those who are part of it.

use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;

/// The calls' end of it.
#[derive(Clone)]
pub(super) struct Ending(watch::Receiver<Stage>);

/// The server's end of it. Dropped, it cuts what still runs.
pub(crate) struct Ends(watch::Sender<Stage>);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Serving,
    /// Calls that are under way are finished (S7).
    Draining,
    /// Nothing is waited for any more.
    Cut,
}

/// How long it may take to tell callers that their calls were cut.
const GOODBYE: Duration = Duration::from_secs(1);

pub(super) fn ending() -> (Ends, Ending) {
    let (sender, receiver) = watch::channel(Stage::Serving);
    (Ends(sender), Ending(receiver))
}

impl Ending {
    /// Waits until calls had better come to their end.
    pub(super) async fn begins(&self) {
        self.is(Stage::Draining).await;
    }

    /// Waits until calls are cut.
    pub(super) async fn cuts(&self) {
        self.is(Stage::Cut).await;
    }

    /// Whether calls are cut.
    pub(super) fn is_cut(&self) -> bool {
        *self.0.borrow() >= Stage::Cut || self.0.has_changed().is_err()
    }

    /// Once the server itself is no more, every stage has come.
    async fn is(&self, stage: Stage) {
        let _ = self.0.clone().wait_for(|now| *now >= stage).await;
    }
}

impl Ends {
    pub(super) fn begin(&self) {
        self.0.send_replace(Stage::Draining);
    }

    /// Once it has begun, gives the calls their time, then cuts them, and is done when their callers have had time to learn of it.
    pub(super) fn cut_after(&self, time: Duration) -> impl Future<Output = ()> + use<> {
        let (ending, sender) = (Ending(self.0.subscribe()), self.0.clone());
        async move {
            ending.begins().await;
            tokio::time::sleep(time).await;
            sender.send_replace(Stage::Cut);
            tokio::time::sleep(GOODBYE).await;
        }
    }
}
