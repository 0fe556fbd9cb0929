//! The two messages that travel (E1, E2). The body is always the last field, so that a message is its *head* (all
//! that stands before the body's bytes) and then the body, which is never copied.

use bytes::{BufMut, Bytes};
use prost::Message;
use prost::encoding::{self, WireType};

use super::{EnvelopeError, Status};

/// A call of one method of one module (E1).
///
/// # Example
///
/// ```
/// use drpc::wire::Call;
///
/// let call = Call { module: 7, method: 700, sequence: 1, body: "ping".into() };
/// assert_eq!(Call::decode(call.encode())?, call);
/// # Ok::<(), drpc::wire::EnvelopeError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// The module that is to process the call.
    pub module: i32,
    /// The method, by its system-wide ID.
    pub method: i32,
    /// Matches the response to this call; counted up by the client (C1).
    pub sequence: i64,
    /// The method's request, marshalled.
    pub body: Bytes,
}

/// The result of a call (E2).
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The sequence of the call that this answers; -1 where the call could not be read (D1).
    pub sequence: i64,
    /// What became of the call.
    pub status: Status,
    /// The method's reply, marshalled; empty unless the status is SUCCESS (D3).
    pub body: Bytes,
}

/// The sequence of a response to a call that could not be read (D1).
pub(crate) const UNREADABLE_CALL: i64 = -1;

impl Call {
    /// Decodes a message; the body is a slice of it, not a copy.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError`] if the bytes are no `Call`. Unknown fields are no error (E5).
    pub fn decode(message: Bytes) -> Result<Call, EnvelopeError> {
        let proto::Call { module, method, sequence, body } =
            proto::Call::decode(message).map_err(|cause| EnvelopeError::new("call", cause))?;
        Ok(Call { module, method, sequence, body })
    }

    /// Encodes the whole message into one buffer. To send, prefer [`encode_head`](Self::encode_head), which leaves
    /// the body where it is.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        joined(|out| self.encode_head(out), &self.body)
    }

    /// Appends everything that stands before the body's bytes.
    pub fn encode_head(&self, out: &mut impl BufMut) {
        put_int32(1, self.module, out);
        put_int32(2, self.method, out);
        put_int64(3, self.sequence, out);
        put_body_prefix(4, self.body.len(), out);
    }
}

impl Response {
    /// A response without a body (D3).
    #[must_use]
    pub const fn failure(sequence: i64, status: Status) -> Response {
        Response { sequence, status, body: Bytes::new() }
    }

    /// The answer to bytes that are no call: sequence -1, `FAILED_UNMARSHAL_CALL` (D1).
    #[must_use]
    pub const fn unreadable_call() -> Response {
        Response::failure(UNREADABLE_CALL, Status::FAILED_UNMARSHAL_CALL)
    }

    /// Decodes a message; the body is a slice of it, not a copy.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError`] if the bytes are no `Response`. Unknown fields are no error (E5), nor is an unknown status (E3).
    pub fn decode(message: Bytes) -> Result<Response, EnvelopeError> {
        let proto::Response { sequence, status, body } =
            proto::Response::decode(message).map_err(|cause| EnvelopeError::new("response", cause))?;
        Ok(Response { sequence, status: status.into(), body })
    }

    /// Encodes the whole message into one buffer. To send, prefer [`encode_head`](Self::encode_head), which leaves
    /// the body where it is.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        joined(|out| self.encode_head(out), &self.body)
    }

    /// Appends everything that stands before the body's bytes.
    pub fn encode_head(&self, out: &mut impl BufMut) {
        put_int64(1, self.sequence, out);
        put_int32(2, self.status.code(), out);
        put_body_prefix(3, self.body.len(), out);
    }
}

fn joined(head: impl FnOnce(&mut Vec<u8>), body: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(MAX_HEAD + body.len());
    head(&mut out);
    out.extend_from_slice(body);
    out.into()
}

/// The longest head: four fields of a one-byte key and a varint of at most ten bytes.
const MAX_HEAD: usize = 4 * 11;

// proto3 leaves out a field that holds its default.

fn put_int32(field: u32, value: i32, out: &mut impl BufMut) {
    if value != 0 {
        encoding::int32::encode(field, &value, out);
    }
}

fn put_int64(field: u32, value: i64, out: &mut impl BufMut) {
    if value != 0 {
        encoding::int64::encode(field, &value, out);
    }
}

fn put_body_prefix(field: u32, len: usize, out: &mut impl BufMut) {
    if len != 0 {
        encoding::encode_key(field, WireType::LengthDelimited, out);
        encoding::encode_varint(len as u64, out);
    }
}

/// The messages of `proto/drpc.proto` as prost decodes them. A test of the workspace holds them against the file.
mod proto {
    use bytes::Bytes;

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Call {
        #[prost(int32, tag = "1")]
        pub(super) module: i32,
        #[prost(int32, tag = "2")]
        pub(super) method: i32,
        #[prost(int64, tag = "3")]
        pub(super) sequence: i64,
        #[prost(bytes = "bytes", tag = "4")]
        pub(super) body: Bytes,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Response {
        #[prost(int64, tag = "1")]
        pub(super) sequence: i64,
        // An enum on the wire is an int32; kept as the number so that none is lost (E3).
        #[prost(int32, tag = "2")]
        pub(super) status: i32,
        #[prost(bytes = "bytes", tag = "3")]
        pub(super) body: Bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_head_and_body_are_what_prost_writes() {
        for (module, sequence, body) in [(0, 0, ""), (-3, 1, "x"), (i32::MAX, i64::MIN, "body"), (7, -1, "")]
        {
            let ours = Call { module, method: 700, sequence, body: body.into() };
            let theirs = proto::Call { module, method: 700, sequence, body: body.into() };
            assert_eq!(ours.encode(), theirs.encode_to_vec());

            let ours = Response { sequence, status: Status::from(module), body: body.into() };
            let theirs = proto::Response { sequence, status: module, body: body.into() };
            assert_eq!(ours.encode(), theirs.encode_to_vec());
        }
    }

    #[test]
    fn a_decoded_body_is_a_slice_of_the_message() {
        let message = Call { module: 7, method: 700, sequence: 5, body: vec![7; 4096].into() }.encode();
        let call = Call::decode(message.clone()).unwrap();
        assert_eq!(call.body.as_ptr(), message[message.len() - 4096..].as_ptr());
    }

    #[test]
    fn unknown_fields_are_ignored() {
        // E5: field 15 with a string, before and after the fields that are known.
        let mut bytes = vec![0x7a, 0x02, b'h', b'i'];
        bytes.extend_from_slice(&Call { module: 5, method: 501, sequence: 1, body: "b".into() }.encode());
        bytes.extend_from_slice(&[0x7a, 0x01, b'!']);
        let call = Call::decode(bytes.into()).unwrap();
        assert_eq!((call.module, call.method, call.sequence, &call.body[..]), (5, 501, 1, &b"b"[..]));
    }

    #[test]
    fn the_empty_response_is_zero_bytes() {
        // W4: SUCCESS, sequence 0, no body.
        assert!(Response::default().encode().is_empty());
        assert_eq!(Response::decode(Bytes::new()).unwrap(), Response::default());
    }
}
