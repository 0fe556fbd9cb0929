//! What the programs tell of themselves: a line each, on standard output.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt, reload};

/// Changes what is told.
pub(crate) type Filter = reload::Handle<Targets, Registry>;

/// Begins to tell what is of interest.
pub(crate) fn init() -> Filter {
    let (filter, handle) = reload::Layer::new(usual());
    let lines = fmt::layer().with_ansi(false).without_time().with_target(false).compact();
    tracing_subscriber::registry().with(filter).with(lines).init();
    handle
}

/// What is told unless somebody asks for more, or less.
pub(crate) fn usual() -> Targets {
    Targets::new().with_default(LevelFilter::INFO)
}
