//! Traffic that passed: how it is kept in a file, read as calls and replies, chosen from, and shown in lines.

mod conversation;
mod event;
mod filter;
mod line;

pub(crate) use conversation::{Answer, Conversations, Seen, What};
pub(crate) use event::{Event, FORMAT, Peer, ReadError, To, read};
pub(crate) use filter::Filter;
pub(crate) use line::Lines;
