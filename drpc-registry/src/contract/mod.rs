//! What modules promise those who call them: methods under their IDs, and the messages that travel under these, field by field.
//!
//! A contract is kept as a text in the project's repository; the test that writes it and the command that compares two of them, the
//! guide of the `drpc` crate explains. Here is the text, read and written, and what changed from one to the next:
//!
//! ```
//! use drpc_registry::contract::{Contract, compare};
//!
//! let old = "drpc contract 1
//!
//! module 5 greeter
//!     method 501 hello
//!         request hello.Hello
//!         reply ()
//!
//! message hello.Hello
//!     1 name: string
//! ";
//! let new = old.replace("1 name", "2 name");
//! let old = Contract::parse("contract.txt", old)?;
//! let new = Contract::parse("contract.txt", &new)?;
//!
//! let changes = compare(&old, &new);
//! assert!(changes[0].is_breaking());
//! assert_eq!(
//!     changes[0].to_string(),
//!     "breaking: field `name` of `hello.Hello` had number 1 and now has 2 (greeter.hello's request)"
//! );
//! # Ok::<(), drpc_registry::contract::ContractError>(())
//! ```

mod diff;
mod model;
mod text;

pub use diff::{Change, compare};
pub use model::{
    Body, Contract, Definition, Enum, Field, FieldType, Label, Message, Method, Module, Reserved, Scalar,
};
pub use text::{ContractError, is_contract};
