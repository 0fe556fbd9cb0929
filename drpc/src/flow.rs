//! How a stream is held back, whichever end sends: credits, in items and in the bytes of their bodies, given by who receives.

use crate::wire::Credit;

/// How much may be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Room {
    items: u64,
    /// Less than nothing once an item was longer than what was left.
    bytes: i64,
}

impl Room {
    /// More than will ever be sent.
    pub(crate) const ENDLESS: Room = Room { items: u64::MAX, bytes: i64::MAX };

    pub(crate) fn add(&mut self, credit: Credit) {
        self.items = self.items.saturating_add(credit.items.into());
        self.bytes = self.bytes.saturating_add(i64::try_from(credit.bytes).unwrap_or(i64::MAX));
    }

    /// Whether there is room for an item, however long.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open_behind(0, 0)
    }

    /// Takes an item of so many bytes in; false if there was no room for it.
    #[must_use]
    pub(crate) fn admit(&mut self, bytes: usize) -> bool {
        let is_open = self.is_open();
        if is_open {
            self.take(bytes);
        }
        is_open
    }

    /// Whether there is room for an item behind so many others.
    pub(crate) fn is_open_behind(&self, items: usize, bytes: usize) -> bool {
        self.items > items as u64 && self.bytes > i64::try_from(bytes).unwrap_or(i64::MAX)
    }

    /// So many items, of so many bytes, are sent.
    pub(crate) fn take_all(&mut self, items: usize, bytes: usize) {
        self.items = self.items.saturating_sub(items as u64);
        self.bytes = self.bytes.saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// An item of so many bytes is sent.
    pub(crate) fn take(&mut self, bytes: usize) {
        self.take_all(1, bytes);
    }
}

impl From<Credit> for Room {
    fn from(credit: Credit) -> Self {
        let mut room = Room::default();
        room.add(credit);
        room
    }
}

/// When credit is given again to a sender that was given so much: once half of it was used.
#[derive(Debug)]
pub(crate) struct Renewal {
    window: Credit,
    /// What was taken and the sender does not know of.
    taken: Credit,
}

impl Renewal {
    pub(crate) fn of(window: Credit) -> Self {
        Renewal { window, taken: Credit::default() }
    }

    pub(crate) fn window(&self) -> Credit {
        self.window
    }

    /// So many items were taken, of so many bytes; gives the credit for all that were, once it is due.
    pub(crate) fn took(&mut self, items: u32, bytes: usize) -> Option<Credit> {
        self.taken.items += items;
        self.taken.bytes += bytes as u64;
        let is_due = self.taken.items > self.window.items / 2 || self.taken.bytes > self.window.bytes / 2;
        is_due.then(|| std::mem::take(&mut self.taken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_may_be_longer_than_what_is_left_and_is_made_up_for() {
        let mut room = Room::from(Credit { items: 3, bytes: 10 });
        room.take(25);
        assert!(!room.is_open());
        room.add(Credit { items: 0, bytes: 15 });
        assert!(!room.is_open());
        room.add(Credit { items: 0, bytes: 1 });
        assert!(room.is_open());
        room.take(0);
        room.take(0);
        assert!(!room.is_open());
    }

    #[test]
    fn credit_is_due_once_half_was_used() {
        let mut renewal = Renewal::of(Credit { items: 4, bytes: 100 });
        assert_eq!([renewal.took(1, 1), renewal.took(1, 1)], [None, None]);
        assert_eq!(renewal.took(1, 1), Some(Credit { items: 3, bytes: 3 }));
        assert_eq!(renewal.took(1, 51), Some(Credit { items: 1, bytes: 51 }));
    }
}
