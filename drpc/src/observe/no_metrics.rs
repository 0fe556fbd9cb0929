//! The figures where nothing counts them: the twin of `metrics.rs`, without the feature `metrics`.

use std::time::Duration;

use super::end::End;
use super::side::{Side, Way};
use crate::client::error::CallError;
use crate::handler::method::Method;
use crate::wire::Response;

pub(crate) const ON: bool = false;

#[derive(Default)]
pub(crate) struct ModuleMetrics;

pub(crate) struct ServedCall;

impl ServedCall {
    pub(super) fn begin(_: Option<(&str, &ModuleMetrics)>, _: i64, _: Option<Method>) -> Self {
        ServedCall
    }

    pub(super) fn end(&mut self, _: End, _: Duration) {}
}

pub(crate) struct OpenSession;

impl OpenSession {
    pub(crate) fn begin() -> Self {
        OpenSession
    }
}

pub(crate) struct OpenStream;

impl OpenStream {
    pub(crate) fn begin(_: Side) -> Self {
        OpenStream
    }
}

pub(super) fn items(_: Side, _: Way, _: usize, _: usize) {}

pub(crate) fn session_refused(_: &'static str) {}

pub(crate) fn call_refused(_: &str) {}

pub(crate) fn call_unreadable() {}

pub(crate) fn reply_too_long() {}

pub(crate) fn descriptors_received(_: usize) {}

pub(crate) fn descriptors_sent(_: usize) {}

pub(crate) fn received(_: usize) {}

pub(crate) fn sent(_: usize) {}

pub(crate) struct MadeCall;

impl MadeCall {
    pub(super) fn begin(_: Method) -> Self {
        MadeCall
    }

    pub(super) fn end(&mut self, _: End, _: Duration) {}
}

pub(crate) fn batched(_: Method, _: &Result<Response, CallError>) {}

#[derive(Debug)]
pub(crate) struct OpenConnection;

impl OpenConnection {
    pub(crate) fn begin() -> Self {
        OpenConnection
    }
}

pub(crate) fn connection_lost() {}

pub(crate) fn reconnected() {}

pub(crate) fn retried() {}
