//! A file for each command: its arguments, and what it does.

pub(crate) mod bench;
pub(crate) mod call;
pub(crate) mod completions;
pub(crate) mod describe;
pub(crate) mod grpc;
pub(crate) mod health;
pub(crate) mod man;
pub(crate) mod ping;
pub(crate) mod registry;
pub(crate) mod replay;
pub(crate) mod serve;
pub(crate) mod show;
pub(crate) mod top;
pub(crate) mod trace;
