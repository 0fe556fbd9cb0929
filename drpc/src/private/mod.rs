//! Everything that generated code names besides the public API, and nothing else. No part of the API: it changes
//! without notice.

mod error;
mod handler;
mod returned;

use std::future::Future;
use std::pin::Pin;

pub use std::boxed::Box;
pub use std::sync::Arc;

pub use bytes::Bytes;
pub use inventory;

pub use self::error::{
    HasConversion, HoldsError, HoldsLocalError, HoldsSendError, IntoFailure, IsError, IsLocalError, IsNoError, Raised, raise,
};
pub use self::handler::{
    Declares, FromContext, HandlerReceiver, ModuleType, decode, is_declared, is_module, module_id, unknown_method, unread,
};
pub use self::returned::{Kind, NEITHER, Otherwise, REPLY, RESULT, Returned, assert_reply, assert_returned, kind};
pub use crate::registry::ModuleDescriptor;
pub use crate::reply::IntoReply;
use crate::{Failure, Payload, Reply};

/// What `Module::handle_call` returns once async-trait has rewritten it.
pub type HandlerFuture<'a> = Pin<Box<dyn Future<Output = Result<Reply, Failure>> + Send + 'a>>;

/// The client that a generated stub takes if no other is named.
#[cfg(feature = "client")]
pub type DefaultCaller = crate::Client;
/// The client that a generated stub takes if no other is named.
#[cfg(all(feature = "blocking", not(feature = "client")))]
pub type DefaultCaller = crate::blocking::Client;
/// The client that a generated stub takes if no other is named.
#[cfg(not(any(feature = "client", feature = "blocking")))]
pub type DefaultCaller = ();

/// Fails to compile, at the type's own span, for what can't travel.
pub const fn assert_payload<T: Payload>() {}
