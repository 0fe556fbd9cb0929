//! Modules, methods and messages as text, in the form of .proto files, and as JSON.

use std::collections::VecDeque;
use std::fmt::{self, Write};

use prost_reflect::{
    Cardinality, EnumDescriptor, EnumValueDescriptor, FieldDescriptor, FileDescriptor, Kind,
    MessageDescriptor, OneofDescriptor,
};
use serde_json::{Value, json};

use super::json::is_well_known;
use super::{BodyType, MethodInfo, ModuleInfo};

/// A module with some of its methods, and the messages that these lead to.
pub(crate) struct Described<'a> {
    pub(crate) module: &'a ModuleInfo,
    pub(crate) methods: Vec<&'a MethodInfo>,
}

impl<'a> Described<'a> {
    /// A module with all of its methods.
    pub(crate) fn all_of(module: &'a ModuleInfo) -> Self {
        Described { module, methods: module.methods.iter().collect() }
    }

    /// Module and methods, without what the messages hold.
    pub(crate) fn names_to_json(&self) -> Value {
        let method = |info: &&MethodInfo| {
            json!({
                "id": info.id, "name": info.name, "doc": info.doc, "rule": info.rule, "kinds": info.kinds,
                "request": body_json(&info.request), "reply": body_json(&info.reply),
            })
        };
        let ModuleInfo { id, name, doc, rule, is_remote, .. } = self.module;
        let methods: Vec<Value> = self.methods.iter().map(method).collect();
        json!({ "id": id, "name": name, "doc": doc, "rule": rule, "remote": is_remote, "methods": methods })
    }

    /// With the messages and enums.
    pub(crate) fn to_json(&self) -> Value {
        let (mut messages, mut enums) = (Vec::new(), Vec::new());
        for held in held_types(&self.methods) {
            match held {
                Held::Message(message) => messages.push(message_json(&message)),
                Held::Enum(values) => enums.push(enum_json(&values)),
            }
        }
        let mut json = self.names_to_json();
        json["messages"] = messages.into();
        json["enums"] = enums.into();
        json
    }
}

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Described { module, methods } = self;
        write_comment(f, "", &module.doc)?;
        write!(f, "service {} {{ // module {}", module.name, module.id)?;
        if module.is_remote {
            write!(f, ", for other hosts too")?;
        }
        write_notes(f, &[], module.rule.as_deref())?;
        writeln!(f)?;
        for (at, method) in methods.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            write_comment(f, "  ", &method.doc)?;
            let stream = if method.is_stream { "stream " } else { "" };
            write!(
                f,
                "  rpc {} ({}) returns ({stream}{}); // {}",
                method.name, method.request, method.reply, method.id
            )?;
            write_notes(f, &method.kinds, method.rule.as_deref())?;
            writeln!(f)?;
        }
        writeln!(f, "}}")?;
        for held in held_types(methods) {
            writeln!(f)?;
            match held {
                Held::Message(message) => write_message(f, &message)?,
                Held::Enum(values) => write_enum(f, &values)?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for BodyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BodyType::Unknown => "?",
            BodyType::Nothing => "",
            BodyType::Raw => "bytes",
            BodyType::Message(message) => message.full_name(),
            BodyType::Named(name) => name,
        })
    }
}

fn write_notes(f: &mut fmt::Formatter<'_>, kinds: &[String], rule: Option<&str>) -> fmt::Result {
    // A stream is told of by what is returned.
    for kind in kinds.iter().filter(|kind| *kind != "stream") {
        write!(f, ", {kind}")?;
    }
    rule.map_or(Ok(()), |rule| write!(f, ", allowed by rule \"{rule}\""))
}

fn write_comment(f: &mut dyn Write, indent: &str, text: &str) -> fmt::Result {
    text.trim()
        .lines()
        .try_for_each(|line| writeln!(f, "{}", format!("{indent}// {}", line.trim()).trim_end()))
}

#[derive(Clone, PartialEq)]
enum Held {
    Message(MessageDescriptor),
    Enum(EnumDescriptor),
}

/// All messages and enums of the methods' bodies, each once, those that hold before those that are held.
fn held_types(methods: &[&MethodInfo]) -> Vec<Held> {
    let bodies =
        methods.iter().flat_map(|method| [&method.request, &method.reply].into_iter().chain(&method.items));
    let messages = bodies.filter_map(|body| match body {
        BodyType::Message(message) => Some(Held::Message(message.clone())),
        _ => None,
    });
    let (mut due, mut found): (VecDeque<Held>, Vec<Held>) = (messages.collect(), Vec::new());
    while let Some(held) = due.pop_front() {
        if found.contains(&held) {
            continue;
        }
        if let Held::Message(message) = &held {
            due.extend(message.fields().flat_map(|field| of_field(&field)));
        }
        found.push(held);
    }
    found
}

fn of_field(field: &FieldDescriptor) -> Option<Held> {
    match field.kind() {
        Kind::Message(entry) if field.is_map() => of_field(&entry.map_entry_value_field()),
        // Everyone knows what it holds, and in JSON it has a form of its own.
        Kind::Message(message) if is_well_known(&message) => None,
        Kind::Message(message) => Some(Held::Message(message)),
        Kind::Enum(values) => Some(Held::Enum(values)),
        _ => None,
    }
}

fn write_message(f: &mut fmt::Formatter<'_>, message: &MessageDescriptor) -> fmt::Result {
    write_comment(f, "", &comment(&message.parent_file(), message.path()))?;
    writeln!(f, "message {} {{", message.full_name())?;
    let mut open_oneof = None;
    for field in message.fields() {
        let oneof = declared_oneof(&field);
        if open_oneof != oneof {
            if open_oneof.is_some() {
                writeln!(f, "  }}")?;
            }
            if let Some(oneof) = &oneof {
                writeln!(f, "  oneof {} {{", oneof.name())?;
            }
            open_oneof.clone_from(&oneof);
        }
        let indent = if oneof.is_some() { "    " } else { "  " };
        write_comment(f, indent, &comment(&message.parent_file(), field.path()))?;
        let label = label(&field).map(|label| format!("{label} ")).unwrap_or_default();
        writeln!(f, "{indent}{label}{} {} = {};", type_name(&field), field.name(), field.number())?;
    }
    if open_oneof.is_some() {
        writeln!(f, "  }}")?;
    }
    writeln!(f, "}}")
}

fn type_name(field: &FieldDescriptor) -> String {
    match field.kind() {
        Kind::Message(entry) if field.is_map() => {
            format!(
                "map<{}, {}>",
                type_name(&entry.map_entry_key_field()),
                type_name(&entry.map_entry_value_field())
            )
        }
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(values) => values.full_name().to_owned(),
        // The name of a scalar is that of its kind.
        scalar => format!("{scalar:?}").to_lowercase(),
    }
}

fn write_enum(f: &mut fmt::Formatter<'_>, values: &EnumDescriptor) -> fmt::Result {
    write_comment(f, "", &comment(&values.parent_file(), values.path()))?;
    writeln!(f, "enum {} {{", values.full_name())?;
    for value in values.values() {
        write_comment(f, "  ", &comment(&values.parent_file(), value.path()))?;
        writeln!(f, "  {} = {};", value.name(), value.number())?;
    }
    writeln!(f, "}}")
}

fn body_json(body: &BodyType) -> Value {
    match body {
        BodyType::Unknown => Value::Null,
        known => Value::String(known.to_string()),
    }
}

fn message_json(message: &MessageDescriptor) -> Value {
    let doc = |path: &[i32]| comment(&message.parent_file(), path);
    let field = |field: FieldDescriptor| {
        json!({
            "number": field.number(), "name": field.name(), "type": type_name(&field), "label": label(&field),
            "oneof": declared_oneof(&field).map(|oneof| oneof.name().to_owned()), "doc": doc(field.path()),
        })
    };
    let fields: Vec<Value> = message.fields().map(field).collect();
    json!({ "name": message.full_name(), "doc": doc(message.path()), "fields": fields })
}

fn enum_json(values: &EnumDescriptor) -> Value {
    let doc = |path: &[i32]| comment(&values.parent_file(), path);
    let value = |value: EnumValueDescriptor| json!({ "number": value.number(), "name": value.name(), "doc": doc(value.path()) });
    json!({ "name": values.full_name(), "doc": doc(values.path()), "values": values.values().map(value).collect::<Vec<_>>() })
}

/// The word before a field's type, if there is one.
fn label(field: &FieldDescriptor) -> Option<&'static str> {
    match field.cardinality() {
        Cardinality::Repeated if !field.is_map() => Some("repeated"),
        Cardinality::Required => Some("required"),
        _ if field.field_descriptor_proto().proto3_optional() => Some("optional"),
        _ => None,
    }
}

/// The oneof that a field is in, if the .proto file has it: an optional field is in one of its own.
fn declared_oneof(field: &FieldDescriptor) -> Option<OneofDescriptor> {
    field.containing_oneof().filter(|_| !field.field_descriptor_proto().proto3_optional())
}

/// What the .proto file says of a declaration, before or behind it.
fn comment(file: &FileDescriptor, path: &[i32]) -> String {
    let file = file.file_descriptor_proto();
    let mut places = file.source_code_info.iter().flat_map(|info| &info.location);
    let place = places.find(|place| place.path == path);
    let parts = place.into_iter().flat_map(|place| [place.leading_comments(), place.trailing_comments()]);
    let lines = parts.flat_map(|part| part.trim_end().lines());
    lines.map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end()).collect::<Vec<_>>().join("\n")
}
