//! Whose items are counted, and which way they went.

/// Which end of a connection counts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Side {
    Server,
    Client,
}

/// Which way an item went, as the end that counts sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Received,
    Sent,
}
