//! From a contract to descriptors, with which messages become JSON and back.

use std::collections::BTreeMap;

use drpc_registry::contract::{Contract, Definition, Enum, Field, FieldType, Label, Message, Scalar};
use prost_reflect::prost_types::field_descriptor_proto::{Label as ProtoLabel, Type};
use prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto, MessageOptions, OneofDescriptorProto,
};
use prost_reflect::{DescriptorError, DescriptorPool, MessageDescriptor};

/// The messages that a contract describes.
pub(super) struct Promised<'a> {
    contract: &'a Contract,
    pool: DescriptorPool,
}

impl Promised<'_> {
    pub(super) fn of(contract: &Contract) -> Result<Promised<'_>, DescriptorError> {
        let mut pool = DescriptorPool::new();
        pool.add_file_descriptor_proto(file(contract))?;
        Ok(Promised { contract, pool })
    }

    /// A message by the contract's name for it, if its fields are known.
    pub(super) fn message(&self, name: &str) -> Option<MessageDescriptor> {
        let known = matches!(self.contract.types.get(name), Some(Definition::Message(_)));
        known.then(|| self.pool.get_message_by_name(&proto_name(name))).flatten()
    }
}

/// A type's name, of which every part is a word, as protobuf wants it: `hello.Hello`, and for one declared in Rust `greeter.Hello`.
fn proto_name(name: &str) -> String {
    name.replace("::", ".")
}

/// One file of all types. Packages become messages around their types: a file has but one package, and files can't need each other.
fn file(contract: &Contract) -> FileDescriptorProto {
    let mut root = Node::default();
    for (name, definition) in &contract.types {
        let place = name.split("::").flat_map(|part| part.split('.'));
        place.fold(&mut root, |node, part| node.inner.entry(part.to_owned()).or_default()).definition =
            Some(definition);
    }
    let (message_type, enum_type) = root.inner();
    FileDescriptorProto {
        name: Some("contract".to_owned()),
        syntax: Some("proto3".to_owned()),
        message_type,
        enum_type,
        ..FileDescriptorProto::default()
    }
}

/// A package, a type, or both.
#[derive(Default)]
struct Node<'a> {
    definition: Option<&'a Definition>,
    inner: BTreeMap<String, Node<'a>>,
}

impl Node<'_> {
    fn inner(&self) -> (Vec<DescriptorProto>, Vec<EnumDescriptorProto>) {
        let (mut messages, mut enums) = (Vec::new(), Vec::new());
        for (name, node) in &self.inner {
            match node.definition {
                Some(Definition::Enum(values)) => enums.push(enum_proto(name, values)),
                _ => messages.push(node.message(name)),
            }
        }
        (messages, enums)
    }

    fn message(&self, name: &str) -> DescriptorProto {
        let (nested_type, enum_type) = self.inner();
        let mut proto = DescriptorProto {
            name: Some(name.to_owned()),
            nested_type,
            enum_type,
            ..DescriptorProto::default()
        };
        if let Some(Definition::Message(message)) = self.definition {
            add_fields(&mut proto, message);
        }
        proto
    }
}

fn add_fields(proto: &mut DescriptorProto, message: &Message) {
    for (number, field) in &message.fields {
        let mut made = field_proto(*number, &field.name, &field.holds);
        if let FieldType::Map(key, value) = &field.holds {
            let entry = format!("DrpcEntry{number}");
            proto.nested_type.push(DescriptorProto {
                name: Some(entry.clone()),
                field: vec![field_proto(1, "key", &FieldType::Scalar(*key)), field_proto(2, "value", value)],
                options: Some(MessageOptions { map_entry: Some(true), ..MessageOptions::default() }),
                ..DescriptorProto::default()
            });
            made.type_name = Some(entry);
        }
        if matches!(field.label, Label::Repeated) || matches!(field.holds, FieldType::Map(..)) {
            made.set_label(ProtoLabel::Repeated);
        }
        made.oneof_index = oneof(proto, field);
        made.proto3_optional = (field.oneof.is_none() && made.oneof_index.is_some()).then_some(true);
        proto.field.push(made);
    }
}

/// The `oneof` that a field is in; whether an optional one is there is told by one of its own.
fn oneof(proto: &mut DescriptorProto, field: &Field) -> Option<i32> {
    let name = match (&field.oneof, field.label, &field.holds) {
        (Some(oneof), _, _) => oneof.clone(),
        (None, Label::Optional | Label::Required, FieldType::Scalar(_) | FieldType::Enum(_)) => {
            format!("_{}", field.name)
        }
        _ => return None,
    };
    let place = proto.oneof_decl.iter().position(|oneof| oneof.name.as_ref() == Some(&name));
    let place = place.unwrap_or_else(|| {
        proto.oneof_decl.push(OneofDescriptorProto { name: Some(name), ..OneofDescriptorProto::default() });
        proto.oneof_decl.len() - 1
    });
    i32::try_from(place).ok()
}

fn field_proto(number: i32, name: &str, holds: &FieldType) -> FieldDescriptorProto {
    let mut proto = FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        ..FieldDescriptorProto::default()
    };
    proto.set_label(ProtoLabel::Optional);
    proto.set_type(match holds {
        FieldType::Scalar(scalar) => scalar_type(*scalar),
        FieldType::Message(_) | FieldType::Map(..) => Type::Message,
        FieldType::Group(_) => Type::Group,
        FieldType::Enum(_) => Type::Enum,
    });
    if let FieldType::Message(name) | FieldType::Enum(name) | FieldType::Group(name) = holds {
        proto.type_name = Some(format!(".{}", proto_name(name)));
    }
    proto
}

fn enum_proto(name: &str, values: &Enum) -> EnumDescriptorProto {
    let mut values: Vec<_> = values.values.iter().collect();
    // The default is the first.
    values.sort_by_key(|(number, _)| *number != 0);
    let value = |(number, name): &(i32, String)| EnumValueDescriptorProto {
        name: Some(name.clone()),
        number: Some(*number),
        ..EnumValueDescriptorProto::default()
    };
    EnumDescriptorProto {
        name: Some(name.to_owned()),
        value: values.into_iter().map(value).collect(),
        ..EnumDescriptorProto::default()
    }
}

fn scalar_type(scalar: Scalar) -> Type {
    match scalar {
        Scalar::Double => Type::Double,
        Scalar::Float => Type::Float,
        Scalar::Int32 => Type::Int32,
        Scalar::Int64 => Type::Int64,
        Scalar::Uint32 => Type::Uint32,
        Scalar::Uint64 => Type::Uint64,
        Scalar::Sint32 => Type::Sint32,
        Scalar::Sint64 => Type::Sint64,
        Scalar::Fixed32 => Type::Fixed32,
        Scalar::Fixed64 => Type::Fixed64,
        Scalar::Sfixed32 => Type::Sfixed32,
        Scalar::Sfixed64 => Type::Sfixed64,
        Scalar::Bool => Type::Bool,
        Scalar::String => Type::String,
        Scalar::Bytes => Type::Bytes,
    }
}

#[cfg(test)]
mod tests {
    use prost_reflect::DynamicMessage;
    use serde_json::json;

    use super::*;

    const CONTRACT: &str = "drpc contract 1

module 5 greeter
    method 501 hello
        request hello.Hello
        reply ()
    method 502 raw
        request bytes::Bytes
        reply greeter::Unknown

message greeter::Unknown
    its fields are not known here

message greeter::Local
    1 at: message google.protobuf.Timestamp

message google.protobuf.Timestamp
    1 seconds: int64
    2 nanos: int32

message hello.Hello
    1 name: string
    2 titles: repeated string
    3 ages: map<string, message hello.Hello.Age>
    4 mood: enum hello.Mood, oneof how
    5 count: optional int32
    6 local: message greeter::Local
    7 raw: bytes

message hello.Hello.Age
    1 years: uint64

enum hello.Mood
    -1 BAD
    0 GOOD
";

    #[test]
    fn whatever_a_contract_describes_goes_through_json_and_back() {
        let contract = Contract::parse("contract.txt", CONTRACT).unwrap();
        let promised = Promised::of(&contract).unwrap();
        let hello = promised.message("hello.Hello").unwrap();
        let json = json!({
            "name": "World", "titles": ["a", "b"], "ages": { "x": { "years": "7" } }, "mood": "BAD", "count": 0,
            "local": { "at": "2026-01-02T03:04:05Z" }, "raw": "/w==",
        });
        let message = DynamicMessage::deserialize(hello.clone(), &json).unwrap();
        let bytes = prost::Message::encode_to_vec(&message);
        let again = DynamicMessage::decode(hello.clone(), &bytes[..]).unwrap();
        assert_eq!(serde_json::to_value(again).unwrap(), json);
        assert!(promised.message("greeter::Unknown").is_none());
    }

    #[test]
    fn the_contracts_of_the_examples_fit_together() {
        for path in ["../examples/contract.txt", "../examples/daos/contract.txt"] {
            let text =
                std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
            Promised::of(&Contract::parse(path, &text).unwrap()).unwrap();
        }
    }
}
