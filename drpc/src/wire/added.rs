//! The fields that this project adds to DAOS's envelope (E5). They stand behind the body, so that a peer that does not know them
//! has read all of its own before it comes to them, and skips them.

use std::os::fd::OwnedFd;
use std::time::Duration;

use bytes::Bytes;
use prost::Message;

use super::cause::FailureCause;
use super::proto;
use super::stream::{Control, Credit, Part};
use super::trace_context::TraceContext;
use crate::descriptors::Descriptors;

/// What is added to a [`Call`](super::Call) ([E5](crate::guide::rules#envelope)).
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use drpc::wire::{Call, CallFields};
///
/// let fields = CallFields { time_left: Some(Duration::from_millis(20)), ..CallFields::default() };
/// let call = Call { module: 7, method: 700, sequence: 1, body: "ping".into(), added: Some(fields.into()) };
/// assert_eq!(Call::decode(call.encode())?, call);
/// # Ok::<(), drpc::wire::EnvelopeError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallFields {
    /// How long the caller will still wait, counted from when the call is sent; it travels in whole microseconds. Zero if its
    /// time is over.
    pub time_left: Option<Duration>,
    /// Whether the caller wants to be told the text, the details and the cause of an error.
    pub wants_error: bool,
    /// The caller's trace context.
    pub trace: Option<TraceContext>,
    /// That the caller asks for a stream, and how much of it it has room for.
    pub credit: Option<Credit>,
    /// That this is no call, but says something about one.
    pub control: Option<Control>,
    /// Whether the caller wants to be told that the server knows controls.
    pub asks_control: bool,
    /// Whether the caller will send items, as far as the server has room for them.
    pub sends_items: bool,
    /// Whether the caller takes [several items](Part::Items) in one message.
    pub takes_many: bool,
    /// The descriptors that came with the call. Those of a call that goes out are [its body's](super::Body::with_descriptors).
    pub descriptors: Descriptors,
    /// Whether the caller takes descriptors with the reply.
    pub takes_descriptors: bool,
    /// Whether the caller takes packs, and wants to be told that the server does.
    pub takes_packs: bool,
    /// Whether this is no call, but [calls](super::Call::unpack) in one message.
    pub is_pack: bool,
}

impl CallFields {
    /// Takes what is there of them out of a message. A trace context that breaks W3C's rules is as good as none.
    pub(super) fn taken_from(call: &mut proto::Call) -> Option<CallFields> {
        let credit = call.credit.take().map(Credit::from);
        let control = Control::from_code(call.control, credit);
        if let Some(Control::Item) = control {
            // It has nothing else, which makes it short.
            return Some(CallFields { control, ..CallFields::default() });
        }
        let fields = CallFields {
            time_left: call.time_left_us.map(Duration::from_micros),
            wants_error: call.wants_error,
            trace: TraceContext::received(&call.traceparent, &call.tracestate),
            credit: credit.filter(|_| control.is_none()),
            control,
            asks_control: call.asks_control,
            sends_items: call.sends_items,
            takes_many: call.takes_many,
            descriptors: Descriptors::announced(call.descriptors),
            takes_descriptors: call.takes_descriptors,
            takes_packs: call.takes_packs,
            is_pack: call.pack,
        };
        (fields != CallFields::default()).then_some(fields)
    }

    /// Whether it says no more than that the call is a pack.
    pub(super) fn is_nothing_but_pack(&self) -> bool {
        self.is_pack && *self == CallFields { is_pack: true, ..CallFields::default() }
    }

    /// What stands behind the body of a call that has these fields, and passes these descriptors.
    #[inline]
    pub(super) fn tail(added: Option<&CallFields>, descriptors: &[OwnedFd]) -> Option<Box<[u8]>> {
        match added {
            None if descriptors.is_empty() => None,
            None => Some(CallFields::default().encode(descriptors)),
            Some(added) => Some(added.encode(descriptors)),
        }
    }

    #[cold]
    fn encode(&self, descriptors: &[OwnedFd]) -> Box<[u8]> {
        let trace = self.trace.as_ref();
        let (control, credit) = self.control.map_or((0, self.credit), Control::code);
        let added = proto::Call {
            time_left_us: self.time_left.map(|left| u64::try_from(left.as_micros()).unwrap_or(u64::MAX)),
            wants_error: self.wants_error,
            traceparent: trace.map(ToString::to_string).unwrap_or_default().into(),
            tracestate: trace.map(|trace| trace.state().to_owned()).unwrap_or_default().into(),
            credit: credit.map(proto::Credit::from),
            control,
            asks_control: self.asks_control,
            sends_items: self.sends_items,
            takes_many: self.takes_many,
            descriptors: count(descriptors, &self.descriptors),
            takes_descriptors: self.takes_descriptors,
            takes_packs: self.takes_packs,
            pack: self.is_pack,
            ..proto::Call::default()
        };
        added.encode_to_vec().into()
    }
}

impl From<proto::Credit> for Credit {
    fn from(proto::Credit { items, bytes }: proto::Credit) -> Self {
        Credit { items, bytes }
    }
}

impl From<Credit> for proto::Credit {
    fn from(Credit { items, bytes }: Credit) -> Self {
        proto::Credit { items, bytes }
    }
}

/// How many descriptors a message says that it has: those that it passes, or, if it came in, those that it came with.
fn count(passed: &[OwnedFd], came: &Descriptors) -> u32 {
    u32::try_from(passed.len()).unwrap_or(u32::MAX).max(came.count())
}

/// What is added to a [`Response`](super::Response), if its call asks for it ([E5](crate::guide::rules#envelope)): to a failure what caused it, to a
/// reply what it takes to pass descriptors, and to what belongs to a stream that it does.
///
/// ```
/// use drpc::wire::ResponseFields;
///
/// let added = ResponseFields::new("over quota", "".into());
/// assert_eq!(added.error, "over quota");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseFields {
    /// The text of the failure; empty if there is none.
    pub error: String,
    /// A message of the application's, marshalled; empty if there is none.
    pub details: Bytes,
    /// Why the call failed, if that is known and the status does not tell.
    pub cause: Option<FailureCause>,
    /// What the response is of a stream that goes on.
    pub part: Option<Part>,
    /// Whether the server knows controls.
    pub takes_control: bool,
    /// For how many more of the caller's items the server has room.
    pub credit: Option<Credit>,
    /// Whether the server takes [several items](Control::Items) in one message.
    pub takes_many: bool,
    /// The descriptors that came with the reply. Those of a reply that goes out are [its body's](super::Body::with_descriptors).
    pub descriptors: Descriptors,
    /// Whether the server took the descriptors of the call: one that knows of none does not say so.
    pub took_descriptors: bool,
    /// Whether the server takes packs.
    pub takes_packs: bool,
    /// Whether this is no response, but [responses](super::Response::unpack) in one message.
    pub is_pack: bool,
}

/// The longest beginning of a text that has no more bytes than that.
pub(crate) fn beginning(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|&at| text.is_char_boundary(at));
    &text[..end.unwrap_or(0)]
}

impl ResponseFields {
    /// The longest text that is sent, in bytes. A longer one is cut at a character boundary.
    pub const MAX_ERROR: usize = 4 << 10;

    /// The longest details that are sent, in bytes. Longer ones are left out.
    pub const MAX_DETAILS: usize = 64 << 10;

    /// An error's text and details, within their limits.
    #[must_use]
    pub fn new(error: impl Into<String>, details: Bytes) -> Self {
        let mut error = error.into();
        if error.len() > Self::MAX_ERROR {
            error.truncate(beginning(&error, Self::MAX_ERROR).len());
            error.shrink_to_fit();
        }
        let fits = details.len() <= Self::MAX_DETAILS;
        let details = if fits { details } else { Bytes::new() };
        ResponseFields { error, details, ..ResponseFields::default() }
    }

    /// Those of a response that is a part of a stream.
    #[must_use]
    pub fn of_part(part: Part) -> Self {
        ResponseFields { part: Some(part), ..ResponseFields::default() }
    }

    /// Takes what is there of them out of a message.
    pub(super) fn taken_from(response: &mut proto::Response) -> Option<ResponseFields> {
        let part = Part::from_code(response.part);
        if let Some(Part::Item) = part {
            // It has nothing else, which makes it short.
            return Some(ResponseFields::of_part(Part::Item));
        }
        let fields = ResponseFields {
            // As much of it as can be read.
            error: String::from_utf8_lossy(&response.error).into_owned(),
            details: std::mem::take(&mut response.error_details),
            cause: FailureCause::from_code(response.error_cause),
            part,
            takes_control: response.takes_control,
            credit: response.credit.take().map(Credit::from),
            takes_many: response.takes_many,
            descriptors: Descriptors::announced(response.descriptors),
            took_descriptors: response.took_descriptors,
            takes_packs: response.takes_packs,
            is_pack: response.pack,
        };
        (fields != ResponseFields::default()).then_some(fields)
    }

    /// Whether it says no more than that the response is a pack.
    pub(super) fn is_nothing_but_pack(&self) -> bool {
        self.is_pack && *self == ResponseFields { is_pack: true, ..ResponseFields::default() }
    }

    /// What stands behind the body of a response that has these fields, and passes these descriptors.
    #[inline]
    pub(super) fn tail(added: Option<&ResponseFields>, descriptors: &[OwnedFd]) -> Option<Box<[u8]>> {
        match added {
            None if descriptors.is_empty() => None,
            None => Some(ResponseFields::default().encode(descriptors)),
            Some(added) => Some(added.encode(descriptors)),
        }
    }

    #[cold]
    fn encode(&self, descriptors: &[OwnedFd]) -> Box<[u8]> {
        let added = proto::Response {
            error: self.error.clone().into(),
            error_details: self.details.clone(),
            error_cause: self.cause.map_or(0, FailureCause::code),
            part: self.part.map_or(0, Part::code),
            takes_control: self.takes_control,
            credit: self.credit.map(proto::Credit::from),
            takes_many: self.takes_many,
            descriptors: count(descriptors, &self.descriptors),
            took_descriptors: self.took_descriptors,
            takes_packs: self.takes_packs,
            pack: self.is_pack,
            ..proto::Response::default()
        };
        added.encode_to_vec().into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Call, ChunkHeader, Codec, MAX_PACKET, Packets, Response, Status, Wire, WireMode};
    use super::*;

    /// DAOS's own messages: what a peer knows that was built from its `drpc.proto`.
    mod daos {
        #[derive(Clone, PartialEq, prost::Message)]
        pub(super) struct Call {
            #[prost(int32, tag = "1")]
            pub(super) module: i32,
            #[prost(int32, tag = "2")]
            pub(super) method: i32,
            #[prost(int64, tag = "3")]
            pub(super) sequence: i64,
            #[prost(bytes = "vec", tag = "4")]
            pub(super) body: Vec<u8>,
        }

        #[derive(Clone, PartialEq, prost::Message)]
        pub(super) struct Response {
            #[prost(int64, tag = "1")]
            pub(super) sequence: i64,
            #[prost(int32, tag = "2")]
            pub(super) status: i32,
            #[prost(bytes = "vec", tag = "3")]
            pub(super) body: Vec<u8>,
        }
    }

    fn trace() -> TraceContext {
        let trace: TraceContext = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap();
        trace.with_state("vendor=value").unwrap()
    }

    /// Every set of fields that a client may send.
    fn every_set() -> Vec<CallFields> {
        let mut sets = Vec::new();
        for time_left in [None, Some(Duration::ZERO), Some(Duration::from_micros(u64::MAX))] {
            for wants_error in [false, true] {
                for trace in [None, Some(trace())] {
                    for takes_descriptors in [false, true] {
                        let descriptors = Descriptors::announced(if takes_descriptors { 253 } else { 0 });
                        let trace = trace.clone();
                        sets.push(CallFields {
                            time_left,
                            wants_error,
                            trace,
                            descriptors,
                            takes_descriptors,
                            ..CallFields::default()
                        });
                    }
                }
            }
        }
        let credit = Credit { items: 64, bytes: 1 << 20 };
        sets.push(CallFields { credit: Some(credit), ..CallFields::default() });
        for control in [Control::Cancel, Control::Item, Control::End, Control::Abort, Control::Credit(credit)]
        {
            sets.push(CallFields { control: Some(control), ..CallFields::default() });
        }
        let fullest = sets[sets.len() - 7].clone();
        sets.push(CallFields { asks_control: true, sends_items: true, takes_packs: true, ..fullest });
        sets
    }

    fn call(body: Vec<u8>, fields: CallFields) -> Call {
        Call { module: 7, method: 700, sequence: 1, body: body.into(), added: Some(fields.into()) }
    }

    /// A message as its peer takes it out of its packets.
    fn carried(mode: impl Into<WireMode>, packets: Packets<'_>) -> Bytes {
        let mut codec = Codec::new(mode, 1 << 20);
        let mut message = None;
        for packet in packets {
            assert!(message.is_none(), "complete before its last packet");
            message = codec.receive(packet.to_vec().into()).unwrap();
        }
        message.unwrap()
    }

    #[test]
    fn a_peer_that_does_not_know_the_fields_reads_its_own() {
        // E5, on both wires, which a server recognises (W8). A tail crosses the border of packets, or begins one.
        let fullest = every_set().pop().unwrap();
        let at_the_border = (130_850..131_050).map(|len| (len, fullest.clone()));
        let of_every_set =
            every_set().into_iter().flat_map(|set| [0, 1, 5_000, 300_000].map(|len| (len, set.clone())));
        for (len, fields) in at_the_border.chain(of_every_set) {
            let sent = call(vec![b'k'; len], fields.clone());
            let head = sent.head();
            for wire in [Wire::Chunked, Wire::Plain] {
                let Ok(packets) = Packets::new(wire, &head, &sent.body, usize::MAX) else {
                    assert!(wire == Wire::Plain && sent.encode().len() > MAX_PACKET);
                    continue;
                };
                let message = carried(WireMode::Auto, packets);
                assert_eq!(message, sent.encode(), "{len} bytes, {wire}, {fields:?}");
                let theirs = daos::Call::decode(&message[..]).unwrap();
                assert_eq!((theirs.module, theirs.method, theirs.sequence), (7, 700, 1));
                assert!(theirs.body == sent.body);
                let read = Call::decode(message).unwrap();
                let expected = (fields != CallFields::default()).then_some(fields.clone());
                assert_eq!(read.added.as_deref(), expected.as_ref());
                assert!(read.body == sent.body);
            }
        }
    }

    #[test]
    fn without_the_fields_nothing_is_different() {
        // E5: byte for byte what DAOS writes.
        let ours = call(b"body".to_vec(), CallFields::default());
        let theirs = daos::Call { module: 7, method: 700, sequence: 1, body: b"body".to_vec() };
        assert_eq!(ours.encode(), theirs.encode_to_vec());
        assert_eq!(Call { added: None, ..ours }.encode(), theirs.encode_to_vec());
    }

    #[test]
    fn calls_of_every_size_are_recognised_with_the_fields_too() {
        // W8: sizes whose low byte is a plain call's first byte are among them.
        let fields = CallFields {
            time_left: Some(Duration::from_secs(5)),
            wants_error: true,
            ..CallFields::default()
        };
        for len in 0..6_000 {
            let call = call(vec![b'k'; len], fields.clone());
            let head = call.head();
            for wire in [Wire::Chunked, Wire::Plain] {
                let mut codec = Codec::new(WireMode::Auto, 1 << 20);
                let mut packets = Packets::new(wire, &head, &call.body, 1 << 20).unwrap();
                codec.receive(packets.next().unwrap().to_vec().into()).unwrap();
                assert_eq!(codec.wire(), Some(wire), "{len} bytes");
            }
        }
    }

    #[test]
    fn the_fields_of_a_response_are_skipped_by_who_does_not_know_them() {
        // E5.
        let added = ResponseFields::new("no pool tank", "details".into());
        let failure =
            Response::<Bytes> { added: Some(added.into()), ..Response::failure(5, Status::FAILURE) };
        let message = failure.encode();
        let theirs = daos::Response::decode(&message[..]).unwrap();
        assert_eq!(theirs, daos::Response { sequence: 5, status: 2, body: Vec::new() });
        assert_eq!(Response::decode(message).unwrap(), failure);
    }

    #[test]
    fn the_parts_of_a_stream_are_read_as_prost_reads_them() {
        // E5: an item has a way of its own through the decoder.
        let room = Some(Credit { items: 3, bytes: 1 << 40 });
        for part in [Part::Opened, Part::Item, Part::Credit, Part::Enough] {
            for body in ["", "an item"] {
                let credit = room.filter(|_| part == Part::Credit);
                let added = ResponseFields { credit, ..ResponseFields::of_part(part) };
                let sent: Response = Response {
                    sequence: 300,
                    body: body.into(),
                    added: Some(added.into()),
                    ..Response::default()
                };
                let message = sent.encode();
                assert_eq!(Response::decode(message.clone()).unwrap(), sent);
                let mut theirs = proto::Response::decode(&message[..]).unwrap();
                assert_eq!(ResponseFields::taken_from(&mut theirs), sent.added.as_deref().cloned());
                let daos = daos::Response::decode(&message[..]).unwrap();
                assert_eq!((daos.sequence, daos.status, daos.body), (300, 0, body.into()));
            }
        }
        // A body that ends as an item does is a body.
        let sent: Response = Response { sequence: 5, body: Part::ITEM_TAIL.into(), ..Response::default() };
        assert_eq!(Response::decode(sent.encode()).unwrap(), sent);
    }

    #[test]
    fn the_items_of_a_caller_are_read_as_prost_reads_them() {
        // E5: these have a way of their own, too.
        for body in ["", "an item"] {
            let added = CallFields { control: Some(Control::Item), ..CallFields::default() };
            let sent: Call =
                Call { sequence: 300, body: body.into(), added: Some(added.into()), ..Call::default() };
            let message = sent.encode();
            assert_eq!(Call::item_in(&message), Some((300, body.into())));
            assert_eq!(Call::decode(message.clone()).unwrap(), sent);
            let theirs = proto::Call::decode(&message[..]).unwrap();
            assert_eq!((theirs.control, theirs.sequence, theirs.body), (3, 300, body.into()));
        }
        // A call whose body ends as an item does is a call.
        let call: Call = Call { sequence: 5, body: Control::ITEM_TAIL.into(), ..Call::default() };
        assert_eq!(Call::item_in(&call.encode()), None);
    }

    #[test]
    fn an_item_has_nothing_but_its_body() {
        let mut theirs = proto::Response { part: 2, error: "no".into(), ..proto::Response::default() };
        assert_eq!(ResponseFields::taken_from(&mut theirs), Some(ResponseFields::of_part(Part::Item)));
        let mut theirs = proto::Call { control: 3, time_left_us: Some(1), ..proto::Call::default() };
        let of_item = CallFields { control: Some(Control::Item), ..CallFields::default() };
        assert_eq!(CallFields::taken_from(&mut theirs), Some(of_item));
    }

    #[test]
    fn a_control_of_a_later_peer_is_no_call_and_does_nothing() {
        let credit = Some(proto::Credit { items: 5, bytes: 5 });
        let mut theirs = proto::Call { control: 77, credit, ..proto::Call::default() };
        let read = CallFields::taken_from(&mut theirs).unwrap();
        assert_eq!(read.control, Some(Control::Credit(Credit::default())));
    }

    #[test]
    fn the_body_is_not_copied() {
        let sent = call(vec![7; 300_000], every_set().pop().unwrap());
        let head = sent.head();
        let packets: Vec<_> = Packets::new(Wire::Chunked, &head, &sent.body, usize::MAX).unwrap().collect();
        let within = sent.body.as_ptr_range();
        for packet in &packets {
            let longest = packet.slices().iter().map(|slice| (slice.len(), slice.as_ptr())).max().unwrap();
            assert!(within.contains(&longest.1) && longest.0 > ChunkHeader::MAX_DATA / 4);
        }
        let message = sent.encode();
        assert!(message.as_ptr_range().contains(&Call::decode(message.clone()).unwrap().body.as_ptr()));
    }

    #[test]
    fn an_error_is_cut_between_characters_and_details_are_whole_or_not_there() {
        let fields = ResponseFields::new("ü".repeat(3000) + "end", vec![1; 64 << 10].into());
        assert_eq!((fields.error.len(), fields.details.len()), (4096, 64 << 10));
        let fields = ResponseFields::new("x".to_owned() + &"ü".repeat(3000), vec![1; (64 << 10) + 1].into());
        assert_eq!((fields.error.len(), fields.details.len()), (4095, 0));
    }

    #[test]
    fn a_trace_context_that_breaks_the_rules_is_as_good_as_none() {
        let mut theirs = proto::Call { traceparent: "00-not-one".into(), ..proto::Call::default() };
        assert_eq!(CallFields::taken_from(&mut theirs), None);
        theirs.traceparent = trace().to_string().into();
        theirs.tracestate = "not a state".into();
        let read = CallFields::taken_from(&mut theirs).unwrap().trace.unwrap();
        assert_eq!((read.to_string(), read.state()), (trace().to_string(), ""));
    }
}
