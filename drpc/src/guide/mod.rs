//! Chapters to read: the attribute, the registry, contracts, the client, the servers, sockets, access and limits, health checks, middleware, the fields added to DAOS's, spans
//! and figures, the way here from hand-written dispatch, and the rules that the pages cite.

#[doc = include_str!("attribute.md")]
pub mod attribute {}

#[doc = include_str!("registry.md")]
pub mod registry {}

#[doc = include_str!("contract.md")]
pub mod contract {}

#[doc = include_str!("client.md")]
pub mod client {}

#[doc = include_str!("servers.md")]
pub mod servers {}

#[doc = include_str!("sockets.md")]
pub mod sockets {}

#[doc = include_str!("access.md")]
pub mod access {}

#[doc = include_str!("health.md")]
pub mod health {}

#[doc = include_str!("middleware.md")]
pub mod middleware {}

#[doc = include_str!("added_fields.md")]
pub mod added_fields {}

#[doc = include_str!("observability.md")]
pub mod observability {}

#[doc = include_str!("from_hand_written_dispatch.md")]
pub mod from_hand_written_dispatch {}

#[doc = include_str!("rules.md")]
pub mod rules {}
