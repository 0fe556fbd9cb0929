//! Reflection: a server tells what it serves, and what it is doing. For tools and people (`drpc list`, `drpc top`).
//!
//! `ServerBuilder::reflection` switches it on, with the feature `reflection`; the client and the messages are always here.
//! Nobody learns of a module or a method that they may not call. [The chapter](crate::guide::reflection) has more.

#[cfg(feature = "reflection")]
mod catalogue;
#[cfg(feature = "reflection")]
mod descriptors;
mod messages;
#[cfg(feature = "reflection")]
pub(crate) mod server;
#[cfg(feature = "reflection")]
mod sessions;

use bytes::Bytes;

pub use self::messages::{
    BodyInfo, BodyKind, CallInfo, Catalogue, MethodInfo, ModuleInfo, SessionInfo, Sessions, SessionsRequest,
};
use crate::client::{CallOptions, Caller};
use crate::handler::method::Method;

/// The module's ID.
pub const ID: i32 = super::module_id(1);

/// `catalogue`: the modules and methods that the caller may call.
pub const CATALOGUE: Method = Method::new(ID, ID * 100 + 1, "catalogue").idempotent();

/// `descriptors`: the messages of the server, as protobuf's `FileDescriptorSet`.
pub const DESCRIPTORS: Method = Method::new(ID, ID * 100 + 2, "descriptors").idempotent();

/// `sessions`: the open sessions that the caller may see, a page at a time.
pub const SESSIONS: Method = Method::new(ID, ID * 100 + 3, "sessions").idempotent();

/// A typed client of the reflection module, over any client: what `#[drpc_module]` generates for your modules.
///
/// A server without reflection answers `UNKNOWN_MODULE`.
///
/// ```no_run
/// use drpc::blocking::Client;
/// use drpc::reflection::ReflectionClient;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let reflection = ReflectionClient::new(Client::connect("/run/greeter.sock")?);
///     for module in reflection.catalogue()?.modules {
///         for method in module.methods {
///             println!("{}.{} is {}", module.name, method.name, method.id);
///         }
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct ReflectionClient<C> {
    caller: C,
    options: CallOptions,
}

impl<C: Caller> ReflectionClient<C> {
    /// A client that calls through `caller`.
    pub fn new(caller: C) -> Self {
        ReflectionClient { caller, options: CallOptions::default() }
    }

    /// The same client with options for the calls to come.
    #[must_use]
    pub fn with(&self, options: CallOptions) -> Self {
        ReflectionClient { caller: self.caller.clone(), options }
    }

    /// The modules that the caller may call, by ascending ID, with those of their methods that it may call.
    pub fn catalogue(&self) -> C::Outcome<Catalogue> {
        self.caller.call(CATALOGUE, (), &self.options)
    }

    /// The messages that the server's calls carry: an encoded `google.protobuf.FileDescriptorSet`, which is empty if the server
    /// was given none (`ServerBuilder::message_descriptors`). A file may stand in it more than once. What only methods carry that the
    /// caller may not call is not in it.
    ///
    /// Not everything that the catalogue names is in it: a message may be declared in Rust alone.
    pub fn descriptors(&self) -> C::Outcome<Bytes> {
        self.caller.call(DESCRIPTORS, (), &self.options)
    }

    /// A page of the open sessions, the oldest first, beginning with those whose number is above `after`; 0 begins with the first.
    ///
    /// Root and the server's own user see all sessions; any other user sees their own.
    ///
    /// ```no_run
    /// # use drpc::blocking::Client;
    /// use drpc::reflection::{ReflectionClient, SessionInfo};
    ///
    /// fn all(reflection: &ReflectionClient<Client>) -> Result<Vec<SessionInfo>, drpc::CallError> {
    ///     let mut all: Vec<SessionInfo> = Vec::new();
    ///     loop {
    ///         let page = reflection.sessions(all.last().map_or(0, |last| last.id))?;
    ///         all.extend(page.sessions);
    ///         if !page.has_more {
    ///             return Ok(all);
    ///         }
    ///     }
    /// }
    /// ```
    pub fn sessions(&self, after: u64) -> C::Outcome<Sessions> {
        self.caller.call(SESSIONS, SessionsRequest { after }, &self.options)
    }
}
