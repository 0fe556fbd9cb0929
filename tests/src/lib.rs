//! The tests of the workspace over real sockets: see `integration/`, and the README for a map. Here is what the cases in `ui/` share.

pub mod messages;
