//! Messages and enums, from protobuf's descriptors to those of a contract.

use std::collections::HashMap;

use drpc_registry::contract::{Definition, Enum, Field, FieldType, Label, Message, Reserved, Scalar};
use prost::Message as _;
use prost_types::field_descriptor_proto::{Label as ProtoLabel, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto, FileDescriptorSet,
};

/// What descriptor sets describe, by full names.
pub(super) struct Types {
    described: HashMap<String, Described>,
}

enum Described {
    Message { descriptor: DescriptorProto, is_proto2: bool },
    Enum(EnumDescriptorProto),
}

impl Types {
    /// Reads descriptor sets, one behind the other.
    pub(super) fn read(descriptors: &[u8]) -> Result<Self, String> {
        let set = FileDescriptorSet::decode(descriptors).map_err(|error| {
            format!("the descriptors can't be read: {error}\n  = help: give what `drpc::include_descriptors!()` includes")
        })?;
        let mut types = Types { described: HashMap::new() };
        for file in set.file {
            types.add_file(file);
        }
        Ok(types)
    }

    /// What a name stands for.
    pub(super) fn definition(&self, name: &str) -> Definition {
        match self.described.get(name) {
            Some(Described::Message { descriptor, is_proto2 }) => {
                Definition::Message(self.message(descriptor, *is_proto2))
            }
            Some(Described::Enum(descriptor)) => Definition::Enum(values(descriptor)),
            None => Definition::Unknown,
        }
    }

    fn add_file(&mut self, file: FileDescriptorProto) {
        // No syntax at all is proto2.
        let is_proto2 = file.syntax() != "proto3";
        let package = file.package.unwrap_or_default();
        for message in file.message_type {
            self.add_message(&package, message, is_proto2);
        }
        for descriptor in file.enum_type {
            self.add_enum(&package, descriptor);
        }
    }

    fn add_message(&mut self, scope: &str, mut descriptor: DescriptorProto, is_proto2: bool) {
        let name = within(scope, descriptor.name());
        for message in std::mem::take(&mut descriptor.nested_type) {
            self.add_message(&name, message, is_proto2);
        }
        for nested in std::mem::take(&mut descriptor.enum_type) {
            self.add_enum(&name, nested);
        }
        self.described.insert(name, Described::Message { descriptor, is_proto2 });
    }

    fn add_enum(&mut self, scope: &str, descriptor: EnumDescriptorProto) {
        self.described.insert(within(scope, descriptor.name()), Described::Enum(descriptor));
    }

    fn message(&self, descriptor: &DescriptorProto, is_proto2: bool) -> Message {
        let fields = descriptor.field.iter().map(|field| {
            let oneof = oneof(descriptor, field);
            let holds = self.holds(field);
            let label = match (field.label(), &holds) {
                _ if oneof.is_some() => Label::Plain,
                (_, FieldType::Map(..)) => Label::Plain,
                (ProtoLabel::Repeated, _) => Label::Repeated,
                (ProtoLabel::Required, _) => Label::Required,
                (ProtoLabel::Optional, _) if is_proto2 || field.proto3_optional() => Label::Optional,
                (ProtoLabel::Optional, _) => Label::Plain,
            };
            let default = field.default_value.as_deref().or_else(|| {
                self.first_value(&holds)
                    .filter(|_| is_proto2 && matches!(label, Label::Plain | Label::Optional))
            });
            let default = default.map(|text| text.escape_debug().to_string());
            (field.number(), Field { name: field.name().to_owned(), label, holds, oneof, default })
        });
        // A range of a message ends before its last number.
        let reserved =
            descriptor.reserved_range.iter().map(|range| (range.start(), range.end().saturating_sub(1)));
        Message { fields: fields.collect(), reserved: Reserved::of(reserved) }
    }

    fn holds(&self, field: &FieldDescriptorProto) -> FieldType {
        let name = || field.type_name().trim_start_matches('.').to_owned();
        match field.r#type() {
            Type::Message => self.map(field).unwrap_or_else(|| FieldType::Message(name())),
            Type::Group => FieldType::Group(name()),
            Type::Enum => FieldType::Enum(name()),
            Type::Double => FieldType::Scalar(Scalar::Double),
            Type::Float => FieldType::Scalar(Scalar::Float),
            Type::Int64 => FieldType::Scalar(Scalar::Int64),
            Type::Uint64 => FieldType::Scalar(Scalar::Uint64),
            Type::Int32 => FieldType::Scalar(Scalar::Int32),
            Type::Fixed64 => FieldType::Scalar(Scalar::Fixed64),
            Type::Fixed32 => FieldType::Scalar(Scalar::Fixed32),
            Type::Bool => FieldType::Scalar(Scalar::Bool),
            Type::String => FieldType::Scalar(Scalar::String),
            Type::Bytes => FieldType::Scalar(Scalar::Bytes),
            Type::Uint32 => FieldType::Scalar(Scalar::Uint32),
            Type::Sfixed32 => FieldType::Scalar(Scalar::Sfixed32),
            Type::Sfixed64 => FieldType::Scalar(Scalar::Sfixed64),
            Type::Sint32 => FieldType::Scalar(Scalar::Sint32),
            Type::Sint64 => FieldType::Scalar(Scalar::Sint64),
        }
    }

    /// What an absent enum of proto2 reads as, if it is another value than the lowest: the one that is listed first.
    fn first_value(&self, holds: &FieldType) -> Option<&str> {
        let FieldType::Enum(name) = holds else { return None };
        let Some(Described::Enum(descriptor)) = self.described.get(name) else { return None };
        let lowest = descriptor.value.iter().map(EnumValueDescriptorProto::number).min();
        let first = descriptor.value.first().filter(|first| Some(first.number()) != lowest)?;
        Some(first.name())
    }

    /// A map travels as repeated messages of two fields; `None` for any other message.
    fn map(&self, field: &FieldDescriptorProto) -> Option<FieldType> {
        let Described::Message { descriptor, .. } =
            self.described.get(field.type_name().trim_start_matches('.'))?
        else {
            return None;
        };
        let [key, value] = descriptor.field.as_slice() else { return None };
        let is_map = descriptor.options.as_ref().is_some_and(|options| options.map_entry());
        match self.holds(key) {
            FieldType::Scalar(key) if is_map => Some(FieldType::Map(key, Box::new(self.holds(value)))),
            _ => None,
        }
    }
}

fn within(scope: &str, name: &str) -> String {
    if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") }
}

/// The oneof that a field is a member of, unless it is there for the sake of `optional` alone.
fn oneof(message: &DescriptorProto, field: &FieldDescriptorProto) -> Option<String> {
    let index = field.oneof_index.filter(|_| !field.proto3_optional())?;
    let oneof = message.oneof_decl.get(usize::try_from(index).ok()?)?;
    Some(oneof.name().to_owned())
}

fn values(descriptor: &EnumDescriptorProto) -> Enum {
    let values = descriptor.value.iter().map(|value| (value.number(), value.name().to_owned()));
    // Unlike a message's, a range of an enum ends with its last number.
    let reserved = descriptor.reserved_range.iter().map(|range| (range.start(), range.end()));
    Enum { values: values.collect(), reserved: Reserved::of(reserved) }
}
