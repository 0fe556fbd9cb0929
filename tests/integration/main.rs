//! The integration tests of drpc: one binary, over real sockets. The README beside it maps the kinds of test.
//!
//! Every test names the rule that it proves: S1, W8, or a row of H.

mod absent;
mod access;
mod activation;
mod added_fields;
mod background;
mod batches;
mod budgets;
mod claims;
mod clients;
mod concurrency;
mod connecting;
mod descriptors;
mod dispatch;
mod envelope;
mod errors;
mod expansion;
mod floods;
mod forks;
mod health;
mod hooks;
mod limits;
mod load;
mod looped;
mod matrix;
#[cfg(feature = "metrics")]
mod metrics;
mod middleware;
mod packs;
mod panics;
mod peers;
mod pool;
mod progress;
#[cfg(feature = "reflection")]
mod reflection;
mod restarts;
mod retry;
mod round_trip;
mod sessions;
mod shutdown;
mod sockets;
mod spans;
mod spinning;
mod streams;
mod support;
mod testing;
mod threads;
mod timeouts;
mod ui;
mod uploads;
mod vectors;
mod wires;
