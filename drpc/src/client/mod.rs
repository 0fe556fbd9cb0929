//! The clients: async on tokio ([`Client`]), and blocking without a runtime ([`blocking::Client`]).
//!
//! Both are thin edges over the same core, and differ in how they wait: [`Calls`](calls::Calls) matches replies to calls,
//! [`Prober`](probe::Prober) finds out the wire, [`Pool`](pool::Pool) says which connection a call takes,
//! [`CallState`](call_state::CallState) how long it tries to get one, [`Attempts`](retry::Attempts) whether it is made again,
//! [`Batch`](batch::Batch) gathers the results of many, and the errors are one set. Generated stubs take either client, through
//! [`Caller`].

mod added_fields;
#[cfg(feature = "client")]
mod answers;
mod backoff;
mod batch;
mod builder;
mod call_state;
mod caller;
mod calls;
#[cfg(feature = "client")]
mod connection;
mod deadline;
mod error;
#[cfg(feature = "client")]
mod handle;
mod pool;
mod probe;
mod retry;

/// A client that blocks its thread, without a runtime in its dependency tree.
#[cfg(feature = "blocking")]
pub mod blocking;

pub use added_fields::AddedFields;
pub use backoff::Backoff;
pub use builder::ClientBuilder;
pub use caller::{CallOptions, Caller};
pub use error::{CallError, CallErrorKind, ConnectError};
#[cfg(feature = "client")]
pub use handle::Client;
pub use retry::RetryPolicy;

use crate::Payload;
use crate::wire::Response;

/// The reply in a response.
fn reply_of<R: Payload>(response: Response) -> Result<R, CallError> {
    // A method that replies nothing has done so once its call is accepted (C6).
    let nothing = std::any::TypeId::of::<R>() == std::any::TypeId::of::<()>();
    if response.status.is_success() || (nothing && !response.status.is_failure()) {
        R::from_body(response.body).map_err(CallError::payload)
    } else {
        Err(CallError::answered(response.status, response.added))
    }
}

/// C5: a reply that no call waits for is reported, and delivered to none.
fn report_unknown(response: &Response) {
    tracing::warn!(
        sequence = response.sequence,
        status = %response.status,
        "the server answered a call that was never made; the response is dropped"
    );
}

/// What a call without response is answered with once it is sent (C6).
fn submitted() -> Response {
    Response { status: crate::Status::SUBMITTED, ..Response::default() }
}
