//! What is fuzzed: each target takes any bytes, and panics where a promise is broken.
//!
//! Those of `session`, `streams`, `client`, `grpc` and `attribute` are read by `arbitrary`, as what such a promise is about.

mod attribute;
mod client;
mod grpc;
mod packets;
mod registry;
mod server;
mod session;
mod socket;
mod streams;
mod wire;

pub use attribute::attribute;
pub use client::client;
pub use grpc::grpc;
pub use registry::registry;
pub use session::session;
pub use streams::streams;
pub use wire::{codec, envelope};

/// A promise to be broken: its name, and the function that tries.
pub type Target = (&'static str, fn(&[u8]));

pub const TARGETS: [Target; 8] = [
    ("codec", codec),
    ("envelope", envelope),
    ("registry", registry),
    ("session", session),
    ("streams", streams),
    ("client", client),
    ("grpc", grpc),
    ("attribute", attribute),
];
