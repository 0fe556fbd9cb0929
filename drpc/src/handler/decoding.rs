//! How a message is decoded: bounded by what it may become in memory, not only by its bytes.
//!
//! Two bytes can be an empty message in a repeated field, which takes as much room as its Rust type; so can an empty string. prost allocates
//! as it goes, and knows no limit. But it reads through a [`Buf`], and so it can be counted how many fields it has read, and ended.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use prost::Message;

use crate::budget::{Lease, OverBudget, Purpose};
use crate::handler::session::Session;

/// Unless a setting says otherwise.
pub(crate) const DEFAULT_DECODE_LIMIT: usize = 4 << 20;

/// As how many bytes a field of a reply counts at least against the limit, however short it is.
const REPLY_FIELD: usize = 16;

/// The same of a request: whoever decodes it serves others, too, so it is to take no longer than a few milliseconds.
const REQUEST_FIELD: usize = 64;

/// How many bytes a field is taken to have once it is decoded, for the server's budget.
const DECODED_FIELD: usize = 128;

/// How many fields are decoded before they are counted in the server's budget. Then it is asked anew after as many as there were.
const UNCOUNTED_FIELDS: usize = 128;

/// From how many bytes on a message takes long to decode.
const LONG: usize = 256 << 10;

/// What a message may come to as it is decoded, and what it is counted as for as long as this is kept.
#[derive(Debug)]
pub struct Decoding {
    limit: usize,
    of: Of,
}

/// What is decoded.
#[derive(Debug)]
enum Of {
    Reply,
    /// A request that is too short to be counted in its session's budget.
    ShortRequest,
    /// A request that may have to be counted.
    Request(Arc<Session>),
    /// A request that is counted.
    Counted(Box<Lease>),
}

impl Decoding {
    /// Of a request, which is counted in its session's budget.
    #[inline]
    pub(crate) fn of_request(session: &Arc<Session>, body: &Bytes, limit: usize) -> Self {
        // A field has two bytes at least.
        let of = match body.len() > 2 * UNCOUNTED_FIELDS {
            true => Of::Request(session.clone()),
            false => Of::ShortRequest,
        };
        Decoding { limit, of }
    }

    /// Of a reply.
    #[inline]
    pub(crate) fn of_reply(limit: usize) -> Self {
        Decoding { limit, of: Of::Reply }
    }

    /// Whether a body can have so many fields that they must be counted: each has two bytes at least.
    #[inline]
    pub(crate) fn counts(&self, body: &Bytes) -> bool {
        body.len() > 2 * UNCOUNTED_FIELDS || body.len() > self.limit / (self.field() / 2)
    }

    /// Decodes a message whose fields count.
    pub(crate) fn decode<M: Message + Default>(&mut self, body: Bytes) -> Result<M, Refused> {
        if body.len() > self.limit {
            return Err(self.too_much(format!("it has {} bytes", body.len())));
        }
        let background = match &self.of {
            Of::Request(session) if body.len() >= LONG => session.background().cloned(),
            _ => None,
        };
        let Some(background) = background else { return self.decode_now(body) };
        let (mut body, mut decoded) = (Some(body), None);
        background.do_long(&mut || decoded = body.take().map(|body| self.decode_now(body)));
        decoded.unwrap_or_else(|| Ok(M::default()))
    }

    fn decode_now<M: Message + Default>(&mut self, body: Bytes) -> Result<M, Refused> {
        let granted = UNCOUNTED_FIELDS.min(self.limit / self.field());
        let mut counted = Counted {
            bytes: body,
            fields: 0,
            granted,
            asked: Cell::new(false),
            refused: None,
            decoding: self,
        };
        let decoded = M::decode(&mut counted);
        match counted.refused {
            Some(refused) => Err(refused),
            None => decoded.map_err(Refused::Unreadable),
        }
    }

    /// How many fields may be decoded once there are so many.
    fn grant(&mut self, fields: usize) -> Result<usize, Refused> {
        let field = self.field();
        if fields.saturating_mul(field) > self.limit {
            let text = format!("it has {fields} fields or more, each of which counts {field} bytes at least");
            return Err(self.too_much(text));
        }
        let granted = (2 * fields).min(self.limit / field);
        if let Of::Request(session) = &self.of
            && let Some(account) = session.account()
        {
            self.of = Of::Counted(Box::new(account.lease(Purpose::Request)));
        }
        if let Of::Counted(lease) = &mut self.of {
            lease.resize(granted * DECODED_FIELD).map_err(Refused::OverBudget)?;
        }
        Ok(granted)
    }

    /// As how many bytes a field counts at least.
    fn field(&self) -> usize {
        match self.of {
            Of::Reply => REPLY_FIELD,
            _ => REQUEST_FIELD,
        }
    }

    fn too_much(&self, has: String) -> Refused {
        let setting = match self.of {
            Of::Reply => "`ClientBuilder::reply_limit` says",
            _ => "`ServerBuilder::request_limit`, or the method's `request_limit`, says",
        };
        Refused::TooMuch { has, limit: self.limit, setting }
    }
}

/// A body whose fields are counted as it is read, and which ends where there are too many.
///
/// prost takes the tag of a field and then its length or number, one [`advance`](Buf::advance) behind the other; between all others it
/// asks how many bytes [remain](Buf::remaining): before a tag, an element of a packed field, and the contents of a field.
struct Counted<'a> {
    bytes: Bytes,
    fields: usize,
    /// How many fields there may be before it is looked again.
    granted: usize,
    /// Whether it was asked what remains since the last advance.
    asked: Cell<bool>,
    refused: Option<Refused>,
    decoding: &'a mut Decoding,
}

impl Counted<'_> {
    #[cold]
    fn look(&mut self) {
        match self.decoding.grant(self.fields) {
            Ok(granted) => self.granted = granted,
            Err(refused) => {
                self.refused = Some(refused);
                self.bytes.clear();
            }
        }
    }
}

impl Buf for Counted<'_> {
    #[inline]
    fn remaining(&self) -> usize {
        self.asked.set(true);
        self.bytes.len()
    }

    #[inline]
    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    #[inline]
    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        if !self.asked.replace(false) {
            self.fields += 1;
            if self.fields > self.granted {
                self.look();
            }
        }
    }

    fn copy_to_bytes(&mut self, len: usize) -> Bytes {
        self.bytes.split_to(len)
    }
}

/// Why a body was not decoded.
#[derive(Debug)]
pub(crate) enum Refused {
    Unreadable(prost::DecodeError),
    TooMuch { has: String, limit: usize, setting: &'static str },
    OverBudget(OverBudget),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Unreadable(error) => error.fmt(f),
            Refused::TooMuch { has, limit, setting } => {
                write!(f, "{has}, and no more than {limit} bytes are decoded, as {setting}")
            }
            Refused::OverBudget(over) => over.fmt(f),
        }
    }
}

impl std::error::Error for Refused {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // What it says is said above.
            Refused::Unreadable(error) => error.source(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::{Allowed, Budget};
    use crate::transport::PeerCredentials;

    #[derive(Clone, PartialEq, Message)]
    struct Everything {
        #[prost(message, repeated, tag = "1")]
        nested: Vec<Everything>,
        #[prost(string, repeated, tag = "2")]
        texts: Vec<String>,
        #[prost(uint64, repeated, tag = "3")]
        packed: Vec<u64>,
        #[prost(bytes = "bytes", repeated, tag = "4")]
        bytes: Vec<Bytes>,
        #[prost(uint32, repeated, packed = "false", tag = "5")]
        unpacked: Vec<u32>,
        #[prost(map = "uint32, string", tag = "6")]
        map: std::collections::HashMap<u32, String>,
    }

    fn fields_of(body: &[u8]) -> usize {
        let mut decoding = Decoding::of_reply(usize::MAX);
        let mut counted = Counted {
            bytes: Bytes::copy_from_slice(body),
            fields: 0,
            granted: usize::MAX,
            asked: Cell::new(false),
            refused: None,
            decoding: &mut decoding,
        };
        Everything::decode(&mut counted).unwrap();
        counted.fields
    }

    #[test]
    fn what_takes_room_of_its_own_is_counted_and_packed_numbers_are_not() {
        // It rests on how prost reads: another version of it must count as much.
        assert_eq!(fields_of(&[0x0a, 0].repeat(1000)), 1000);
        assert_eq!(fields_of(&[0x12, 0].repeat(1000)), 1000);
        assert_eq!(fields_of(&[0x12, 3, b'a', b'b', b'c'].repeat(1000)), 1000);
        assert_eq!(fields_of(&[0x22, 1, 7].repeat(1000)), 1000);
        assert_eq!(fields_of(&[0x28, 7].repeat(1000)), 1000);
        // Nested in one another, each counts; so do an entry, its key and its value.
        assert_eq!(fields_of(&[0x0a, 2, 0x0a, 0].repeat(1000)), 2000);
        assert_eq!(fields_of(&[0x32, 2, 0x08, 1].repeat(1000)), 2000);
        // Fields that it does not know.
        assert_eq!(fields_of(&[0x7a, 1, 7].repeat(1000)), 1000);
        let packed = Everything { packed: (0..1000).collect(), ..Default::default() };
        assert_eq!(fields_of(&packed.encode_to_vec()), 1);
    }

    #[test]
    fn fields_that_are_too_many_end_the_decoding() {
        let decode = |fields: usize| {
            Decoding::of_reply(64 << 10).decode::<Everything>([0x0a, 0].repeat(fields).into())
        };
        assert_eq!(decode(4096).unwrap().nested.len(), 4096);
        assert_eq!(
            decode(4097).unwrap_err().to_string(),
            "it has 4097 fields or more, each of which counts 16 bytes at least, and no more than 65536 bytes are decoded, as \
             `ClientBuilder::reply_limit` says"
        );
        assert_eq!(
            decode(32769).unwrap_err().to_string(),
            "it has 65538 bytes, and no more than 65536 bytes are decoded, as `ClientBuilder::reply_limit` says"
        );
    }

    #[test]
    fn what_is_decoded_is_counted_in_the_budget() {
        let budget = Budget::new(Allowed { bytes: 4 << 20, per_uid: 4 << 20 });
        let session = Arc::new(Session::new(1, PeerCredentials::new(1, 1)).with_budget(&budget));
        let decode = || {
            let body = Bytes::from([0x0a, 0].repeat(2000));
            let mut decoding = Decoding::of_request(&session, &body, DEFAULT_DECODE_LIMIT);
            decoding.decode::<Everything>(body).map(|_| decoding)
        };
        let held = [decode().unwrap(), decode().unwrap(), decode().unwrap()];
        assert!(matches!(decode().unwrap_err(), Refused::OverBudget(_)));
        drop(held);
        decode().unwrap();
    }
}
