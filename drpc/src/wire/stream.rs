//! What a stream adds to the envelope (E5): who receives says how much it has room for, and each item says that more follow.

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
    /// The message's body is the next item of the stream that the caller sends.
    Item,
    /// The message's body is the next [items](super::Items) of that stream: to a server that [takes them](super::ResponseFields::takes_many).
    Items,
    /// The caller has sent all of its items.
    End,
    /// The caller sends no more items, though these were not all.
    Abort,
}

impl Control {
    const CREDIT: i32 = 1;
    const CANCEL: i32 = 2;
    const ITEM: i32 = 3;
    const END: i32 = 4;
    const ABORT: i32 = 5;
    const ITEMS: i32 = 6;

    /// As it travels: its number, and the credit beside it.
    pub(super) fn code(self) -> (i32, Option<Credit>) {
        match self {
            Control::Credit(credit) => (Control::CREDIT, Some(credit)),
            Control::Cancel => (Control::CANCEL, None),
            Control::Item => (Control::ITEM, None),
            Control::Items => (Control::ITEMS, None),
            Control::End => (Control::END, None),
            Control::Abort => (Control::ABORT, None),
        }
    }

    /// The control of a number. One that a later peer may know is still no call: it gives no credit.
    pub(super) fn from_code(code: i32, credit: Option<Credit>) -> Option<Control> {
        match code {
            0 => None,
            Control::CANCEL => Some(Control::Cancel),
            Control::ITEM => Some(Control::Item),
            Control::ITEMS => Some(Control::Items),
            Control::END => Some(Control::End),
            Control::ABORT => Some(Control::Abort),
            _ => Some(Control::Credit(credit.filter(|_| code == Control::CREDIT).unwrap_or_default())),
        }
    }

    /// What stands behind the body of an item that a caller sends: the field of [`Control::Item`], and nothing else.
    pub(super) const ITEM_TAIL: &'static [u8] = &[0x98, 0x3f, 3];
}

/// What a [`Response`](super::Response) is of a stream. Its last response is no part, and ends it by its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Part {
    /// The stream is open; there is no item in this.
    Opened,
    /// An item, behind which others may follow.
    Item,
    /// The next [items](super::Items), behind which others may follow: to a caller that [takes them](super::CallFields::takes_many).
    Items,
    /// The server has room for more of the items that the caller sends.
    Credit,
    /// The server takes no more of these items. The call goes on.
    Enough,
}

impl Part {
    pub(super) fn code(self) -> i32 {
        match self {
            Part::Opened => 1,
            Part::Item => 2,
            Part::Credit => 3,
            Part::Enough => 4,
            Part::Items => 5,
        }
    }

    /// What a later peer may say beside these is an item, too: no more than its kind is unknown.
    pub(super) fn from_code(code: i32) -> Option<Part> {
        match code {
            0 => None,
            1 => Some(Part::Opened),
            3 => Some(Part::Credit),
            4 => Some(Part::Enough),
            5 => Some(Part::Items),
            _ => Some(Part::Item),
        }
    }

    /// What stands behind an item's body: the field of [`Part::Item`], and nothing else.
    pub(super) const ITEM_TAIL: &'static [u8] = &[0x90, 0x3f, 2];
}
