//! The guide: a chapter for each thing that you may want to do. New here? Read [the attribute](attribute), [errors], [a small client](small_client),
//! [access] and [systemd], in this order.
//!
//! | I want … | chapter |
//! |---|---|
//! | a daemon under systemd: socket activation, readiness, SIGTERM | [`systemd`] |
//! | many calls at once on one connection | [`concurrency`] |
//! | errors with their text, or of my own types | [`errors`] |
//! | many items in answer to one call, or in a call, or both: a listing, progress, events, an upload | [`streams`] |
//! | events: to be told when something happens | [`events`] |
//! | a client with nothing but what it needs | [`small_client`] |
//! | to call from Python, Go or C | [`other_languages`] |
//! | to know what drpc does not do | [`non_goals`] |
//! | every setting of server and client, with its default | [`settings`] |
//! | every form of module and handler | [`attribute`] |
//! | one list of IDs for all programs of a host | [`registry`] |
//! | messages that stay compatible | [`contract`] |
//! | reconnects, retries, batches | [`client`] |
//! | handlers that block, or an event loop of my own, for a server or a client | [`servers`], [`client`](client#in-a-loop-of-your-own) |
//! | to choose the socket: mode, owner, abstract name, inherited | [`sockets`] |
//! | authorization, limits, graceful shutdown | [`access`] |
//! | a health check | [`health`] |
//! | tools to list, describe and watch what a server serves | [`reflection`] |
//! | logs, spans, Prometheus metrics | [`observability`] |
//! | a time-out, a rate limit or my own code around every handler | [`middleware`] |
//! | deadlines and traces that travel with a call | [`added_fields`] |
//! | to pass open files, sockets or memory to another process | [`descriptors`] |
//! | to reach a module from other hosts, by the same stub | the crate `drpc-grpc`: `cargo doc --open -p drpc-grpc` |
//! | to talk to DAOS's daemons, or stand in for them | `examples/daos` in the repository: all methods of DAOS 2.8 |
//! | to port a DAOS module | [`from_hand_written_dispatch`] |
//! | unit tests without a socket, mocks, fault injection | [`testing`](crate::testing) |
//! | to look up a word, or a rule such as [W8](crate::guide::rules#wire) | [`glossary`], [`rules`] |

#[doc = include_str!("systemd.md")]
pub mod systemd {}

#[doc = include_str!("concurrency.md")]
pub mod concurrency {}

#[doc = include_str!("errors.md")]
pub mod errors {}

#[doc = include_str!("streams.md")]
pub mod streams {}

#[doc = include_str!("events.md")]
pub mod events {}

#[doc = include_str!("small_client.md")]
pub mod small_client {}

#[doc = include_str!("other_languages.md")]
pub mod other_languages {}

#[doc = include_str!("non_goals.md")]
pub mod non_goals {}

#[doc = include_str!("settings.md")]
pub mod settings {}

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

#[doc = include_str!("reflection.md")]
pub mod reflection {}

#[doc = include_str!("observability.md")]
pub mod observability {}

#[doc = include_str!("middleware.md")]
pub mod middleware {}

#[doc = include_str!("added_fields.md")]
pub mod added_fields {}

#[doc = include_str!("descriptors.md")]
pub mod descriptors {}

#[doc = include_str!("from_hand_written_dispatch.md")]
pub mod from_hand_written_dispatch {}

#[doc = include_str!("glossary.md")]
pub mod glossary {}

#[doc = include_str!("rules.md")]
pub mod rules {}
