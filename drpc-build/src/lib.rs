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
//! From the registry come constants, which `drpc::include_registry!()` includes, and from the `.proto` files prost
//! messages, which `drpc::include_proto!("hello")` includes; `protoc` is not needed. `#[drpc_module]` is told where
//! the registry is, so that an ID that does not agree with it is an error at that ID. A mistake in the registry or in
//! a `.proto` file stops the build and is shown with its place.
//!
//! The script runs again when the registry changes, a `.proto` file that is named or imported, or what is in a folder where
//! these are looked for, and only then.
//!
//! No code is made of a `service`: a warning of cargo names it, and says what to write.
//!
//! The messages' descriptors are kept in `OUT_DIR`, and `drpc::include_descriptors!()` includes them: with them, a test sees to it that
//! the messages stay what they were (the guide's chapter on contracts).
//!
//! Both halves are optional: [`generate`](Builder::generate) does without `.proto` files, and
//! [`compile_protos`](Builder::compile_protos) without a registry.

mod builder;
mod descriptors;
mod error;
mod leftovers;
mod protos;
mod watch;

pub use builder::{Builder, configure};
pub use drpc_registry::{Registry, RegistryError};
pub use error::Error;
pub use prost_build;
