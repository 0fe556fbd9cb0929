//! The tool as a user sees it: exit code, stdout and stderr of its commands, and of the ways in which they fail.
//!
//! After a change on purpose, `SNAPSHOTS=overwrite cargo test -p drpc-cli --test tool` writes the expected texts anew: read the
//! difference before you commit it.

mod bench;
mod call;
mod grpc;
mod help;
mod names;
mod page;
mod ping;
mod registry;
mod serve;
mod shells;
mod shop;
mod support;
mod top;
mod traffic;
mod workspace;
