//! Statuses, both ways. The table is the crate's documentation: see [`Status`](crate#statuses).
//!
//! A response that is a failure travels as `google.rpc.Status`: its text is the message, an `ErrorInfo` of the domain `drpc` holds status and cause, so that a
//! stub of this crate gets back exactly what the handler gave, and the handler's details are beside it as they are.

use std::error::Error;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use drpc::wire::{Response, ResponseFields};
use drpc::{CallError, ConnectError, FailureCause, Status};
use http::HeaderName;
use prost::Message as _;
use prost_types::Any;
use tonic::{Code, ConnectError as TonicConnectError, TimeoutExpired};
use tonic_types::pb;

use crate::causes::{self, chain};

/// Who says the reason in an `ErrorInfo`.
const DOMAIN: &str = "drpc";

const ERROR_INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";

/// What the handler attached to its failure: the type is known to both ends, and not named on the wire.
const DETAILS: &str = "type.googleapis.com/drpc.Details";

/// The metadata of a reply that says that the call was SUBMITTED.
pub(crate) static SUBMITTED: HeaderName = HeaderName::from_static("drpc-submitted");

/// The one table, from here to there.
fn code_of(status: Status, cause: Option<FailureCause>) -> Code {
    match (status, cause) {
        (Status::SUCCESS | Status::SUBMITTED, _) => Code::Ok,
        (Status::UNKNOWN_MODULE | Status::UNKNOWN_METHOD, _) => Code::Unimplemented,
        (Status::FAILED_UNMARSHAL_CALL | Status::FAILED_UNMARSHAL_PAYLOAD, _) => Code::InvalidArgument,
        (Status::FAILED_MARSHAL, _) => Code::Internal,
        (_, Some(FailureCause::Denied)) => Code::PermissionDenied,
        (_, Some(FailureCause::Panicked)) => Code::Internal,
        (_, Some(FailureCause::TimedOut)) => Code::DeadlineExceeded,
        _ => Code::Unknown,
    }
}

/// The same from there to here, of a server or a proxy that knows nothing of drpc.
fn status_of(code: Code) -> (Status, Option<FailureCause>) {
    match code {
        Code::Ok => (Status::SUCCESS, None),
        Code::Unimplemented => (Status::UNKNOWN_METHOD, None),
        Code::InvalidArgument => (Status::FAILED_UNMARSHAL_PAYLOAD, None),
        Code::OutOfRange | Code::ResourceExhausted => (Status::FAILED_UNMARSHAL_CALL, None),
        Code::PermissionDenied | Code::Unauthenticated => (Status::FAILURE, Some(FailureCause::Denied)),
        Code::DeadlineExceeded => (Status::FAILURE, Some(FailureCause::TimedOut)),
        _ => (Status::FAILURE, None),
    }
}

const CAUSES: [(FailureCause, &str); 4] = [
    (FailureCause::Handler, "handler"),
    (FailureCause::Denied, "denied"),
    (FailureCause::Panicked, "panicked"),
    (FailureCause::TimedOut, "timed-out"),
];

/// A failure, as gRPC tells it.
pub(crate) fn to_grpc(status: Status, fields: Option<&ResponseFields>) -> tonic::Status {
    let cause = fields.and_then(|fields| fields.cause);
    to_grpc_as(code_of(status, cause), status, fields)
}

/// The same, of a server that itself could not reach another: gRPC's clients know by the code that they may try again.
pub(crate) fn unavailable(status: Status, fields: Option<&ResponseFields>) -> tonic::Status {
    to_grpc_as(Code::Unavailable, status, fields)
}

fn to_grpc_as(code: Code, status: Status, fields: Option<&ResponseFields>) -> tonic::Status {
    let message = match fields.map(|fields| &*fields.error) {
        Some(text) if !text.is_empty() => text,
        _ => status.description(),
    };
    let cause = fields.and_then(|fields| fields.cause);
    let cause = CAUSES.iter().find(|(known, _)| Some(*known) == cause).map(|(_, name)| *name);
    let metadata = [("status", status.code().to_string())]
        .into_iter()
        .chain(cause.map(|cause| ("cause", cause.to_owned())));
    let info = pb::ErrorInfo {
        reason: status.name().unwrap_or("UNKNOWN_STATUS").to_owned(),
        domain: DOMAIN.to_owned(),
        metadata: metadata.map(|(key, value)| (key.to_owned(), value)).collect(),
    };
    let own = fields.map(|fields| &fields.details).filter(|details| !details.is_empty());
    let own = own.map(|details| Any { type_url: DETAILS.to_owned(), value: details.to_vec() });
    let info = Any { type_url: ERROR_INFO.to_owned(), value: info.encode_to_vec() };
    let details = [info].into_iter().chain(own).collect();
    let whole = pb::Status { code: code.into(), message: message.to_owned(), details };
    tonic::Status::with_details(code, message, whole.encode_to_vec().into())
}

/// What a call came to that gRPC answered so. `time` is what the caller had, and `limit` how many bytes it takes in a message.
///
/// # Errors
///
/// [`CallError`] if no server of drpc has answered.
pub(crate) fn from_grpc(
    status: &tonic::Status,
    address: &str,
    time: Option<Duration>,
    limit: usize,
) -> Result<Response, CallError> {
    if let Some(response) = answered(status) {
        return Ok(response);
    }
    if let Some(error) = found::<TonicConnectError>(status) {
        return Err(ConnectError::remote(address, causes::of_connecting(error)).into());
    }
    if is_of_a_long_reply(status, limit) {
        let text = format!("the server answered with more than the {limit} bytes that this caller takes");
        return Err(CallError::broken_off(io::Error::new(io::ErrorKind::InvalidData, text)));
    }
    // A server of tonic's says CANCELLED when the time is over. With a source, it is that of a connection that broke.
    let is_over =
        status.source().is_none() && matches!(status.code(), Code::Cancelled | Code::DeadlineExceeded);
    if let Some(time) = time.filter(|_| is_over || found::<TimeoutExpired>(status).is_some()) {
        return Err(CallError::timeout(time));
    }
    // With a source, it is not the server that says so: the connection broke.
    if status.code() == Code::Unavailable || status.code() == Code::Cancelled || status.source().is_some() {
        let kind = if is_gone(status) { io::ErrorKind::ConnectionReset } else { io::ErrorKind::Other };
        return Err(CallError::broken_off(io::Error::new(kind, said(status))));
    }
    let (drpc, cause) = status_of(status.code());
    let fields = ResponseFields { cause, ..ResponseFields::new(status.message(), Bytes::new()) };
    Ok(Response { added: Some(fields.into()), ..Response::failure(0, drpc) })
}

/// Whether tonic says at this end that a message is too long, in the text that a server of it says of a request. The limit tells them apart: nothing longer is sent.
fn is_of_a_long_reply(status: &tonic::Status, limit: usize) -> bool {
    status.code() == Code::OutOfRange && status.message().ends_with(&format!(" the limit is: {limit} bytes"))
}

/// The response of a server of drpc.
fn answered(status: &tonic::Status) -> Option<Response> {
    if status.details().is_empty() {
        return None;
    }
    let whole = pb::Status::decode(status.details()).ok()?;
    let infos = whole.details.iter().filter(|detail| detail.type_url == ERROR_INFO);
    let info = infos
        .filter_map(|info| pb::ErrorInfo::decode(&*info.value).ok())
        .find(|info| info.domain == DOMAIN)?;
    let number: i32 = info.metadata.get("status")?.parse().ok()?;
    let cause = info.metadata.get("cause").and_then(|name| CAUSES.iter().find(|(_, known)| known == name));
    let details = whole.details.into_iter().find(|detail| detail.type_url == DETAILS);
    let details = details.map(|details| details.value.into()).unwrap_or_default();
    let fields = ResponseFields {
        cause: cause.map(|(cause, _)| *cause),
        ..ResponseFields::new(whole.message, details)
    };
    let drpc = Some(Status::from(number)).filter(|status| status.is_failure()).unwrap_or(Status::FAILURE);
    Some(Response { added: Some(fields.into()), ..Response::failure(0, drpc) })
}

/// Whether the connection ended, rather than broke its rules.
fn is_gone(status: &tonic::Status) -> bool {
    let own = |kind| {
        matches!(
            kind,
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof
        )
    };
    status.code() == Code::Unavailable
        || chain(status)
            .filter_map(|source| source.downcast_ref::<io::Error>())
            .any(|error| own(error.kind()))
}

fn said(status: &tonic::Status) -> String {
    let cause = chain(status).skip(1).last().map(|cause| format!(": {cause}"));
    format!("{} ({}){}", status.message(), status.code(), cause.unwrap_or_default())
}

fn found<E: Error + 'static>(status: &tonic::Status) -> Option<&E> {
    chain(status).find_map(<dyn Error>::downcast_ref)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use drpc::CallErrorKind;

    use super::*;

    #[test]
    fn what_a_handler_says_comes_back_as_it_was() {
        let statuses =
            [Status::FAILURE, Status::UNKNOWN_MODULE, Status::UNKNOWN_METHOD, Status::FAILED_UNMARSHAL_CALL]
                .into_iter()
                .chain([
                    Status::FAILED_UNMARSHAL_PAYLOAD,
                    Status::FAILED_MARSHAL,
                    Status::from(42),
                    Status::from(-7),
                ]);
        for status in statuses {
            for cause in CAUSES.iter().map(|(cause, _)| Some(*cause)).chain([None]) {
                let fields =
                    ResponseFields { cause, ..ResponseFields::new("no pool tank", "details".into()) };
                let grpc = to_grpc(status, Some(&fields));
                assert_eq!((grpc.code(), grpc.message()), (code_of(status, cause), "no pool tank"));
                let response = from_grpc(&grpc, "here", None, 1000).unwrap();
                assert_eq!((response.status, response.added.as_deref()), (status, Some(&fields)));
            }
        }
    }

    #[test]
    fn whoever_says_that_the_time_is_over_it_is_a_time_out() {
        for code in [Code::Cancelled, Code::DeadlineExceeded] {
            let status = tonic::Status::new(code, "over");
            let error = from_grpc(&status, "here", Some(Duration::from_secs(1)), 1000).unwrap_err();
            assert!(error.is_timeout(), "{error}");
        }
        // Without a server that says so, the connection has broken before.
        let mut broken = tonic::Status::cancelled("h2 protocol error");
        broken.set_source(Arc::new(io::Error::from(io::ErrorKind::ConnectionReset)));
        let error = from_grpc(&broken, "here", Some(Duration::from_secs(1)), 1000).unwrap_err();
        assert_eq!(error.kind(), CallErrorKind::Disconnected, "{error}");
    }

    #[test]
    fn a_reply_over_the_callers_own_limit_says_that_the_call_was_answered() {
        let of = |limit| {
            let text = format!(
                "Error, decoded message length too large: found 2000 bytes, the limit is: {limit} bytes"
            );
            from_grpc(&tonic::Status::out_of_range(text), "here", None, 1000)
        };
        let error = of(1000).unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (CallErrorKind::Disconnected, false));
        assert_eq!(of(100).unwrap().status, Status::FAILED_UNMARSHAL_CALL);
    }

    #[test]
    fn a_stranger_answer_becomes_the_nearest_status() {
        for (code, status) in [
            (Code::Unimplemented, Status::UNKNOWN_METHOD),
            (Code::InvalidArgument, Status::FAILED_UNMARSHAL_PAYLOAD),
            (Code::ResourceExhausted, Status::FAILED_UNMARSHAL_CALL),
            (Code::NotFound, Status::FAILURE),
        ] {
            let response = from_grpc(&tonic::Status::new(code, "no"), "here", None, 1000).unwrap();
            assert_eq!(response.status, status);
            assert_eq!(response.added.unwrap().error, "no");
        }
    }
}
