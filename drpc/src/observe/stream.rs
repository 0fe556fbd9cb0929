use tracing::Span;

use super::metrics;
use super::side::{Side, Way};

/// The items that went through a stream, as one end of it counts them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tally {
    side: Side,
    way: Way,
    items: u64,
    bytes: u64,
}

impl Tally {
    pub(crate) fn of(side: Side, way: Way) -> Self {
        Tally { side, way, items: 0, bytes: 0 }
    }

    /// So many items, of so many bytes.
    pub(crate) fn count(&mut self, items: usize, bytes: usize) {
        self.items += items as u64;
        self.bytes += bytes as u64;
        metrics::items(self.side, self.way, items, bytes);
    }

    /// Adds it to the span of the call, if there were any.
    pub(super) fn record(&self, span: &Span) {
        let (items, bytes) = match self.way {
            Way::Received => ("received_items", "received_item_bytes"),
            Way::Sent => ("sent_items", "sent_item_bytes"),
        };
        if self.items > 0 {
            span.record(items, self.items).record(bytes, self.bytes);
        }
    }
}
