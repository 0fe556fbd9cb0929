use std::error::Error;
use std::net::SocketAddr;
use std::{fmt, io};

use crate::causes::chain;

/// Why a server does not start, or has stopped: what was wrong, and what to do.
///
/// Its `Debug` form is its text too, since a `main` that returns it prints that.
pub struct ServeError {
    text: String,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl ServeError {
    pub(super) fn without_tls() -> Self {
        Self::new(
            "no certificates are given, and callers on other hosts are known by theirs: give `.tls(…)`; or, on this host alone, `.insecure_loopback()`",
        )
    }

    pub(super) fn open_to_others(address: SocketAddr) -> Self {
        Self::new(format!(
            "other hosts would reach {address} without TLS: `insecure_loopback` is for 127.0.0.1 or [::1]; give `.tls(…)` for any other address"
        ))
    }

    pub(super) fn not_remote(name: &str, id: i32) -> Self {
        Self::new(format!(
            "module `{name}` ({id}) is not for other hosts: write `remote = true` in its entry of the registry, or `remote` in its attribute where there is none; or leave it out here"
        ))
    }

    pub(super) fn bad_name(name: &str) -> Self {
        Self::new(format!(
            "module name `{}` can't be that of a gRPC service: use letters, digits and `_`",
            name.escape_debug()
        ))
    }

    pub(super) fn name_taken(service: &str) -> Self {
        Self::new(format!("two modules would be the service {service}: give one another `name`"))
    }

    pub(super) fn methods_alike(path: &str, one: i32, other: i32) -> Self {
        Self::new(format!("methods {one} and {other} would both be called by {path}: give one another name"))
    }

    pub(super) fn passes_descriptors(module: &str, method: &str) -> Self {
        Self::new(format!(
            "method `{method}` of module `{module}` passes descriptors, which stay on their host: serve it on a socket alone, in a module of its own"
        ))
    }

    pub(super) fn no_rule(module: &str, rule: &str) -> Self {
        Self::new(format!(
            "module `{module}` is for those whom rule `{rule}` allows, and there is no such rule: define it by `ModuleService::define_rule`"
        ))
    }

    pub(super) fn no_modules() -> Self {
        Self::new("there is no module to serve: register one in the `ModuleService`")
    }

    #[cfg(feature = "reflection")]
    pub(super) fn descriptors(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::because(
            "the descriptors can't be read: give what `drpc::include_descriptors!()` includes",
            cause,
        )
    }

    pub(super) fn listening(cause: io::Error) -> Self {
        Self::because("can't listen", cause)
    }

    pub(super) fn serving(cause: tonic::transport::Error) -> Self {
        Self::because("the server has stopped", cause)
    }

    fn new(text: impl Into<String>) -> Self {
        ServeError { text: text.into(), cause: None }
    }

    fn because(text: &str, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let cause = cause.into();
        let said = chain(&*cause).last().map(ToString::to_string).unwrap_or_default();
        ServeError { text: format!("{text}: {said}"), cause: Some(cause) }
    }
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for ServeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}
