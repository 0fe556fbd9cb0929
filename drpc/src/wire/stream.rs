//! What a stream adds to the envelope (E5): who receives says how much it has room for, and each item says that more follow.

use super::envelope::Response;

/// How much may be sent to who gives it: so many items, and so many bytes in their bodies.
///
/// One item may be longer than what is left of the bytes, so that no item is too long for any credit.
///
/// ```
/// use drpc::wire::{Call, CallFields, Credit};
///
/// let fields = CallFields { credit: Some(Credit { items: 64, bytes: 1 << 20 }), ..CallFields::default() };
/// let call: Call = Call { module: 7, method: 704, sequence: 1, body: "".into(), added: Some(fields.into()) };
/// assert_eq!(Call::decode(call.encode())?, call);
/// # Ok::<(), drpc::wire::EnvelopeError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Credit {
    /// Items.
    pub items: u32,
    /// Bytes of their bodies.
    pub bytes: u64,
}

impl Credit {
    /// Notes that a part was taken of what this is the window of; gives the credit for what was taken, once that is half of the window.
    pub(crate) fn after(&self, taken: &mut Credit, part: &Response) -> Option<Credit> {
        taken.items += u32::from(part.part() == Some(Part::Item));
        taken.bytes += part.body.len() as u64;
        let is_due = taken.items > self.items / 2 || taken.bytes > self.bytes / 2;
        is_due.then(|| std::mem::take(taken))
    }
}

/// What a message says about a call that is under way, whose sequence it has, in place of being a call.
///
/// It is sent only to a server that has shown that it knows it.
///
/// ```
/// use drpc::wire::{Call, CallFields, Control};
///
/// let fields = CallFields { control: Some(Control::Cancel), ..CallFields::default() };
/// let cancel: Call = Call { module: 0, method: 0, sequence: 5, body: "".into(), added: Some(fields.into()) };
/// assert_eq!(Call::decode(cancel.encode())?.added, cancel.added);
/// # Ok::<(), drpc::wire::EnvelopeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Control {
    /// The caller has room for more of the stream that the call opened.
    Credit(Credit),
    /// The caller has given the call up.
    Cancel,
}

impl Control {
    const CREDIT: i32 = 1;
    const CANCEL: i32 = 2;

    /// As it travels: its number, and the credit beside it.
    pub(super) fn code(self) -> (i32, Option<Credit>) {
        match self {
            Control::Credit(credit) => (Control::CREDIT, Some(credit)),
            Control::Cancel => (Control::CANCEL, None),
        }
    }

    /// The control of a number. One that a later peer may know is still no call: it gives no credit.
    pub(super) fn from_code(code: i32, credit: Option<Credit>) -> Option<Control> {
        match code {
            0 => None,
            Control::CANCEL => Some(Control::Cancel),
            _ => Some(Control::Credit(credit.filter(|_| code == Control::CREDIT).unwrap_or_default())),
        }
    }
}

/// What a [`Response`](super::Response) is of a stream. Its last response is no part, and ends it by its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Part {
    /// The stream is open; there is no item in this.
    Opened,
    /// An item, behind which others may follow.
    Item,
}

impl Part {
    pub(super) fn code(self) -> i32 {
        match self {
            Part::Opened => 1,
            Part::Item => 2,
        }
    }

    /// What a later peer may say beside these is an item, too: no more than its kind is unknown.
    pub(super) fn from_code(code: i32) -> Option<Part> {
        match code {
            0 => None,
            1 => Some(Part::Opened),
            _ => Some(Part::Item),
        }
    }

    /// What stands behind an item's body: the field of [`Part::Item`], and nothing else.
    pub(super) const ITEM_TAIL: &'static [u8] = &[0x90, 0x3f, 2];
}
