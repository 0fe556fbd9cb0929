//! What can be seen of sessions and calls from outside: spans of `tracing`, and figures for a recorder of [`metrics`].
//!
//! The guide's chapter on observability lists them all. A span whose level is disabled is not built, and no clock is read for it.

pub(crate) mod client;
mod end;
#[cfg(feature = "metrics")]
pub(crate) mod metrics;
#[cfg(not(feature = "metrics"))]
#[path = "no_metrics.rs"]
pub(crate) mod metrics;
pub(crate) mod peer_log;
pub(crate) mod server;
pub(crate) mod session;
pub(crate) mod side;
pub(crate) mod stream;
mod watch;
