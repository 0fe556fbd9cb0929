//! What a handler meets: the trait that it stands behind, its call's context and session, and what it gives back.

pub(crate) mod background;
pub(crate) mod cancellation;
pub(crate) mod context;
pub(crate) mod control;
pub(crate) mod decoding;
pub(crate) mod details;
pub(crate) mod events;
pub(crate) mod extensions;
pub(crate) mod failure;
pub(crate) mod inbox;
pub(crate) mod incoming;
pub(crate) mod method;
pub(crate) mod module;
pub(crate) mod payload;
pub(crate) mod reply;
pub(crate) mod session;
pub(crate) mod with_fds;
