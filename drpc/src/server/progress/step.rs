/// What a step did.
///
/// ```no_run
/// use std::time::Duration;
///
/// use drpc::progress::Server;
///
/// let mut server = Server::builder().bind_progress("/run/greeter.sock")?;
/// let step = server.progress(Duration::from_millis(10))?;
/// if !step.is_idle() {
///     println!("{} connections, {} calls, {} replies", step.accepted(), step.calls(), step.replies());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub(super) accepted: usize,
    pub(super) calls: usize,
    pub(super) replies: usize,
    pub(super) closed: usize,
    /// Whether the step was woken by anything at all.
    pub(super) woken: bool,
}

impl Progress {
    /// Whether there was nothing to do within the time-out, which is no error ([S9](crate::guide::rules#server)).
    #[must_use]
    pub fn is_idle(&self) -> bool {
        *self == Progress::default()
    }

    /// How many connections were accepted.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.accepted
    }

    /// How many calls have come.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls
    }

    /// How many calls have been answered, and the answer sent whole or its client found gone.
    #[must_use]
    pub fn replies(&self) -> usize {
        self.replies
    }

    /// How many sessions have ended.
    #[must_use]
    pub fn closed(&self) -> usize {
        self.closed
    }
}
