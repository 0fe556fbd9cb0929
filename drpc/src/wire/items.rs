//! Many items of a stream in one message (E5), so that those which are ready at once need one packet, and one system call, for all.

use bytes::{Buf, Bytes};
use prost::DecodeError;
use prost::encoding::{decode_varint, encode_varint};

use super::body::Body;
use super::error::EnvelopeError;

/// The items in the body of a [`Part::Items`](super::Part::Items) or [`Control::Items`](super::Control::Items), each with its length before it,
/// as a varint.
///
/// ```
/// use drpc::wire::Items;
///
/// let mut items = Items::read("\x04tick\x04tack".into())?;
/// assert_eq!((items.len(), items.bytes()), (2, 8));
/// assert_eq!(items.next().unwrap(), "tick");
/// # Ok::<(), drpc::wire::EnvelopeError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Items {
    rest: Bytes,
    left: usize,
    bytes: usize,
}

impl Items {
    /// Reads a body; the items are slices of it, not copies.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError`] if it ends within an item.
    pub fn read(body: Bytes) -> Result<Items, EnvelopeError> {
        let (mut left, mut bytes) = (0, 0);
        for len in lens(&body) {
            left += 1;
            bytes += len.map_err(|cause| EnvelopeError::new("list of items", cause))?;
        }
        Ok(Items { rest: body, left, bytes })
    }

    /// The next of them, which stays.
    pub(crate) fn peek(&self) -> Option<&[u8]> {
        let mut rest = &self.rest[..];
        let len = len_of_next(&mut rest).ok()?;
        rest.get(..len)
    }

    /// How many bytes each of those that are left has.
    pub(crate) fn lens(&self) -> impl Iterator<Item = usize> {
        lens(&self.rest).map_while(Result::ok)
    }

    /// How many bytes those that are left have.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Iterator for Items {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        self.left = self.left.checked_sub(1)?;
        let len = len_of_next(&mut self.rest).ok()?;
        self.bytes -= len;
        Some(self.rest.split_to(len))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Items {}

fn lens(mut rest: &[u8]) -> impl Iterator<Item = Result<usize, DecodeError>> {
    std::iter::from_fn(move || {
        (!rest.is_empty()).then(|| {
            let len = len_of_next(&mut rest).inspect_err(|_| rest = &[])?;
            rest.advance(len);
            Ok(len)
        })
    })
}

/// How long the item is that follows, and is all there.
fn len_of_next(rest: &mut impl Buf) -> Result<usize, DecodeError> {
    let len = decode_varint(rest)?;
    match usize::try_from(len) {
        Ok(len) if len <= rest.remaining() => Ok(len),
        // The decoder's own error for that.
        _ => Err(<() as prost::Message>::decode_length_delimited(&[1][..]).expect_err("it ends")),
    }
}

/// What stands behind the body of a pack: the field that says that it is one, and nothing else. Its body has the form of items.
pub(super) const PACK_TAIL: &[u8] = &[0xb8, 0x40, 1];

/// How many messages a pack may have.
pub(super) const PACKED_AT_MOST: usize = 128;

/// Items that are to go into one message.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// All of it as long as there is but one, which is not copied.
    first: Option<Body>,
    many: Vec<u8>,
    count: usize,
    bytes: usize,
}

/// How long a message gets that several items are put into, in bytes. A longer item goes alone.
const MOST: usize = 16 << 10;

/// What may stand before an item.
const PREFIX: usize = 3;

impl Gathered {
    /// How long a message that has several gets at most, in bytes, with what stands around them: who takes none as long takes one item at a time.
    pub(crate) const LONGEST: usize = MOST + 64;

    /// One item.
    pub(crate) fn of(item: Body) -> Self {
        Gathered { count: 1, bytes: item.len(), first: Some(item), many: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many bytes the items have.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts an item behind the others, or gives it back if it does not fit there.
    pub(crate) fn put(&mut self, item: Body) -> Result<(), Body> {
        let len = item.len();
        if self.is_empty() {
            *self = Gathered::of(item);
            return Ok(());
        }
        if self.bytes + len + (self.count + 1) * PREFIX > MOST {
            return Err(item);
        }
        if let Some(first) = self.first.take() {
            self.add(&first);
        }
        self.add(&item);
        self.count += 1;
        self.bytes += len;
        Ok(())
    }

    fn add(&mut self, item: &Body) {
        encode_varint(item.len() as u64, &mut self.many);
        item.segments().for_each(|segment| self.many.extend_from_slice(segment));
    }

    /// The body of their message, and whether several are in it.
    pub(crate) fn into_body(self) -> (Body, bool) {
        match self.first {
            Some(alone) => (alone, false),
            None => (self.many.into(), true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_read_as_they_were_gathered() {
        let mut gathered = Gathered::default();
        let sent = [vec![], vec![1; 100], vec![2; 300]];
        for item in &sent {
            gathered.put(item.clone().into()).unwrap();
        }
        assert_eq!((gathered.len(), gathered.bytes()), (3, 400));
        let (body, several) = gathered.into_body();
        assert!(several);
        let items = Items::read(body.into_bytes()).unwrap();
        assert_eq!((items.len(), items.bytes()), (3, 400));
        assert!(items.eq(sent));
    }

    #[test]
    fn one_item_goes_as_it_is_however_long_and_nothing_behind_it_that_does_not_fit() {
        let mut gathered = Gathered::default();
        let long = Bytes::from(vec![1; MOST]);
        gathered.put(long.clone().into()).unwrap();
        assert_eq!(gathered.put(vec![2].into()).unwrap_err().len(), 1);
        let (body, several) = gathered.into_body();
        assert_eq!((body.into_bytes().as_ptr(), several), (long.as_ptr(), false));
    }

    #[test]
    fn a_list_that_ends_within_an_item_is_an_error() {
        for body in [&[5, 1][..], &[0x80], &[1, 1, 2, 1], &[0xff; 10]] {
            assert!(Items::read(Bytes::copy_from_slice(body)).is_err(), "{body:?}");
        }
        assert_eq!(Items::read(Bytes::new()).unwrap().count(), 0);
    }
}
