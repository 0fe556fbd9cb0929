//! The server on tokio: a task for each session.

mod accept;
mod bind;
mod idle;
mod queue;
mod rest;
pub(crate) mod session;
pub(crate) mod shared;
mod stage;
mod tasks;

pub use accept::Server;
