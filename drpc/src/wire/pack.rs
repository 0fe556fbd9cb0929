//! Many calls, or many responses, in one packet (E5): most of what a short call costs is the kernel's, and is paid once for all of them.

use prost::encoding::{encode_varint, encoded_len_varint};

use super::added::{CallFields, ResponseFields};
use super::body::Body;
use super::envelope::{Call, Envelope, Head, Response};
use super::items::PACKED_AT_MOST;
use crate::buffer::SMALL;

/// Messages that are to go in one packet.
#[derive(Debug, Default)]
pub(crate) struct Pack {
    body: Vec<u8>,
    len: usize,
}

impl Pack {
    /// How many bytes a pack may have: who takes no message of so many takes none.
    pub(crate) const MOST: usize = SMALL;

    /// How many of these the messages may have, with their lengths. The rest is for what stands around them.
    const ROOM: usize = Self::MOST - 16;

    /// A body that is longer is better sent from where it is, in bytes.
    pub(crate) const LONGEST: usize = 4 << 10;

    /// How many messages it has.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether there is room for one that has a body of up to [`LONGEST`](Self::LONGEST) bytes, and a trace context.
    pub(crate) fn has_room(&self) -> bool {
        self.len < PACKED_AT_MOST && Self::ROOM - self.body.len() >= Self::LONGEST + (1 << 10)
    }

    /// Puts a message behind the others; false if it does not fit, or can't be packed.
    #[must_use]
    pub(crate) fn put(&mut self, head: &Head, body: &Body) -> bool {
        let Envelope { before, after } = head.into();
        let len = before.len() + body.len() + after.len();
        let room = Self::ROOM - self.body.len();
        if self.len == PACKED_AT_MOST || encoded_len_varint(len as u64) + len > room || body.has_descriptors()
        {
            return false;
        }
        encode_varint(len as u64, &mut self.body);
        self.body.extend_from_slice(before);
        body.segments().for_each(|segment| self.body.extend_from_slice(segment));
        self.body.extend_from_slice(after);
        self.len += 1;
        true
    }

    /// The message of packed calls.
    pub(crate) fn into_call(self) -> Call<Body> {
        let added = CallFields { is_pack: true, ..CallFields::default() };
        Call { module: 0, method: 0, sequence: 0, body: self.body.into(), added: Some(added.into()) }
    }

    /// The message of packed responses.
    pub(crate) fn into_response(self) -> Response<Body> {
        let added = ResponseFields { is_pack: true, ..ResponseFields::default() };
        Response { body: self.body.into(), added: Some(added.into()), ..Response::default() }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::items::PACK_TAIL;
    use super::*;

    fn response(sequence: i64, body: Vec<u8>) -> Response<Body> {
        Response { sequence, body: body.into(), ..Response::default() }
    }

    #[test]
    fn messages_are_unpacked_as_they_were_packed() {
        let sent: Vec<_> = (0..3).map(|number| response(number, vec![7; 100 * number as usize])).collect();
        let mut pack = Pack::default();
        assert!(sent.iter().all(|response| pack.put(&response.head(), &response.body)));
        assert_eq!(pack.len(), 3);
        let unpacked = Response::unpack(&pack.into_response().encode()).unwrap();
        assert!(unpacked.eq(sent.iter().map(Response::encode)));

        let call: Call<Body> =
            Call { module: 7, method: 700, sequence: 1, body: vec![1].into(), added: None };
        let mut pack = Pack::default();
        assert!(pack.put(&call.head(), &call.body));
        let message = pack.into_call().encode();
        assert!(Call::unpack(&message).unwrap().eq([call.encode()]));
        assert!(
            Response::unpack(&message).is_none() && Call::decode(message).unwrap().added.unwrap().is_pack
        );
    }

    #[test]
    fn a_pack_is_full_at_its_bounds_and_no_longer_one_is_taken() {
        let mut pack = Pack::default();
        let short = response(1, vec![]);
        assert_eq!((0..1000).take_while(|_| pack.put(&short.head(), &short.body)).count(), PACKED_AT_MOST);
        assert!(Response::unpack(&pack.into_response().encode()).is_some());
        let mut pack = Pack::default();
        let long = response(1, vec![0; 1000]);
        while pack.put(&long.head(), &long.body) {}
        assert_eq!(pack.len(), 16);
        let message = pack.into_response().encode();
        assert!(message.len() <= SMALL && Response::unpack(&message).is_some());

        let body: Bytes = vec![0; PACKED_AT_MOST + 1].into();
        let fields = ResponseFields { is_pack: true, ..ResponseFields::default() };
        let many: Response = Response { body, added: Some(fields.into()), ..Response::default() };
        assert!(Response::unpack(&many.encode()).is_none());
    }

    #[test]
    fn a_pack_that_says_more_loses_nothing() {
        let fields = CallFields { is_pack: true, takes_many: true, ..CallFields::default() };
        let call: Call = Call { added: Some(fields.into()), ..Call::default() };
        assert_eq!(Call::decode(call.encode()).unwrap(), call);
        let fields = ResponseFields { is_pack: true, takes_many: true, ..ResponseFields::default() };
        let response: Response = Response { added: Some(fields.into()), ..Response::default() };
        assert_eq!(Response::decode(response.encode()).unwrap(), response);
    }

    #[test]
    fn what_is_no_pack_is_left_alone() {
        let pack = |body: &'static [u8]| {
            let fields = CallFields { is_pack: true, ..CallFields::default() };
            let call: Call =
                Call { module: 0, method: 0, sequence: 0, body: body.into(), added: Some(fields.into()) };
            call.encode()
        };
        for body in [&b""[..], &[5, 1], &[0x80], &[1, 1, 2, 1]] {
            assert!(Call::unpack(&pack(body)).is_none(), "{body:?}");
        }
        let ends_alike: Call =
            Call { module: 7, method: 700, sequence: 1, body: PACK_TAIL.into(), added: None };
        assert!(Call::unpack(&ends_alike.encode()).is_none());
        assert!(Call::unpack(&Bytes::new()).is_none());
    }
}
