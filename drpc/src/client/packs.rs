//! Whether a connection's calls may go in packs (E5).

use crate::wire::{CallFields, Pack, ResponseFields};

/// What is known of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packs {
    /// It is not to be asked.
    Unwanted,
    /// It has not said yet that it takes them.
    Asked,
    Taken,
}

impl Packs {
    /// Of a connection that sends and takes messages of so many bytes at most.
    pub(super) fn of(wanted: bool, longest: usize) -> Self {
        if wanted && longest >= Pack::MOST { Packs::Asked } else { Packs::Unwanted }
    }

    /// Has a call ask for as long as it is not known.
    #[inline]
    pub(super) fn ask(self, added: &mut Option<Box<CallFields>>) {
        if self == Packs::Asked {
            added.get_or_insert_default().takes_packs = true;
        }
    }

    /// What a response says.
    pub(super) fn heed(&mut self, added: &ResponseFields) {
        if *self == Packs::Asked && added.takes_packs {
            *self = Packs::Taken;
        }
    }
}
