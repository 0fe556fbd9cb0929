//! Descriptors that travel with messages (`SCM_RIGHTS`): how many are taken in, who has them, and where they are closed that nobody
//! has. Nothing here knows a socket or a message.

mod elsewhere;
mod intake;
mod received;

pub(crate) use elsewhere::{close, close_and, close_now};
pub(crate) use intake::{Arrived, Intake, Limits, has_too_many};
pub use received::Descriptors;
pub(crate) use received::Problem;

/// How many descriptors one message may have: what the kernel passes with one packet (`SCM_MAX_FD`).
pub(crate) const MAX: usize = 253;
