//! Traffic that passed: how it is kept in a file, read as calls and replies, chosen from, and shown in lines.

mod conversation;
mod event;
mod filter;
mod line;

pub(crate) use conversation::{Answer, Asked, Conversations, Said, Seen, What};
pub(crate) use event::{Event, FORMAT, Peer, ReadError, To, read};
pub(crate) use filter::Filter;
pub(crate) use line::Lines;

use crate::schema::{Schema, SchemaError};

/// The names and types that are known of a recording: those of files, or else what it keeps of the server's reflection, if it does.
pub(crate) fn schema(files: Option<Schema>, events: &[Event]) -> Result<Option<Schema>, SchemaError> {
    let kept = events.iter().find_map(|event| match event {
        Event::Reflected(reflected) => Some(reflected),
        _ => None,
    });
    match (files, kept) {
        (None, Some(kept)) => kept.schema().map(Some).map_err(|cause| SchemaError::Kept { cause }),
        (files, _) => Ok(files),
    }
}
