//! Traffic that passed: how it is kept in a file, read as calls and replies, chosen from, and shown in lines.

mod conversation;
mod event;
mod filter;
mod line;

pub(crate) use conversation::{Answer, Asked, Conversations, Said, Seen, What};
pub(crate) use event::{Event, FORMAT, Peer, ReadError, To, read};
pub(crate) use filter::{Filter, FilterArgs};
pub(crate) use line::Lines;

use crate::schema::{Schema, SchemaError};

/// The names and types that are known of a recording: those of files, and what it keeps of the server's reflection, if it does, where they leave something open.
pub(crate) fn schema(files: Option<Schema>, events: &[Event]) -> Result<Option<Schema>, SchemaError> {
    let kept = events.iter().find_map(|event| match event {
        Event::Reflected(reflected) => Some(reflected),
        _ => None,
    });
    let Some(kept) = kept else { return Ok(files) };
    let kept = kept.schema().map_err(|cause| SchemaError::Kept { cause })?;
    Ok(Some(match files {
        Some(mut files) => {
            files.learn(kept);
            files
        }
        None => kept,
    }))
}
