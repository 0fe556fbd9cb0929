//! A file for each command: its arguments, and what it does.

pub(crate) mod bench;
pub(crate) mod registry;
