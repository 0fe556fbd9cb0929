//! Everything that generated code names besides the public API, and nothing else. No part of the API: it changes
//! without notice.

pub use std::boxed::Box;
pub use std::sync::Arc;

pub use bytes::Bytes;
pub use inventory;

pub use crate::dispatch::registry::ModuleDescriptor;
use crate::handler::failure::Failure;
pub use crate::handler::module::HandlerFuture;
use crate::handler::payload::Payload;
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

/// The request in a body.
///
/// # Errors
///
/// A failure with `FAILED_UNMARSHAL_PAYLOAD` (D4).
pub fn decode<T: Payload>(body: Bytes) -> Result<T, Failure> {
    T::from_body(body)
}

/// Fails to compile, at the type's own span, for what can't travel.
pub const fn assert_payload<T: Payload>() {}

/// What a handler may return as its error: all that converts into a [`Failure`].
#[diagnostic::on_unimplemented(
    message = "a handler can't fail with `{Self}`: it does not convert into `drpc::Failure`",
    label = "not an error that can be answered",
    note = "write `impl From<{Self}> for drpc::Failure`; for a type of another crate, return `drpc::Failure` and use `.map_err(drpc::Failure::from_error)`"
)]
pub trait IntoFailure {
    /// The error as a failure.
    fn into_failure(self) -> Failure;
}

#[diagnostic::do_not_recommend]
impl<E: Into<Failure>> IntoFailure for E {
    fn into_failure(self) -> Failure {
        self.into()
    }
}
