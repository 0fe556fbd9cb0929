//! What becomes of a response, whichever client received it.

use std::any::TypeId;

use super::error::CallError;
use super::unpacking::Step;
use crate::handler::decoding::Decoding;
use crate::handler::payload::{NO_FDS_IN_ITEMS, Payload};
use crate::observe::client::MadeStream;
use crate::observe::peer_log::{Line, PeerLog};
use crate::wire::{Body, Response, Status};

/// The reply in a response, if a message comes to no more than the limit.
pub(super) fn reply_of<R: Payload>(response: Response, limit: usize) -> Result<R, CallError> {
    // A method that replies nothing has done so once its call is accepted (C6).
    let nothing = TypeId::of::<R>() == TypeId::of::<()>();
    if response.status.is_success() || (nothing && !response.status.is_failure()) {
        let mut decoding = Decoding::of_reply(limit);
        let read = match response.added {
            None => R::from_body_within(response.body, &mut decoding),
            Some(added) => R::from_message(response.body, &added.descriptors, &mut decoding),
        };
        read.map_err(CallError::payload)
    } else {
        Err(CallError::answered(response.status, response.added))
    }
}

/// What a stream gives for what came of it; `None` for its end.
pub(super) fn item_of<R: Payload>(
    outcome: Result<Step, CallError>,
    limit: usize,
    observed: &MadeStream,
) -> Option<Result<R, CallError>> {
    match outcome {
        Err(error) => Some(Err(error)),
        Ok(Step::Item(item)) => {
            observed.received(item.len());
            let mut decoding = Decoding::of_reply(limit);
            Some(R::from_body_within(item, &mut decoding).map_err(CallError::payload))
        }
        Ok(Step::Last(last)) if last.status == Status::SUCCESS => None,
        Ok(Step::Last(last)) => Some(Err(CallError::answered(last.status, last.added))),
    }
}

/// An item that is to be sent.
pub(super) fn item_body<T: Payload>(item: T) -> Body {
    const { assert!(!T::WITH_FDS, "{}", NO_FDS_IN_ITEMS) };
    item.into_body()
}

/// C5: a reply that no call waits for is reported, and delivered to none.
pub(super) fn report_unknown(response: &Response, log: &PeerLog) {
    if log.admits(Line::ReplyUnknown) {
        tracing::warn!(
            sequence = response.sequence,
            status = %response.status,
            "the server answered a call that was never made; the response is dropped"
        );
    }
}

/// What a call without response is answered with once it is sent (C6).
pub(super) fn submitted() -> Response {
    Response { status: Status::SUBMITTED, ..Response::default() }
}
