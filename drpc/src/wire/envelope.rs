//! The two messages that travel (E1, E2). The body is the last of DAOS's fields, so that a message is its *head* (all that stands
//! before the body's bytes), the body, which is never copied, and a *tail*, if this project's own fields are there (E5).

use std::ops::Deref;

use bytes::{Buf, Bytes};
use prost::Message;
use prost::encoding::WireType;
#[cfg(any(feature = "server", feature = "progress", feature = "blocking-server"))]
use prost::encoding::{DecodeContext, decode_key, decode_varint, skip_field};

use super::added::{CallFields, ResponseFields};
use super::body::Segments;
use super::error::EnvelopeError;
use super::items::{Items, PACK_TAIL, PACKED_AT_MOST};
use super::proto;
use super::status::Status;
use super::stream::{Control, Part};
use crate::buffer::SMALL;

/// A call of one method of one module ([E1](crate::guide::rules#envelope)).
///
/// # Example
///
/// ```
/// use drpc::wire::Call;
///
/// let call = Call { module: 7, method: 700, sequence: 1, body: "ping".into(), added: None };
/// assert_eq!(Call::decode(call.encode())?, call);
/// # Ok::<(), drpc::wire::EnvelopeError>(())
/// ```
///
/// Its body is [`Bytes`] in a call that came in, and may be a [`Body`](super::Body) in one that goes out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call<B = Bytes> {
    /// The module that is to process the call.
    pub module: i32,
    /// The method, by its system-wide ID.
    pub method: i32,
    /// Matches the response to this call; counted up by the client ([C1](crate::guide::rules#client)).
    pub sequence: i64,
    /// The method's request, marshalled.
    pub body: B,
    /// What this project adds to it ([E5](crate::guide::rules#envelope)); nothing unless the client was told to.
    pub added: Option<Box<CallFields>>,
}

/// The result of a call ([E2](crate::guide::rules#envelope)).
///
/// # Example
///
/// ```
/// use drpc::{Status, wire::Response};
///
/// let response = Response::failure(1, Status::UNKNOWN_METHOD);
/// assert_eq!(Response::decode(response.encode())?, response);
/// # Ok::<(), drpc::wire::EnvelopeError>(())
/// ```
///
/// Its body is [`Bytes`] in a response that came in, and a [`Body`](super::Body) in one that goes out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response<B = Bytes> {
    /// The sequence of the call that this answers; -1 where the call could not be read ([D1](crate::guide::rules#dispatch)).
    pub sequence: i64,
    /// What became of the call.
    pub status: Status,
    /// The method's reply, marshalled; empty unless the status is SUCCESS ([D3](crate::guide::rules#dispatch)).
    pub body: B,
    /// What this project adds to it ([E5](crate::guide::rules#envelope)); nothing unless the call asked for it.
    pub added: Option<Box<ResponseFields>>,
}

/// The sequence of a response to a call that could not be read (D1).
pub(crate) const UNREADABLE_CALL: i64 = -1;

impl Call {
    /// Decodes a message; the body is a slice of it, not a copy.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError`] if the bytes are no `Call`. Unknown fields are no error ([E5](crate::guide::rules#envelope)).
    pub fn decode(mut message: Bytes) -> Result<Call, EnvelopeError> {
        if let Some(([module, method, sequence], body)) = canonical(&message) {
            message.advance(body);
            return Ok(Call {
                module: module as i32,
                method: method as i32,
                sequence: sequence as i64,
                body: message,
                added: None,
            });
        }
        let mut call = proto::Call::decode(message).map_err(|cause| EnvelopeError::new("call", cause))?;
        let added = CallFields::taken_from(&mut call).map(Box::new);
        let proto::Call { module, method, sequence, body, .. } = call;
        Ok(Call { module, method, sequence, body, added })
    }

    /// The sequence and the body of an item that a caller sends, as encoders write one: of these there are many.
    pub(crate) fn item_in(message: &Bytes) -> Option<(i64, Bytes)> {
        let before = message.strip_suffix(Control::ITEM_TAIL)?;
        let ([module, method, sequence], body) = canonical(before)?;
        (module == 0 && method == 0).then(|| (sequence as i64, message.slice(body..before.len())))
    }

    /// The IDs of module and method in a call, as encoders write one.
    pub(crate) fn ids_in(message: &[u8]) -> Option<(i32, i32)> {
        let (mut ids, mut at) = ([0; 2], 0);
        for (field, id) in (1u8..).zip(&mut ids) {
            if message.get(at) == Some(&(field << 3)) {
                (*id, at) = varint(message, at + 1)?;
            }
        }
        Some((ids[0] as i32, ids[1] as i32))
    }

    /// The IDs of module and method in a call, however it was written; `None` if it has more than a few fields, or can't be read.
    #[cfg(any(feature = "server", feature = "progress", feature = "blocking-server"))]
    pub(crate) fn ids_among_few(mut message: &[u8]) -> Option<(i32, i32)> {
        // Those that are defined, and some.
        const FEW: usize = 32;
        let mut ids = [0; 2];
        for _ in 0..FEW {
            if message.is_empty() {
                return Some((ids[0] as i32, ids[1] as i32));
            }
            let (field, wire_type) = decode_key(&mut message).ok()?;
            match (field, wire_type) {
                (1 | 2, WireType::Varint) => ids[field as usize - 1] = decode_varint(&mut message).ok()?,
                (_, WireType::StartGroup | WireType::EndGroup) => return None,
                _ => skip_field(wire_type, field, &mut message, DecodeContext::default()).ok()?,
            }
        }
        None
    }

    /// The calls in a message that is a [pack](CallFields::is_pack) of them, each a message as [`decode`](Self::decode) takes it; `None` if it is none.
    ///
    /// ```
    /// use drpc::wire::{Call, CallFields};
    ///
    /// let pack = CallFields { is_pack: true, ..CallFields::default() };
    /// let pack: Call = Call { module: 0, method: 0, sequence: 0, body: "\x02\x18\x07\x02\x18\x08".into(), added: Some(pack.into()) };
    /// let sequences = Call::unpack(&pack.encode()).unwrap().map(|call| Ok(Call::decode(call)?.sequence));
    /// assert_eq!(sequences.collect::<Result<Vec<_>, _>>()?, [7, 8]);
    /// # Ok::<(), drpc::wire::EnvelopeError>(())
    /// ```
    #[must_use]
    pub fn unpack(message: &Bytes) -> Option<Items> {
        unpack::<3>(message)
    }
}

impl<B> Call<B>
where
    for<'a> Segments<'a>: From<&'a B>,
{
    /// Encodes the whole message into one buffer. To send, prefer [`head`](Self::head), which leaves the body where it is.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        joined(&self.head(), Segments::from(&self.body))
    }

    /// Everything but the body's bytes.
    #[must_use]
    pub fn head(&self) -> Head {
        let body = Segments::from(&self.body);
        let mut head = match &self.added {
            Some(added) if added.control == Some(Control::Item) => Head::fixed(Fixed::ItemOfCaller),
            Some(added) if added.is_nothing_but_pack() => Head::fixed(Fixed::Pack),
            added => Head::new(CallFields::tail(added.as_deref(), body.descriptors())),
        };
        head.put_number(1, self.module.into());
        head.put_number(2, self.method.into());
        head.put_number(3, self.sequence);
        head.put_prefix(4, body.len());
        head
    }
}

impl Response {
    /// Decodes a message; the body is a slice of it, not a copy.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError`] if the bytes are no `Response`. Unknown fields are no error ([E5](crate::guide::rules#envelope)), nor is an unknown status ([E3](crate::guide::rules#envelope)).
    pub fn decode(mut message: Bytes) -> Result<Response, EnvelopeError> {
        if let Some(([sequence, status], body)) = canonical(&message) {
            message.advance(body);
            let status = (status as i32).into();
            return Ok(Response { sequence: sequence as i64, status, body: message, added: None });
        }
        if let Some(item) = item(&message) {
            return Ok(item);
        }
        let mut response =
            proto::Response::decode(message).map_err(|cause| EnvelopeError::new("response", cause))?;
        let added = ResponseFields::taken_from(&mut response).map(Box::new);
        let proto::Response { sequence, status, body, .. } = response;
        Ok(Response { sequence, status: status.into(), body, added })
    }

    /// The responses in a message that is a [pack](ResponseFields::is_pack) of them, as [`Call::unpack`] gives calls.
    #[must_use]
    pub fn unpack(message: &Bytes) -> Option<Items> {
        unpack::<2>(message)
    }
}

impl<B> Response<B> {
    /// What the response is of a stream that goes on.
    #[must_use]
    pub fn part(&self) -> Option<Part> {
        self.added.as_ref().and_then(|added| added.part)
    }
}

impl<B: Default> Response<B> {
    /// A response without a body ([D3](crate::guide::rules#dispatch)).
    #[must_use]
    pub fn failure(sequence: i64, status: Status) -> Self {
        Response { sequence, status, body: B::default(), added: None }
    }

    /// The answer to bytes that are no call: sequence -1, `FAILED_UNMARSHAL_CALL` ([D1](crate::guide::rules#dispatch)).
    #[must_use]
    pub fn unreadable_call() -> Self {
        Response::failure(UNREADABLE_CALL, Status::FAILED_UNMARSHAL_CALL)
    }
}

impl<B> Response<B>
where
    for<'a> Segments<'a>: From<&'a B>,
{
    /// Encodes the whole message into one buffer. To send, prefer [`head`](Self::head), which leaves the body where it is.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        joined(&self.head(), Segments::from(&self.body))
    }

    /// Everything but the body's bytes.
    #[must_use]
    pub fn head(&self) -> Head {
        let body = Segments::from(&self.body);
        let mut head = match &self.added {
            Some(added) if added.part == Some(Part::Item) => Head::fixed(Fixed::ItemOfServer),
            Some(added) if added.is_nothing_but_pack() => Head::fixed(Fixed::Pack),
            added => Head::new(ResponseFields::tail(added.as_deref(), body.descriptors())),
        };
        head.put_number(1, self.sequence);
        head.put_number(2, self.status.code().into());
        head.put_prefix(3, body.len());
        head
    }
}

/// Reads an item of a stream, as encoders write it: of these there are many.
#[inline(never)]
fn item(message: &Bytes) -> Option<Response> {
    let before = message.strip_suffix(Part::ITEM_TAIL)?;
    let ([sequence, status], body) = canonical(before)?;
    Some(Response {
        sequence: sequence as i64,
        status: (status as i32).into(),
        body: message.slice(body..before.len()),
        added: Some(ResponseFields::of_part(Part::Item).into()),
    })
}

/// The messages in a pack, which has one form, and is no longer than what is copied out of the buffer for receiving.
#[inline(always)]
fn unpack<const N: usize>(message: &Bytes) -> Option<Items> {
    if message.ends_with(PACK_TAIL) { messages_in::<N>(message) } else { None }
}

#[inline(never)]
fn messages_in<const N: usize>(message: &Bytes) -> Option<Items> {
    let before = message.strip_suffix(PACK_TAIL)?;
    let (numbers, body) = canonical(before)?;
    if numbers != [0; N] || message.len() > SMALL {
        return None;
    }
    let messages = Items::read(message.slice(body..before.len())).ok()?;
    (1..=PACKED_AT_MOST).contains(&messages.len()).then_some(messages)
}

fn joined(head: &Head, body: Segments<'_>) -> Bytes {
    let Envelope { before, after } = head.into();
    let mut whole = Vec::with_capacity(before.len() + body.len() + after.len());
    whole.extend_from_slice(before);
    body.range(0, body.len()).for_each(|part| whole.extend_from_slice(part));
    whole.extend_from_slice(after);
    whole.into()
}

/// What surrounds a message's body, marshalled: DAOS's own fields before it, and [added fields](crate::guide::added_fields) behind it
/// ([E5](crate::guide::rules#envelope)).
///
/// As a slice, it is what goes before the body.
///
/// ```
/// use drpc::wire::Call;
///
/// let call: Call = Call { module: 5, method: 501, sequence: 1, body: "World".into(), added: None };
/// let whole = [&*call.head(), b"World"].concat();
/// assert_eq!(call.encode(), whole);
/// ```
#[derive(Clone, Debug)]
pub struct Head {
    len: u8,
    bytes: [u8; MAX_HEAD],
    /// Empty, and nothing allocated, without added fields.
    tail: Box<[u8]>,
    fixed: Fixed,
}

/// A tail for which nothing is allocated.
#[derive(Clone, Copy, Debug)]
enum Fixed {
    No,
    ItemOfServer,
    ItemOfCaller,
    Pack,
}

impl Head {
    fn new(tail: Option<Box<[u8]>>) -> Head {
        Head { len: 0, bytes: [0; MAX_HEAD], tail: tail.unwrap_or_default(), fixed: Fixed::No }
    }

    fn fixed(fixed: Fixed) -> Head {
        Head { fixed, ..Head::new(None) }
    }

    /// A field that is a number. proto3 leaves out one that holds its default.
    #[inline]
    fn put_number(&mut self, field: u8, value: i64) {
        if value != 0 {
            self.put(field << 3 | WireType::Varint as u8, value as u64);
        }
    }

    /// What stands before the bytes of a field that is not empty.
    #[inline]
    fn put_prefix(&mut self, field: u8, len: usize) {
        if len != 0 {
            self.put(field << 3 | WireType::LengthDelimited as u8, len as u64);
        }
    }

    #[inline]
    fn put(&mut self, key: u8, value: u64) {
        let at = usize::from(self.len);
        let room = &mut self.bytes[at..at + MAX_FIELD];
        room[0] = key;
        self.len += match value {
            0..0x80 => {
                room[1] = value as u8;
                2
            }
            0x80..0x4000 => {
                (room[1], room[2]) = (value as u8 | 0x80, (value >> 7) as u8);
                3
            }
            _ => 1 + put_long_varint(&mut room[1..], value),
        };
    }
}

/// Writes a varint; gives how many bytes it has.
#[inline(never)]
fn put_long_varint(room: &mut [u8], mut value: u64) -> u8 {
    let mut len = 0;
    for byte in room {
        len += 1;
        if value < 0x80 {
            *byte = value as u8;
            break;
        }
        *byte = value as u8 | 0x80;
        value >>= 7;
    }
    len
}

impl Deref for Head {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len.into()]
    }
}

/// A message without its body, borrowed: what goes before the body, and what goes behind. Bytes alone go before it.
///
/// ```
/// use drpc::wire::{Codec, Envelope, Response, Status, Wire};
///
/// let response: Response = Response::failure(1, Status::FAILURE);
/// let head = response.head();
/// let codec = Codec::new(Wire::Chunked, 1 << 20);
/// assert_eq!(codec.packets(Envelope::from(&head), b"")?.len(), 1);
/// # Ok::<(), drpc::wire::MessageTooLong>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    pub(super) before: &'a [u8],
    pub(super) after: &'a [u8],
}

impl Envelope<'_> {
    pub(super) fn len(&self) -> usize {
        self.before.len() + self.after.len()
    }
}

impl<'a> From<&'a Head> for Envelope<'a> {
    fn from(head: &'a Head) -> Self {
        let after = match head.fixed {
            Fixed::No => &*head.tail,
            Fixed::ItemOfServer => Part::ITEM_TAIL,
            Fixed::ItemOfCaller => Control::ITEM_TAIL,
            Fixed::Pack => PACK_TAIL,
        };
        Envelope { before: head, after }
    }
}

impl<'a, T: AsRef<[u8]> + ?Sized> From<&'a T> for Envelope<'a> {
    fn from(head: &'a T) -> Self {
        Envelope { before: head.as_ref(), after: &[] }
    }
}

/// Reads the one form in which encoders write a message of `N` numbers and a body: each field once, in order, the last
/// one up to the end; where a default is left out, a 0. Gives the numbers and where the body begins. `None` for any
/// other form, which is as legal, and for what is no message.
///
/// This is what every packet goes through that DAOS's own fields alone make up; prost's decoder, which reads the added ones (E5), takes
/// four times as long.
#[inline(always)]
fn canonical<const N: usize>(message: &[u8]) -> Option<([u64; N], usize)> {
    let mut numbers = [0; N];
    let mut at = 0;
    for (field, number) in (1u8..).zip(&mut numbers) {
        if message.get(at) == Some(&(field << 3)) {
            (*number, at) = varint(message, at + 1)?;
        }
    }
    if at == message.len() {
        return Some((numbers, at));
    }
    let body_key = ((N as u8 + 1) << 3) | WireType::LengthDelimited as u8;
    if message[at] != body_key {
        return None;
    }
    let (len, at) = varint(message, at + 1)?;
    (len == (message.len() - at) as u64).then_some((numbers, at))
}

/// The varint at a place of at most nine bytes, and where it ends.
#[inline(always)]
fn varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    match bytes[at.min(bytes.len())..] {
        [first, ..] if first < 0x80 => Some((first.into(), at + 1)),
        [first, second, ..] if second < 0x80 => {
            Some((u64::from(second) << 7 | u64::from(first & 0x7f), at + 2))
        }
        _ => long_varint(bytes, at),
    }
}

#[inline(never)]
fn long_varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut value = 0;
    for index in 0..9 {
        let byte = *bytes.get(at + index)?;
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, at + index + 1));
        }
    }
    None
}

/// The longest head: four fields.
const MAX_HEAD: usize = 4 * MAX_FIELD;

/// The longest field of a head: a key of one byte, and a varint of at most ten.
const MAX_FIELD: usize = 11;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_head_and_body_are_what_prost_writes() {
        for (module, sequence, body) in [(0, 0, ""), (-3, 1, "x"), (i32::MAX, i64::MIN, "body"), (7, -1, "")]
        {
            let ours = Call::<Bytes> { module, method: 700, sequence, body: body.into(), added: None };
            let theirs =
                proto::Call { module, method: 700, sequence, body: body.into(), ..Default::default() };
            assert_eq!(ours.encode(), theirs.encode_to_vec());

            let ours =
                Response::<Bytes> { sequence, status: Status::from(module), body: body.into(), added: None };
            let theirs =
                proto::Response { sequence, status: module, body: body.into(), ..Default::default() };
            assert_eq!(ours.encode(), theirs.encode_to_vec());
        }
    }

    #[test]
    fn a_decoded_body_is_a_slice_of_the_message() {
        let message =
            Call::<Bytes> { module: 7, method: 700, sequence: 5, body: vec![7; 4096].into(), added: None }
                .encode();
        let call = Call::decode(message.clone()).unwrap();
        assert_eq!(call.body.as_ptr(), message[message.len() - 4096..].as_ptr());
    }

    #[test]
    fn the_canonical_form_is_read_as_prost_reads_it() {
        let numbers = [0, 1, 127, 128, -1, i64::MAX, i64::MIN];
        for (module, sequence) in numbers.iter().flat_map(|a| numbers.map(|b| (*a as i32, b))) {
            for body in ["", "x", "body"] {
                let theirs =
                    proto::Call { module, method: 3, sequence, body: body.into(), ..Default::default() };
                let read = Call::decode(theirs.encode_to_vec().into()).unwrap();
                assert_eq!(read, Call { module, method: 3, sequence, body: body.into(), added: None });
            }
        }
        // In another order, twice, cut, with a varint too long for its field.
        let head = [0x18, 5, 0x08, 7];
        assert_eq!(Call::decode(head.to_vec().into()).unwrap().module, 7);
        assert_eq!(Call::decode(vec![0x08, 1, 0x08, 7].into()).unwrap().module, 7);
        assert!(Call::decode(vec![0x08, 0x80].into()).is_err());
        assert!(Call::decode(vec![0x22, 5, 1].into()).is_err());
        let long = [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        assert_eq!(Call::decode(long.to_vec().into()).unwrap().module, -1);
    }

    #[test]
    fn unknown_fields_are_ignored() {
        // E5: field 15 with a string, before and after the fields that are known.
        let mut bytes = vec![0x7a, 0x02, b'h', b'i'];
        bytes.extend_from_slice(
            &Call::<Bytes> { module: 5, method: 501, sequence: 1, body: "b".into(), added: None }.encode(),
        );
        bytes.extend_from_slice(&[0x7a, 0x01, b'!']);
        let call = Call::decode(bytes.into()).unwrap();
        assert_eq!((call.module, call.method, call.sequence, &call.body[..]), (5, 501, 1, &b"b"[..]));
    }

    #[test]
    fn the_empty_response_is_zero_bytes() {
        // W4: SUCCESS, sequence 0, no body.
        assert!(Response::<Bytes>::default().encode().is_empty());
        assert_eq!(Response::decode(Bytes::new()).unwrap(), Response::default());
    }
}
