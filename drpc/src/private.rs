//! Everything that generated code names besides the public API, and nothing else. No part of the API: it changes
//! without notice.

use std::future::Future;
use std::pin::Pin;

pub use std::boxed::Box;
pub use std::sync::Arc;

pub use bytes::Bytes;
pub use inventory;

pub use crate::registry::ModuleDescriptor;
use crate::{Failure, Payload};

/// What `Module::handle_call` returns once async-trait has rewritten it.
pub type HandlerFuture<'a> = Pin<Box<dyn Future<Output = Result<Bytes, Failure>> + Send + 'a>>;

/// The client that a generated stub takes if no other is named.
#[cfg(feature = "client")]
pub type DefaultCaller = crate::Client;
/// The client that a generated stub takes if no other is named.
#[cfg(all(feature = "blocking", not(feature = "client")))]
pub type DefaultCaller = crate::blocking::Client;
/// The client that a generated stub takes if no other is named.
#[cfg(not(any(feature = "client", feature = "blocking")))]
pub type DefaultCaller = ();

/// The request in a body.
///
/// # Errors
///
/// A failure with `FAILED_UNMARSHAL_PAYLOAD` (D4).
pub fn decode<T: Payload>(body: Bytes) -> Result<T, Failure> {
    T::from_body(body)
}

/// A reply as a body.
///
/// # Errors
///
/// None today: every payload that exists can be marshalled.
pub fn encode<T: Payload>(reply: T) -> Result<Bytes, Failure> {
    Ok(reply.into_body())
}

/// Fails to compile, at the type's own span, for what can't travel.
pub const fn assert_payload<T: Payload>() {}

/// Fails to compile, at the type's own span, for an error that is no failure.
pub const fn assert_error<E: Into<Failure>>() {}
