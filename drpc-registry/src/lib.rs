//! The central registry of dRPC module and method IDs: read, checked, looked up, compared and written.
//!
//! A module ID names a *contract*, and a contract's methods own the IDs `module * 100` to `module * 100 + 99`.
//! One file lists them all, as TOML or as the C header that DAOS keeps, and everything else is checked against it:
//! `drpc-build` in a build script, `#[drpc_module]` at the ID's literal, and the `drpc` tool by hand.
//!
//! ```
//! use drpc_registry::Registry;
//!
//! let registry = Registry::parse(
//!     "modules.toml",
//!     r#"
//!     [[module]]
//!     id = 5
//!     name = "greeter"
//!
//!     [[module.method]]
//!     number = 1
//!     name = "hello"
//!     "#,
//! )?;
//!
//! let greeter = registry.module_named("greeter").expect("listed above");
//! assert_eq!(greeter.method_named("hello").map(|method| method.id), Some(501));
//! assert_eq!(registry.next_free_id(), Some(6));
//! # Ok::<(), drpc_registry::RegistryError>(())
//! ```
//!
//! # The TOML form
//!
//! ```toml
//! [[module]]
//! id = 5                            # any i32 whose hundred method IDs fit an i32 too, up to 21474799
//! name = "greeter"                  # unique over the registry; lower_snake_case
//! doc = "Greets people."            # optional
//! owners = ["greeterd"]             # optional: the packages that may implement it; without it, any may
//! remote = true                     # optional: other hosts may reach the module, through a server that lets them in
//!
//! [[module.method]]
//! number = 1                        # 0 to 99 within the module; or `id = 501`
//! name = "hello"                    # unique within the module
//! doc = "Greets a person by name."  # optional
//!
//! [[module.reserved]]
//! number = 2                        # or `id = 502`
//! reason = "was `shout` in 1.0"
//! ```
//!
//! # The C header form
//!
//! ```c
//! enum drpc_module {
//!     DRPC_MODULE_GREETER = 5, /* Greets people. */
//!
//!     NUM_DRPC_MODULES
//! };
//!
//! enum drpc_greeter_method {
//!     DRPC_METHOD_GREETER_HELLO = 501, /* Greets a person by name. */
//!     /* reserved 502: was `shout` in 1.0 */
//!
//!     NUM_DRPC_GREETER_METHODS
//! };
//! ```
//!
//! An enumeration may be written in any way that C has: with `typedef`, a type, attributes, and values that are integers or made of integers
//! and earlier entries (`DRPC_MODULE_GREETER * 100 + 1`).
//!
//! A comment on an entry's own line is its doc; a comment `reserved ID: reason` on a line of its own reserves an ID (or several:
//! `503, 507`, `503 to 509`), and every other number that is left out between a module's methods counts as reserved too, as it does for DAOS:
//! also in a header that was made of TOML, which may leave it free.
//! The header has no place for owners, nor for `remote`: its modules are reached from their own host alone.
//!
//! What the preprocessor could make of the list is an error, so that no ID is another one than the compiler's: a condition
//! other than a guard around all of it, an `#include`, a macro in place of a number.

mod check;
pub mod contract;
mod diff;
mod draft;
mod emit;
mod header_form;
mod manifest;
mod names;
mod read;
mod registry;
mod report;
mod source;
mod suggest;
mod toml_form;

pub use diff::{Change, ChangeKind, Severity, compare};
pub use emit::{GoPackage, InvalidGoPackage, doc_text};
pub use manifest::{Manifests, name_of_drpc};
pub use names::module_name_of;
pub use registry::{MethodEntry, ModuleEntry, Registry, ReservedEntry};
pub use report::{Mistake, RegistryError};
pub use source::Location;
pub use suggest::closest;
