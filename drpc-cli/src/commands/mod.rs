//! A file for each command: its arguments, and what it does.

pub(crate) mod registry;
