//! Everything that generated code names besides the public API, and nothing else. No part of the API: it changes
//! without notice.

#[cfg(feature = "described")]
mod description;
mod details;
mod error;
mod handler;
mod requested;
mod returned;
mod stream;

pub use std::boxed::Box;
pub use std::sync::Arc;

pub use bytes::Bytes;
pub use inventory;

#[cfg(feature = "described")]
pub use self::description::{Asked, Carried, MethodDescription, Unnamed, carried};
pub use self::details::{Field, VariantDetails, failing, field};
pub use self::error::{
    BorrowsConversion, BorrowsNothing, BorrowsText, HasConversion, HasNoText, HoldsError, HoldsLocalError,
    HoldsSendError, IntoFailure, IsError, IsLocalError, IsNoError, IsShown, Raised, raise_borrowed,
    raise_own,
};
pub use self::handler::{
    Declares, FromContext, HandlerReceiver, ModuleType, is_declared, is_module, module_id, unknown_method,
    unread,
};
pub use self::requested::{
    Is, Reading, Requested, StaysHere, Travels, assert_fds, assert_item, assert_payload,
    assert_payload_with_fds, reading, travels, travels_or_not,
};
pub use self::returned::{
    Kind, NEITHER, Otherwise, REPLY, RESULT, Returned, assert_reply, assert_reply_with_fds, assert_returned,
    assert_returned_with_fds, kind,
};
pub use self::stream::{Outlet, stream, taking};
/// The crate: what generated code imports, so that all of it fails at once where it was told of another.
pub use crate as root;
pub use crate::dispatch::registry::ModuleDescriptor;
pub use crate::handler::module::HandlerFuture;
pub use crate::handler::reply::IntoReply;

/// The client that a generated stub takes if no other is named.
#[cfg(feature = "client")]
pub type DefaultCaller = crate::Client;
/// The client that a generated stub takes if no other is named.
#[cfg(all(feature = "blocking", not(feature = "client")))]
pub type DefaultCaller = crate::blocking::Client;
/// The client that a generated stub takes if no other is named.
#[cfg(not(any(feature = "client", feature = "blocking")))]
pub type DefaultCaller = ();
