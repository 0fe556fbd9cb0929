use anyhow::Result;

use crate::job::{Job, Setup};
use crate::setting::Load;

/// A system under measurement: what the process of its server and that of its client do.
pub(crate) trait Subject: Sync {
    /// What its column is headed.
    fn name(&self) -> &'static str;

    /// One line about it.
    fn about(&self) -> &'static str;

    /// The runtimes that it is measured on, by the number of their threads.
    fn workers(&self) -> &'static [usize] {
        &[1, 2]
    }

    /// Whether it can carry such a load, and comes through with bodies of this size in reasonable time.
    fn takes(&self, load: Load, size: usize) -> bool {
        let _ = (load, size);
        true
    }

    /// What it is measured for.
    fn kind(&self) -> Kind;

    /// Serves until the process is ended.
    fn serve(&self, setup: &Setup) -> Result<()>;

    /// Carries a job out.
    fn call(&self, job: &Job) -> Result<()>;
}

/// What a subject is measured for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The kernel alone.
    Floor,
    /// The kernel alone, under conditions of its own: measured only when asked for.
    SpecialFloor,
    /// drpc.
    Ours,
    /// An RPC that a user could pick instead.
    Peer,
    /// gRPC between hosts, over TCP: held against its own kind, one call at a time.
    BetweenHosts,
    /// What a user could pick instead who wants no more than to move bytes.
    Transport,
}
