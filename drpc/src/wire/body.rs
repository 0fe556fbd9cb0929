use std::fmt;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use bytes::buf::UninitSlice;
use bytes::{Buf, BufMut, Bytes};
use prost::Message;

use crate::budget::Lease;
use crate::buffer::{Buffer, SMALL};

/// The body of a message that goes out: bytes in one piece, or in several that are sent one behind the other; and the descriptors that go
/// along.
///
/// Pieces are what lets a large reply go out without a copy: a message's `bytes` field of 8 KiB or more is sent from where it
/// is. What comes in is always one [`Bytes`].
///
/// # Example
///
/// ```
/// use drpc::Body;
///
/// let body = Body::from("ping");
/// assert_eq!((body.len(), body.into_bytes()), (4, "ping".into()));
/// ```
#[derive(Clone, Default)]
pub struct Body {
    first: Bytes,
    /// `None` where there is no more, as in most: it is moved a few times a call.
    more: Option<Arc<More>>,
}

/// What a body may have besides one piece. Clones share it: so a call that is made again has the descriptors, too.
#[derive(Debug)]
struct More {
    rest: Vec<Bytes>,
    descriptors: Vec<OwnedFd>,
}

impl More {
    fn of(rest: Vec<Bytes>, descriptors: Vec<OwnedFd>) -> Option<Arc<More>> {
        (!rest.is_empty() || !descriptors.is_empty()).then(|| Arc::new(More { rest, descriptors }))
    }
}

impl Body {
    /// The body without a byte.
    #[must_use]
    pub const fn new() -> Self {
        Body { first: Bytes::new(), more: None }
    }

    /// The same body, with descriptors that its message passes to the peer: see [the chapter](crate::guide::descriptors). They are closed here with
    /// the last clone of the body, at the latest when the call is done.
    ///
    /// ```
    /// use drpc::Body;
    ///
    /// let (ours, theirs) = std::io::pipe()?;
    /// let body = Body::from("your end").with_descriptors(vec![theirs.into()]);
    /// assert_eq!(body.descriptors().len(), 1);
    /// # drop(ours);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn with_descriptors(self, descriptors: Vec<OwnedFd>) -> Self {
        let rest = self.more.map_or_else(Vec::new, |more| more.rest.clone());
        Body { first: self.first, more: More::of(rest, descriptors) }
    }

    /// The descriptors that its message passes.
    #[must_use]
    pub fn descriptors(&self) -> &[OwnedFd] {
        self.more.as_ref().map_or(&[], |more| &more.descriptors)
    }

    /// Whether its message passes descriptors.
    #[inline]
    pub(crate) fn has_descriptors(&self) -> bool {
        self.more.as_ref().is_some_and(|more| !more.descriptors.is_empty())
    }

    /// How many bytes it has in all.
    #[must_use]
    pub fn len(&self) -> usize {
        Segments::from(self).len()
    }

    /// Whether it has no byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.segments().all(Bytes::is_empty)
    }

    /// The body in one piece. It is copied only if it is in several.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        if self.rest().is_empty() {
            return self.first;
        }
        let mut whole = Buffer::with_capacity(self.len());
        self.segments().for_each(|segment| whole.extend_from_slice(segment));
        whole.freeze()
    }

    /// The same bytes, counted for as long as anybody has them: of several pieces, the first.
    pub(crate) fn leased(self, lease: Lease) -> Body {
        Body { first: lease.around(self.first), ..self }
    }

    /// The pieces, in order.
    pub fn segments(&self) -> impl Iterator<Item = &Bytes> {
        std::iter::once(&self.first).chain(self.rest())
    }

    fn rest(&self) -> &[Bytes] {
        self.more.as_ref().map_or(&[], |more| &more.rest)
    }

    /// A message, marshalled. Large fields of type [`Bytes`] are taken along, not copied.
    pub(crate) fn of(message: &impl Message) -> Body {
        let len = message.encoded_len();
        if len < BY_REFERENCE {
            let mut bytes = Vec::with_capacity(len);
            message.encode_raw(&mut bytes);
            return bytes.into();
        }
        let mut writer = BodyWriter { segments: Vec::new(), tail: Buffer::default() };
        message.encode_raw(&mut writer);
        writer.finish()
    }
}

/// From this length on a piece is sent from where it is, in bytes; one that is shorter is cheaper to copy.
const BY_REFERENCE: usize = 8 << 10;

/// Takes what an encoder writes.
pub(crate) struct BodyWriter {
    segments: Vec<Bytes>,
    /// What came behind the last segment.
    tail: Buffer,
}

impl BodyWriter {
    fn end_segment(&mut self) {
        if !self.tail.is_empty() {
            self.segments.push(std::mem::take(&mut self.tail).freeze());
        }
    }

    fn finish(mut self) -> Body {
        if self.segments.is_empty() {
            return self.tail.freeze().into();
        }
        self.end_segment();
        let mut segments = self.segments.into_iter();
        let first = segments.next().unwrap_or_default();
        Body { first, more: More::of(segments.collect(), Vec::new()) }
    }

    /// Room for so many bytes more. A large buffer comes from the pool.
    fn make_room(&mut self, len: usize) {
        if self.tail.room() >= len {
            return;
        }
        let wanted = self.tail.len() + len;
        match wanted <= SMALL {
            true => self.tail.as_mut_vec().reserve(len),
            false => self.tail.grow(wanted.max(2 * self.tail.capacity())),
        }
    }
}

#[allow(unsafe_code, reason = "`BufMut` is an unsafe trait; all is left to the one of `Vec`")]
// SAFETY: `chunk_mut` and `advance_mut` are those of the tail's vector, and `remaining_mut` is no more than what that may
// still grow by. Nothing else touches the tail between the two.
unsafe impl BufMut for BodyWriter {
    fn remaining_mut(&self) -> usize {
        isize::MAX as usize - self.tail.len()
    }

    unsafe fn advance_mut(&mut self, count: usize) {
        // SAFETY: the caller has written so many bytes into the tail's chunk.
        unsafe { self.tail.as_mut_vec().advance_mut(count) };
    }

    fn chunk_mut(&mut self) -> &mut UninitSlice {
        self.tail.as_mut_vec().chunk_mut()
    }

    fn put<T: Buf>(&mut self, mut source: T)
    where
        Self: Sized,
    {
        while source.has_remaining() {
            let len = source.chunk().len();
            if len >= BY_REFERENCE {
                // Of a `Bytes`, this is no copy.
                let segment = source.copy_to_bytes(len);
                self.end_segment();
                self.segments.push(segment);
            } else {
                self.put_slice(source.chunk());
                source.advance(len);
            }
        }
    }

    fn put_slice(&mut self, source: &[u8]) {
        self.make_room(source.len());
        self.tail.extend_from_slice(source);
    }
}

impl<B: Into<Bytes>> From<B> for Body {
    fn from(bytes: B) -> Self {
        Body { first: bytes.into(), more: None }
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Body) -> bool {
        let bytes = |body: &Body| body.clone().into_bytes();
        let descriptors = |body: &Body| body.descriptors().first().map(AsRawFd::as_raw_fd);
        self.len() == other.len() && bytes(self) == bytes(other) && descriptors(self) == descriptors(other)
    }
}

impl Eq for Body {}

impl<T: ?Sized> PartialEq<&T> for Body
where
    Bytes: for<'a> PartialEq<&'a T>,
{
    fn eq(&self, other: &&T) -> bool {
        self.clone().into_bytes() == *other
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.clone().into_bytes().fmt(f)
    }
}

/// Bytes in one or more pieces, borrowed.
///
/// ```
/// use drpc::Body;
/// use drpc::wire::{Codec, Segments, Wire};
///
/// let body = Body::from("ping");
/// let codec = Codec::new(Wire::Plain, 1 << 20);
/// let packets = codec.packets(b"head", Segments::from(&body))?;
/// assert_eq!(packets.len(), 1);
/// # Ok::<(), drpc::wire::MessageTooLong>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Segments<'a> {
    first: &'a [u8],
    more: Option<&'a More>,
}

impl<'a> Segments<'a> {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.first.len() + self.rest().iter().map(Bytes::len).sum::<usize>()
    }

    /// The descriptors that go along.
    #[inline]
    pub(super) fn descriptors(&self) -> &'a [OwnedFd] {
        self.more.map_or(&[], |more| &more.descriptors)
    }

    /// The bytes, if they are in one piece.
    #[inline]
    pub(super) fn as_one(&self) -> Option<&'a [u8]> {
        self.rest().is_empty().then_some(self.first)
    }

    fn rest(self) -> &'a [Bytes] {
        self.more.map_or(&[], |more| &more.rest)
    }

    /// The bytes from `start` to `end`, piece by piece.
    pub(super) fn range(self, mut start: usize, mut end: usize) -> impl Iterator<Item = &'a [u8]> {
        let all = std::iter::once(self.first).chain(self.rest().iter().map(|segment| &segment[..]));
        all.filter_map(move |segment| {
            let part = &segment[start.min(segment.len())..end.min(segment.len())];
            start = start.saturating_sub(segment.len());
            end = end.saturating_sub(segment.len());
            (!part.is_empty()).then_some(part)
        })
    }
}

impl<'a, T: AsRef<[u8]> + ?Sized> From<&'a T> for Segments<'a> {
    fn from(bytes: &'a T) -> Self {
        Segments { first: bytes.as_ref(), more: None }
    }
}

impl<'a> From<&'a Body> for Segments<'a> {
    fn from(body: &'a Body) -> Self {
        Segments { first: &body.first, more: body.more.as_deref() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, PartialEq, prost::Message)]
    struct Parts {
        #[prost(string, tag = "1")]
        name: String,
        #[prost(bytes = "bytes", repeated, tag = "2")]
        parts: Vec<Bytes>,
        #[prost(bytes = "vec", tag = "3")]
        copied: Vec<u8>,
    }

    #[test]
    fn what_is_written_is_what_prost_writes() {
        for sizes in [&[][..], &[0], &[5], &[8191, 8192, 8193], &[100_000, 3, 70_000]] {
            let parts: Vec<Bytes> = sizes.iter().map(|size| vec![7; *size].into()).collect();
            for copied in [0, 10, 30_000] {
                let message = Parts { name: "name".into(), parts: parts.clone(), copied: vec![1; copied] };
                let body = Body::of(&message);
                assert_eq!(body.len(), message.encoded_len());
                assert_eq!(body.into_bytes(), message.encode_to_vec());
            }
        }
    }

    #[test]
    fn a_large_field_is_not_copied() {
        let part = Bytes::from(vec![7; 1 << 20]);
        let body = Body::of(&Parts { parts: vec![part.clone()], ..Parts::default() });
        assert!(body.segments().any(|segment| segment.as_ptr() == part.as_ptr()));
    }

    #[test]
    fn any_range_is_the_same_in_one_piece_and_in_several() {
        let rest = vec!["".into(), "defg".into(), "h".into()];
        let body = Body { first: "abc".into(), more: More::of(rest, Vec::new()) };
        let whole = body.clone().into_bytes();
        for start in 0..=whole.len() {
            for end in start..=whole.len() {
                let range: Vec<u8> = Segments::from(&body).range(start, end).flatten().copied().collect();
                assert_eq!(range, whole[start..end]);
            }
        }
    }
}
