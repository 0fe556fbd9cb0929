//! From a call to its handler: which modules there are, who may call them, and the layers in between.

pub(crate) mod authorization;
#[cfg(feature = "tower")]
pub mod middleware;
pub(crate) mod outflow;
mod passing;
pub(crate) mod processing;
pub mod registry;
pub(crate) mod router;
