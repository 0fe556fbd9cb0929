//! `proto/drpc.proto` against `drpc::wire`, which writes the envelope by hand (E1 to E3, E5).

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use drpc::wire::{Call, CallFields, Control, Credit, FailureCause, Part, Response, ResponseFields};
use drpc::{Status, TraceContext};
use proptest::option;
use proptest::prelude::*;
use prost::Message;
use protox::prost_reflect::{DescriptorPool, DynamicMessage, Kind, MessageDescriptor, Value};

fn proto() -> DescriptorPool {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto");
    let files = protox::compile(["drpc.proto"], [folder]).expect("drpc.proto compiles");
    DescriptorPool::from_file_descriptor_set(files).expect("and is sound")
}

fn message(name: &str) -> MessageDescriptor {
    proto().get_message_by_name(name).expect("is in drpc.proto")
}

fn fields(message: &MessageDescriptor) -> Vec<(u32, String, String)> {
    let kind = |kind: Kind| match kind {
        Kind::Enum(of) => of.full_name().to_owned(),
        Kind::Message(of) => of.full_name().to_owned(),
        kind => format!("{kind:?}"),
    };
    message.fields().map(|field| (field.number(), field.name().to_owned(), kind(field.kind()))).collect()
}

#[test]
fn the_fields_are_those_of_daos_and_ours_behind_them() {
    // E1, E2, E5.
    let field = |number, name: &str, kind: &str| (number, name.to_owned(), kind.to_owned());
    let call = message("drpc.Call");
    assert_eq!(
        fields(&call),
        [
            field(1, "module", "int32"),
            field(2, "method", "int32"),
            field(3, "sequence", "int64"),
            field(4, "body", "bytes"),
            // E5: ours, far from DAOS's.
            field(1000, "time_left_us", "uint64"),
            field(1001, "wants_error", "bool"),
            field(1002, "traceparent", "bytes"),
            field(1003, "tracestate", "bytes"),
            field(1010, "credit", "drpc.Credit"),
            field(1011, "control", "drpc.Control"),
            field(1012, "asks_control", "bool"),
            field(1013, "sends_items", "bool"),
            field(1014, "takes_many", "bool"),
            field(1020, "descriptors", "uint32"),
            field(1021, "takes_descriptors", "bool"),
            field(1030, "takes_packs", "bool"),
            field(1031, "pack", "bool"),
        ]
    );
    assert_eq!(call.parent_file().syntax(), protox::prost_reflect::Syntax::Proto3);
    assert_eq!(
        fields(&message("drpc.Response")),
        [
            field(1, "sequence", "int64"),
            field(2, "status", "drpc.Status"),
            field(3, "body", "bytes"),
            field(1000, "error", "bytes"),
            field(1001, "error_details", "bytes"),
            field(1002, "error_cause", "drpc.ErrorCause"),
            field(1010, "part", "drpc.Part"),
            field(1011, "takes_control", "bool"),
            field(1012, "credit", "drpc.Credit"),
            field(1013, "takes_many", "bool"),
            field(1020, "descriptors", "uint32"),
            field(1021, "took_descriptors", "bool"),
            field(1030, "takes_packs", "bool"),
            field(1031, "pack", "bool"),
        ]
    );
}

#[test]
fn the_statuses_are_those_of_the_file() {
    // E3.
    let status = proto().get_enum_by_name("drpc.Status").expect("is in drpc.proto");
    let listed: Vec<_> = status.values().map(|value| (value.number(), value.name().to_owned())).collect();
    assert_eq!(listed.iter().map(|(number, _)| *number).collect::<Vec<_>>(), (0..8).collect::<Vec<_>>());
    for (number, name) in &listed {
        assert_eq!(Status::from(*number).name(), Some(&name[..]));
    }
    assert_eq!(Status::from(8).name(), None);
    assert_eq!(Status::from(-1).name(), None);
}

fn call_by_the_file(descriptor: &MessageDescriptor, call: &Call) -> DynamicMessage {
    let mut theirs = DynamicMessage::new(descriptor.clone());
    theirs.set_field_by_name("module", Value::I32(call.module));
    theirs.set_field_by_name("method", Value::I32(call.method));
    theirs.set_field_by_name("sequence", Value::I64(call.sequence));
    theirs.set_field_by_name("body", Value::Bytes(call.body.clone()));
    let added = call.added.as_deref().cloned().unwrap_or_default();
    if let Some(left) = added.time_left {
        theirs.set_field_by_name("time_left_us", Value::U64(left.as_micros() as u64));
    }
    theirs.set_field_by_name("wants_error", Value::Bool(added.wants_error));
    theirs.set_field_by_name("takes_descriptors", Value::Bool(added.takes_descriptors));
    theirs.set_field_by_name("takes_packs", Value::Bool(added.takes_packs));
    theirs.set_field_by_name("pack", Value::Bool(added.is_pack));
    if let Some(trace) = added.trace {
        theirs.set_field_by_name("traceparent", Value::Bytes(trace.to_string().into()));
        theirs.set_field_by_name("tracestate", Value::Bytes(trace.state().to_owned().into()));
    }
    let (control, credit) = match added.control {
        None => (0, added.credit),
        Some(Control::Cancel) => (2, None),
        Some(Control::Credit(credit)) => (1, Some(credit)),
        Some(Control::Item) => (3, None),
        Some(Control::End) => (4, None),
        Some(Control::Abort) => (5, None),
        Some(Control::Items) => (6, None),
        Some(control) => panic!("{control:?} is not in the file"),
    };
    if let Some(credit) = credit {
        theirs.set_field_by_name("credit", credit_by_the_file(credit));
    }
    theirs.set_field_by_name("control", Value::EnumNumber(control));
    theirs.set_field_by_name("asks_control", Value::Bool(added.asks_control));
    theirs.set_field_by_name("sends_items", Value::Bool(added.sends_items));
    theirs.set_field_by_name("takes_many", Value::Bool(added.takes_many));
    theirs
}

fn credit_by_the_file(credit: Credit) -> Value {
    let mut theirs = DynamicMessage::new(message("drpc.Credit"));
    theirs.set_field_by_name("items", Value::U32(credit.items));
    theirs.set_field_by_name("bytes", Value::U64(credit.bytes));
    Value::Message(theirs)
}

fn response_by_the_file(descriptor: &MessageDescriptor, response: &Response) -> DynamicMessage {
    let mut theirs = DynamicMessage::new(descriptor.clone());
    theirs.set_field_by_name("sequence", Value::I64(response.sequence));
    theirs.set_field_by_name("status", Value::EnumNumber(response.status.code()));
    theirs.set_field_by_name("body", Value::Bytes(response.body.clone()));
    let added = response.added.as_deref().cloned().unwrap_or_default();
    theirs.set_field_by_name("error", Value::Bytes(added.error.into()));
    theirs.set_field_by_name("error_details", Value::Bytes(added.details));
    let cause = added.cause.map_or("CAUSE_UNKNOWN".into(), |cause| {
        format!("CAUSE_{}", cause.to_string().to_uppercase().replace(' ', "_"))
    });
    let causes = proto().get_enum_by_name("drpc.ErrorCause").expect("is in drpc.proto");
    let number = causes.get_value_by_name(&cause).expect("is among them").number();
    theirs.set_field_by_name("error_cause", Value::EnumNumber(number));
    let part = match added.part {
        None => 0,
        Some(Part::Opened) => 1,
        Some(Part::Item) => 2,
        Some(Part::Credit) => 3,
        Some(Part::Enough) => 4,
        Some(Part::Items) => 5,
        Some(part) => panic!("{part:?} is not in the file"),
    };
    theirs.set_field_by_name("part", Value::EnumNumber(part));
    theirs.set_field_by_name("takes_control", Value::Bool(added.takes_control));
    if let Some(credit) = added.credit {
        theirs.set_field_by_name("credit", credit_by_the_file(credit));
    }
    theirs.set_field_by_name("takes_many", Value::Bool(added.takes_many));
    theirs.set_field_by_name("took_descriptors", Value::Bool(added.took_descriptors));
    theirs.set_field_by_name("takes_packs", Value::Bool(added.takes_packs));
    theirs.set_field_by_name("pack", Value::Bool(added.is_pack));
    theirs
}

/// A number that is often one that proto3 leaves out, or writes at its longest.
fn numbers() -> impl Strategy<Value = i64> {
    prop_oneof![Just(0), Just(-1), Just(i64::MIN), Just(i64::MAX), -200..200i64, any::<i64>()]
}

fn causes() -> impl Strategy<Value = Option<FailureCause>> {
    use FailureCause::{Denied, Handler, Panicked, TimedOut};
    option::of(prop::sample::select(vec![Handler, Denied, Panicked, TimedOut]))
}

/// Some of them, at least.
fn fields_of_a_call() -> impl Strategy<Value = Box<CallFields>> {
    let trace = (1..u128::MAX, 1..u64::MAX, any::<u8>(), prop_oneof![Just(""), Just("vendor=value")]);
    let trace = trace.prop_map(|(trace_id, parent_id, flags, state)| {
        let trace = TraceContext::new(trace_id.to_be_bytes(), parent_id.to_be_bytes(), flags).unwrap();
        trace.with_state(state).unwrap()
    });
    let credit = || any::<(u32, u64)>().prop_map(|(items, bytes)| Credit { items, bytes });
    // A control is no call, and so asks for no stream.
    let stream_or_control = prop_oneof![
        Just((None, None)),
        credit().prop_map(|credit| (Some(credit), None)),
        credit().prop_map(|credit| (None, Some(Control::Credit(credit)))),
        prop::sample::select(vec![Control::Cancel, Control::Items, Control::End, Control::Abort])
            .prop_map(|control| (None, Some(control))),
    ];
    let time_left = option::of(any::<u64>().prop_map(Duration::from_micros));
    let flags = any::<[bool; 6]>();
    let fields = (time_left, option::of(trace), stream_or_control, flags);
    fields
        .prop_map(|(time_left, trace, (credit, control), flags)| {
            let [wants_error, takes_descriptors, asks_control, sends_items, takes_many, takes_packs] = flags;
            let fields = CallFields { time_left, wants_error, trace, sends_items, ..CallFields::default() };
            Box::new(CallFields {
                takes_descriptors,
                takes_many,
                takes_packs,
                credit,
                control,
                asks_control,
                ..fields
            })
        })
        .prop_filter("none", |fields| **fields != CallFields::default())
}

#[test]
fn every_envelope_is_written_and_read_as_the_file_says() {
    // E1, E2, E3, E5, W4.
    let (call_descriptor, response_descriptor) = (message("drpc.Call"), message("drpc.Response"));
    proptest!(|(
        module in numbers(),
        method in numbers(),
        sequence in numbers(),
        body in prop::collection::vec(any::<u8>(), 0..300),
        to_call in option::of(fields_of_a_call()),
        to_response in option::of(("ü{1,40}", prop::collection::vec(any::<u8>(), 0..40), causes(), any::<[bool; 3]>())),
        part in option::of(prop::sample::select(vec![Part::Opened, Part::Item, Part::Items, Part::Credit, Part::Enough])),
    )| {
        let body = Bytes::from(body);
        let call = Call { module: module as i32, method: method as i32, sequence, body: body.clone(), added: to_call };
        let theirs = call_by_the_file(&call_descriptor, &call).encode_to_vec();
        prop_assert_eq!(&call.encode()[..], &theirs[..]);
        prop_assert_eq!(Call::decode(theirs.into()).unwrap(), call);

        let added = to_response.map(|(error, details, cause, [took_descriptors, takes_many, takes_packs])| {
            let fields = ResponseFields::new(error, details.into());
            ResponseFields { cause, took_descriptors, takes_many, takes_packs, ..fields }.into()
        });
        // An error is no part.
        let added = added.or(part.map(|part| ResponseFields::of_part(part).into()));
        let response = Response { sequence, status: Status::from(module as i32), body, added };
        let theirs = response_by_the_file(&response_descriptor, &response).encode_to_vec();
        prop_assert_eq!(&response.encode()[..], &theirs[..]);
        prop_assert_eq!(Response::decode(theirs.into()).unwrap(), response);
    });
}

#[test]
fn packs_are_written_and_read_as_the_file_says() {
    // E5: they have no fields but these.
    let body = Bytes::from_static(b"\x02\x18\x07");
    let fields = CallFields { is_pack: true, ..CallFields::default() };
    let calls = Call { body: body.clone(), added: Some(fields.into()), ..Call::default() };
    let theirs = call_by_the_file(&message("drpc.Call"), &calls).encode_to_vec();
    assert_eq!(calls.encode()[..], theirs[..]);
    assert_eq!(Call::decode(theirs.into()).unwrap(), calls);

    let fields = ResponseFields { is_pack: true, ..ResponseFields::default() };
    let responses = Response { body, added: Some(fields.into()), ..Response::default() };
    let theirs = response_by_the_file(&message("drpc.Response"), &responses).encode_to_vec();
    assert_eq!(responses.encode()[..], theirs[..]);
    assert_eq!(Response::decode(theirs.into()).unwrap(), responses);
}

#[test]
fn what_we_read_is_what_the_file_reads() {
    // E5, D1: of bytes that nobody wrote, too; the last of a field that comes twice counts.
    let descriptor = message("drpc.Call");
    proptest!(|(bytes in prop::collection::vec(any::<u8>(), 0..40))| {
        let theirs = DynamicMessage::decode(descriptor.clone(), &bytes[..]);
        let ours = Call::decode(bytes.into());
        prop_assert_eq!(ours.is_ok(), theirs.is_ok());
        if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
            let ours = call_by_the_file(&descriptor, &ours);
            for field in descriptor.fields().filter(|field| field.number() < 1000) {
                prop_assert_eq!(ours.get_field(&field), theirs.get_field(&field));
            }
        }
    });
}
