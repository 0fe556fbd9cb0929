//! The items of a stream as a client takes them: one at a time, though several may have come in one message.

use bytes::Bytes;

use super::error::Disconnect;
use crate::flow::{Renewal, Room};
use crate::wire::{Credit, Items, Part, Response};

/// What comes of a stream.
pub(super) enum Step {
    Item(Bytes),
    /// Its last response.
    Last(Response),
}

/// The items of one stream that its reader has been given, and not taken.
pub(super) struct Unpacking {
    /// One that came alone.
    alone: Option<Bytes>,
    items: Items,
    renewal: Renewal,
}

impl Unpacking {
    /// Of a stream whose server was given so much credit.
    pub(super) fn of(window: Credit) -> Self {
        Unpacking { alone: None, items: Items::default(), renewal: Renewal::of(window) }
    }

    /// Takes the next item, and the credit that is due for those that were taken.
    pub(super) fn next(&mut self) -> Option<(Bytes, Option<Credit>)> {
        let item = self.alone.take().or_else(|| self.items.next())?;
        let credit = self.renewal.took(1, item.len());
        Some((item, credit))
    }

    /// Puts the stream's next response behind the items that were taken; gives it back if it is the last.
    pub(super) fn put(&mut self, response: Response) -> Option<Response> {
        match response.part() {
            None => return Some(response),
            Some(Part::Item) => self.alone = Some(response.body),
            Some(Part::Items) => self.items = Items::read(response.body).unwrap_or_default(),
            Some(_) => {}
        }
        None
    }
}

/// Counts what a response has of a stream: an error for one that is not as it should be, or that there is no room for.
pub(super) fn admit(part: Part, body: &Bytes, room: &mut Room) -> Result<(), Disconnect> {
    let is_admitted = match part {
        Part::Opened => true,
        Part::Item => room.admit(body.len()),
        Part::Items => Items::read(body.clone())?.lens().all(|len| room.admit(len)),
        _ => false,
    };
    if is_admitted { Ok(()) } else { Err(Disconnect::Overrun) }
}
