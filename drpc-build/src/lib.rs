//! Build-script helper of drpc: checks the registry of module IDs, generates messages and constants.
//!
//! ```no_run
//! // build.rs
//! fn main() -> Result<(), drpc_build::Error> {
//!     drpc_build::configure()
//!         .registry("../proto/modules.toml")
//!         .compile_protos(&["../proto/hello.proto"], &["../proto"])
//! }
//! ```
//!
//! It generates constants from the registry, for `drpc::include_registry!()`, and prost messages from the `.proto` files, for
//! `drpc::include_proto!("hello")`; `protoc` is not needed. It tells `#[drpc_module]` where the registry is, so that an ID that contradicts
//! it is an error at that ID. A mistake in the registry or in a `.proto` file stops the build, and is shown where it is.
//!
//! The script runs again only if the registry, a file that is made of it beside the constants, a `.proto` file that is named or imported, the
//! contents of an include folder, or Cargo.toml change (the last only where `.proto` files are compiled: it says what the `drpc` crate is called).
//!
//! A `service` generates no code: a cargo warning names it, and says what to write.
//!
//! The messages' descriptors are kept in `OUT_DIR`, for `drpc::include_descriptors!()`: with them, a test guards the messages against
//! breaking changes (see the guide's chapter on contracts), and a server's reflection tells of them. Including them adds only the size of
//! `drpc_descriptors.bin`, which holds no comments. All of DAOS's, 135 messages and enums with 490 fields, are 20 kB.
//!
//! Both halves are optional: [`generate`](Builder::generate) needs no `.proto` files, and [`compile_protos`](Builder::compile_protos) no
//! registry.

mod builder;
mod descriptors;
mod error;
mod leftovers;
mod protos;
mod watch;
mod write;

pub use builder::{Builder, configure};
pub use drpc_registry::{Registry, RegistryError};
pub use error::Error;
pub use prost_build;
