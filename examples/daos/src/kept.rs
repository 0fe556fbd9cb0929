//! A message that keeps the fields it does not know.

use std::ops::{Deref, DerefMut};

use bytes::{Buf, BufMut};
use prost::encoding::{DecodeContext, WireType, decode_varint, encode_key, encode_varint, skip_field};
use prost::{DecodeError, Message, Name};

/// A message, and the fields in it that this build does not know.
///
/// prost drops what it does not know. What is stored and returned, or sent on, must come out as it came in, though: a newer peer's field is
/// not ours to lose. Written out, unknown fields stand behind the known ones, in the order in which they came, as Go's protobuf has it. A
/// group, which proto3 does not have, is dropped.
///
/// ```
/// use drpc_daos::{kept::Kept, messages::srv::GetPoolSvcReq};
/// use prost::Message;
///
/// let newer = b"\x0a\x01p\xd2\x3e\x03new"; // field 1, which we know, and field 1002
/// let mut request = Kept::<GetPoolSvcReq>::decode(&newer[..])?;
/// assert_eq!(request.uuid, "p");
///
/// request.uuid = "q".into();
/// assert_eq!(request.encode_to_vec(), b"\x0a\x01q\xd2\x3e\x03new");
/// # Ok::<(), prost::DecodeError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Kept<M> {
    message: M,
    /// As they came: keys and values.
    unknown: Vec<u8>,
}

impl<M> Kept<M> {
    /// The message alone, without what is not known of it.
    pub fn into_known(self) -> M {
        self.message
    }
}

impl<M> From<M> for Kept<M> {
    fn from(message: M) -> Self {
        Kept { message, unknown: Vec::new() }
    }
}

impl<M> Deref for Kept<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.message
    }
}

impl<M> DerefMut for Kept<M> {
    fn deref_mut(&mut self) -> &mut M {
        &mut self.message
    }
}

impl<M: Message + Default> Message for Kept<M> {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        self.message.encode_raw(buf);
        buf.put_slice(&self.unknown);
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        if knows::<M>(tag, wire_type) {
            self.message.merge_field(tag, wire_type, buf, context)
        } else {
            keep(tag, wire_type, buf, context, &mut self.unknown)
        }
    }

    fn encoded_len(&self) -> usize {
        self.message.encoded_len() + self.unknown.len()
    }

    fn clear(&mut self) {
        self.message.clear();
        self.unknown.clear();
    }
}

/// It is the same message to its peers.
impl<M: Name + Default> Name for Kept<M> {
    const NAME: &'static str = M::NAME;
    const PACKAGE: &'static str = M::PACKAGE;
}

/// Whether the message has a field of this number. It is tried: what is not known leaves a message as it was, and these values are no
/// field's default.
fn knows<M: Message + Default>(tag: u32, wire_type: WireType) -> bool {
    // Of a length: a text, and whole numbers of every width; a nested message refuses it, which is an answer, too.
    let value: &[u8] = match wire_type {
        WireType::Varint => &[1],
        WireType::SixtyFourBit => &[1; 8],
        WireType::ThirtyTwoBit => &[1; 4],
        WireType::LengthDelimited => &[8, 1, 1, 1, 1, 1, 1, 1, 1],
        WireType::StartGroup | WireType::EndGroup => return false,
    };
    let mut message = M::default();
    let merged = message.merge_field(tag, wire_type, &mut &value[..], DecodeContext::default());
    merged.is_err() || message.encoded_len() > 0
}

/// Takes a field from `buf` as it is.
fn keep(
    tag: u32,
    wire_type: WireType,
    buf: &mut impl Buf,
    context: DecodeContext,
    kept: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    let mut field = Vec::new();
    encode_key(tag, wire_type, &mut field);
    let length = match wire_type {
        WireType::Varint => {
            encode_varint(decode_varint(buf)?, &mut field);
            0
        }
        WireType::SixtyFourBit => 8,
        WireType::ThirtyTwoBit => 4,
        WireType::LengthDelimited => {
            let length = decode_varint(buf)?;
            encode_varint(length, &mut field);
            length
        }
        WireType::StartGroup | WireType::EndGroup => return skip_field(wire_type, tag, buf, context),
    };
    // Nothing is allocated on a peer's word (W6).
    match usize::try_from(length) {
        Ok(length) if length <= buf.remaining() => field.put(buf.take(length)),
        _ => return skip_field(WireType::SixtyFourBit, tag, &mut &[][..], context),
    }
    kept.append(&mut field);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::mgmt::{PoolCreateReq, PoolSetPropReq, SystemGetPropResp};
    use crate::messages::{PoolProperty, PropertyValue};

    #[test]
    fn each_kind_of_field_is_known_even_with_its_default_value() {
        let kinds = [(1, WireType::LengthDelimited), (6, WireType::LengthDelimited), (8, WireType::Varint)];
        for (tag, wire_type) in kinds {
            assert!(knows::<PoolCreateReq>(tag, wire_type), "{tag}");
        }
        // Packed or not, both are legal.
        for (tag, wire_type) in [(10, WireType::SixtyFourBit), (10, WireType::LengthDelimited)] {
            assert!(knows::<PoolCreateReq>(tag, wire_type), "{tag}");
        }
        assert!(knows::<PoolCreateReq>(12, WireType::LengthDelimited));
        assert!(knows::<PoolCreateReq>(14, WireType::ThirtyTwoBit));
        assert!(knows::<SystemGetPropResp>(1, WireType::LengthDelimited), "a map");
        assert!(!knows::<PoolCreateReq>(15, WireType::LengthDelimited));
        assert_eq!(Kept::<PoolCreateReq>::decode(&b"\x40\x00"[..]).unwrap().unknown, b"");
    }

    #[test]
    fn unknown_fields_of_every_kind_come_out_as_they_came() {
        let unknown = b"\xf8\x3f\x05\xf9\x3f12345678\xfa\x3f\x02hi\xfd\x3f1234";
        let message = Kept::<PoolCreateReq>::decode(&unknown[..]).unwrap();
        assert_eq!(message.encode_to_vec(), unknown);
        assert_eq!(message.into_known(), PoolCreateReq::default());
    }

    #[test]
    fn a_property_of_a_kind_that_came_later_is_kept_within_its_message() {
        // Number 9, and the development head's `byteval` (4).
        let body = b"\x1a\x07\x08\x09\x22\x03\x00\x01\x02";
        let request = PoolSetPropReq::decode(&body[..]).unwrap();
        assert_eq!((request.properties[0].number, &request.properties[0].value), (9, &None));
        assert_eq!(request.encode_to_vec(), body);

        let known = PoolProperty::decode(&b"\x08\x01\x12\x03abc"[..]).unwrap();
        assert_eq!(known.value, Some(PropertyValue::Strval("abc".into())));
        assert!(known.unknown.is_empty());
    }

    #[test]
    fn a_length_that_is_not_there_is_refused() {
        for body in
            [&b"\xfa\x3f\x7fshort"[..], b"\xfa\x3f\xff\xff\xff\xff\xff\xff\xff\xff\x7f", b"\xf9\x3f123"]
        {
            Kept::<PoolCreateReq>::decode(body).unwrap_err();
        }
    }
}
