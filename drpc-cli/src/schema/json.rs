//! Bodies as JSON and back, by protobuf's mapping.

use drpc::Bytes;
use drpc_registry::closest;
use prost_reflect::prost::Message;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, SerializeOptions};
use serde_json::{Map, Value, json};

use super::BodyType;

/// A body can't be made of what was given, or is not what its descriptor says.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("{at}message `{message}` has no field `{field}`{hint}")]
    NoField { at: Place, message: String, field: String, hint: String },
    #[error("{at}{expected} was expected, and {given} is given")]
    Value { at: Place, expected: String, given: String },
    #[error("{at}{problem}")]
    Other { at: Place, problem: String },
    #[error("it takes no request; leave it out")]
    Nothing,
    #[error("nothing was expected, and bytes came ({0})")]
    NotNothing(usize),
    #[error("{0}, so give its bytes in hex digits: \"00ff\"")]
    NoType(String),
    #[error("the bytes are no `{message}`: {cause}")]
    NotTheMessage { message: String, cause: String },
}

/// Where in a message something stands; before what is said of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Place(String);

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "{}: ", self.0) }
    }
}

impl Place {
    fn field(&self, name: &str) -> Place {
        Place(if self.0.is_empty() { name.to_owned() } else { format!("{}.{name}", self.0) })
    }

    fn element(&self, at: usize) -> Place {
        Place(format!("{}[{at}]", self.0))
    }
}

impl BodyType {
    /// The bytes of what JSON says.
    pub(crate) fn bytes_of(&self, value: &Value) -> Result<Bytes, BodyError> {
        match self {
            BodyType::Message(message) if !value.is_string() => encode(message, value),
            // It may have a text for its form of JSON.
            BodyType::Message(message) if is_well_known(message) && is_form(message, value) => {
                encode(message, value)
            }
            BodyType::Nothing if is_empty(value) => Ok(Bytes::new()),
            BodyType::Nothing => Err(BodyError::Nothing),
            _ => match value {
                Value::String(digits) => {
                    let decoded = hex::decode(digits);
                    if let (BodyType::Message(message), Err(_)) = (self, &decoded)
                        && is_well_known(message)
                    {
                        return Err(mismatch(&Place::default(), well_known_form(message), value));
                    }
                    let other = |problem: hex::FromHexError| BodyError::Other {
                        at: Place::default(),
                        problem: format!("hex digits were expected: {problem}"),
                    };
                    decoded.map(Bytes::from).map_err(other)
                }
                _ => Err(self.no_type()),
            },
        }
    }

    /// What the bytes say.
    pub(crate) fn to_json(&self, body: &[u8]) -> Result<Value, BodyError> {
        match self {
            BodyType::Message(message) => decode(message, body),
            BodyType::Nothing if body.is_empty() => Ok(json!({})),
            BodyType::Nothing => Err(BodyError::NotNothing(body.len())),
            _ => Err(self.no_type()),
        }
    }

    fn no_type(&self) -> BodyError {
        BodyError::NoType(match self {
            BodyType::Raw => "the body is bytes, not a message".to_owned(),
            BodyType::Named(name) => format!("what `{name}` holds is not known"),
            _ => "the type of the body is not known".to_owned(),
        })
    }
}

fn is_form(message: &MessageDescriptor, value: &Value) -> bool {
    DynamicMessage::deserialize(message.clone(), value).is_ok()
}

/// A body as it is shown: JSON, or else hex digits.
pub(super) fn shown(known: &BodyType, body: &[u8]) -> Value {
    known.to_json(body).unwrap_or_else(|_| Value::String(hex::encode(body)))
}

/// No fields, or no hex digits.
fn is_empty(value: &Value) -> bool {
    value.is_null() || value == "" || value.as_object().is_some_and(Map::is_empty)
}

fn encode(message: &MessageDescriptor, value: &Value) -> Result<Bytes, BodyError> {
    let made = DynamicMessage::deserialize(message.clone(), value).map_err(|error| {
        // The mapping's own error does not say where: that is looked for.
        let found = check_message(message, value, &Place::default());
        let other = BodyError::Other { at: Place::default(), problem: error.to_string() };
        found.err().unwrap_or(other)
    })?;
    Ok(made.encode_to_vec().into())
}

fn decode(message: &MessageDescriptor, body: &[u8]) -> Result<Value, BodyError> {
    let failed = |cause: String| BodyError::NotTheMessage { message: message.full_name().to_owned(), cause };
    let read = DynamicMessage::decode(message.clone(), body).map_err(|error| failed(error.to_string()))?;
    // Names as the .proto file has them, and each field, so that one sees what there is.
    let options = SerializeOptions::new().use_proto_field_name(true).skip_default_fields(false);
    let shown = read.serialize_with_options(serde_json::value::Serializer, &options);
    shown.map_err(|error| failed(error.to_string()))
}

/// Finds what does not fit, and where.
fn check_message(message: &MessageDescriptor, value: &Value, at: &Place) -> Result<(), BodyError> {
    if is_well_known(message) {
        return if is_form(message, value) {
            Ok(())
        } else {
            Err(mismatch(at, well_known_form(message), value))
        };
    }
    let Value::Object(fields) = value else {
        return Err(mismatch(at, format!("an object, `{}`,", message.full_name()), value));
    };
    let mut given: Vec<FieldDescriptor> = Vec::new();
    for (name, value) in fields {
        let Some(field) = message.get_field_by_name(name).or_else(|| message.get_field_by_json_name(name))
        else {
            return Err(no_field(message, name, at));
        };
        check_field(&field, value, &at.field(name))?;
        if !value.is_null() {
            check_oneof(&field, &given, at)?;
            given.push(field);
        }
    }
    Ok(())
}

/// Of a oneof, one is given.
fn check_oneof(field: &FieldDescriptor, given: &[FieldDescriptor], at: &Place) -> Result<(), BodyError> {
    let Some(oneof) = field.containing_oneof() else { return Ok(()) };
    let Some(first) = given.iter().find(|given| given.containing_oneof().as_ref() == Some(&oneof)) else {
        return Ok(());
    };
    let problem =
        format!("`{}` is given, too, and of the oneof `{}` there is one", first.name(), oneof.name());
    Err(BodyError::Other { at: at.field(field.name()), problem })
}

fn no_field(message: &MessageDescriptor, field: &str, at: &Place) -> BodyError {
    let names: Vec<String> = message.fields().map(|field| field.name().to_owned()).collect();
    let hint = match closest(field, names.iter().map(String::as_str)) {
        Some(name) => format!(": did you mean `{name}`?"),
        None if names.is_empty() => ": it has none".to_owned(),
        None => format!("; it has {}", names.join(", ")),
    };
    BodyError::NoField { at: at.clone(), message: message.full_name().into(), field: field.into(), hint }
}

fn check_field(field: &FieldDescriptor, value: &Value, at: &Place) -> Result<(), BodyError> {
    match value {
        // It stands for the default.
        Value::Null => Ok(()),
        Value::Object(entries) if field.is_map() => {
            entries.iter().try_for_each(|(key, value)| check_entry(field, key, value, &at.field(key)))
        }
        Value::Array(elements) if field.is_list() => {
            let mut elements = elements.iter().enumerate();
            elements.try_for_each(|(place, value)| check_value(field, value, &at.element(place)))
        }
        _ if field.is_map() => Err(mismatch(at, "an object".to_owned(), value)),
        _ if field.is_list() => Err(mismatch(at, "an array".to_owned(), value)),
        _ => check_value(field, value, at),
    }
}

fn check_entry(field: &FieldDescriptor, key: &str, value: &Value, at: &Place) -> Result<(), BodyError> {
    let Kind::Message(entry) = field.kind() else { return Ok(()) };
    check_value(&entry.map_entry_value_field(), value, at)?;
    if is_taken(field, json!({ key: value })) {
        return Ok(());
    }
    let expected = format!("a key that is {}", kind_name(&entry.map_entry_key_field().kind()));
    Err(mismatch(at, expected, &Value::from(key)))
}

/// Checks a value alone: a field's, or an element's of a list or a map.
fn check_value(field: &FieldDescriptor, value: &Value, at: &Place) -> Result<(), BodyError> {
    let kind = field.kind();
    let fits = match &kind {
        Kind::Message(message) => return check_message(message, value, at),
        _ if field.is_list() => is_taken(field, json!([value])),
        // For a field, it stands for the default.
        _ => !value.is_null() && is_taken(field, value.clone()),
    };
    if fits { Ok(()) } else { Err(mismatch(at, kind_name(&kind), value)) }
}

/// Whether the mapping takes it for a field: it alone says what it takes.
fn is_taken(field: &FieldDescriptor, value: Value) -> bool {
    DynamicMessage::deserialize(field.parent_message().clone(), json!({ field.name(): value })).is_ok()
}

/// Such a message has a form of its own in JSON.
pub(super) fn is_well_known(message: &MessageDescriptor) -> bool {
    // By the full name: in what a contract describes, packages are messages.
    message.full_name().starts_with("google.protobuf.")
}

fn well_known_form(message: &MessageDescriptor) -> String {
    match message.full_name() {
        "google.protobuf.Timestamp" => "a time, as \"2026-01-02T03:04:05Z\",".to_owned(),
        "google.protobuf.Duration" => "a time span in seconds, as \"1.5s\",".to_owned(),
        name => format!("a `{name}`, in its form of the mapping,"),
    }
}

fn kind_name(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) => format!("an object, `{}`,", message.full_name()),
        Kind::Enum(values) => {
            let names: Vec<String> = values.values().map(|value| value.name().to_owned()).collect();
            format!("a value of `{}` ({})", values.full_name(), names.join(", "))
        }
        Kind::Bool => "true or false".to_owned(),
        Kind::String => "a text".to_owned(),
        Kind::Bytes => "a text in base64".to_owned(),
        Kind::Float | Kind::Double => "a number".to_owned(),
        Kind::Uint32 | Kind::Fixed32 => "a whole number from 0 to 4294967295".to_owned(),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => "a whole number of 32 bits".to_owned(),
        Kind::Uint64 | Kind::Fixed64 => "a whole number from 0 on of 64 bits".to_owned(),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => "a whole number of 64 bits".to_owned(),
    }
}

fn mismatch(at: &Place, expected: String, given: &Value) -> BodyError {
    BodyError::Value { at: at.clone(), expected, given: abridged(given) }
}

fn abridged(value: &Value) -> String {
    const LONGEST: usize = 40;
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// A request with every field, for its user to fill in. It can be sent as it is.
pub(crate) fn template(message: &MessageDescriptor) -> Value {
    let own = is_well_known(message).then(|| template_of_well_known(message)).flatten();
    own.unwrap_or_else(|| template_in(message, &mut Vec::new()))
}

/// In its own form of JSON, if it has one.
fn template_of_well_known(message: &MessageDescriptor) -> Option<Value> {
    Some(match message.name() {
        "Timestamp" => json!("1970-01-01T00:00:00Z"),
        "Duration" => json!("0s"),
        "StringValue" | "BytesValue" | "FieldMask" => json!(""),
        "BoolValue" => json!(false),
        "ListValue" => json!([]),
        "Value" => Value::Null,
        "Int32Value" | "UInt32Value" | "Int64Value" | "UInt64Value" | "FloatValue" | "DoubleValue" => {
            json!(0)
        }
        "Struct" => json!({}),
        _ => return None,
    })
}

/// `around` are the messages that it is in.
fn template_in(message: &MessageDescriptor, around: &mut Vec<MessageDescriptor>) -> Value {
    around.push(message.clone());
    let mut fields = Map::new();
    for field in message.fields() {
        // Of a oneof, one may be given.
        let first = field.containing_oneof().and_then(|oneof| oneof.fields().next());
        if first.is_none_or(|first| first == field) {
            fields.insert(field.name().to_owned(), template_of(&field, around));
        }
    }
    around.pop();
    Value::Object(fields)
}

fn template_of(field: &FieldDescriptor, around: &mut Vec<MessageDescriptor>) -> Value {
    let one = match field.kind() {
        _ if field.is_map() => return json!({}),
        Kind::Message(message) if is_well_known(&message) => match message.name() {
            "Timestamp" | "Duration" => template_of_well_known(&message).unwrap_or_default(),
            _ => Value::Null,
        },
        // One that holds itself would have no end.
        Kind::Message(message) if around.contains(&message) => Value::Null,
        Kind::Message(message) => template_in(&message, around),
        Kind::Enum(values) => Value::String(values.default_value().name().to_owned()),
        Kind::Bool => json!(false),
        Kind::String | Kind::Bytes => json!(""),
        Kind::Float | Kind::Double => json!(0.0),
        _ => json!(0),
    };
    match one {
        Value::Null if field.is_list() => json!([]),
        one if field.is_list() => json!([one]),
        one => one,
    }
}

#[cfg(test)]
mod tests {
    use super::super::SchemaArgs;
    use super::*;

    const WELL_KNOWN: &str = "syntax = \"proto3\";
        import \"google/protobuf/any.proto\";
        import \"google/protobuf/duration.proto\";
        import \"google/protobuf/empty.proto\";
        import \"google/protobuf/field_mask.proto\";
        import \"google/protobuf/struct.proto\";
        import \"google/protobuf/timestamp.proto\";
        import \"google/protobuf/wrappers.proto\";
        message Any { google.protobuf.Any any = 1; google.protobuf.Duration duration = 2; google.protobuf.Empty empty = 3;
            google.protobuf.FieldMask mask = 4; google.protobuf.Struct fields = 5; google.protobuf.Timestamp time = 6;
            google.protobuf.StringValue text = 7; }";

    #[test]
    fn a_well_known_message_is_given_in_its_own_form() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("known.proto"), WELL_KNOWN).unwrap();
        let schema = SchemaArgs { proto: vec![folder.path().to_owned()], ..SchemaArgs::default() };
        let schema = schema.load().unwrap().unwrap();
        let body =
            |name: &str| BodyType::Message(schema.message(&format!("google.protobuf.{name}")).unwrap());
        for (name, given) in [
            ("StringValue", json!("x")),
            ("Timestamp", json!("2026-01-02T03:04:05Z")),
            ("Duration", json!("1.5s")),
            ("FieldMask", json!("a,b")),
            ("UInt64Value", json!("7")),
            ("BytesValue", json!("/w==")),
        ] {
            let bytes = body(name).bytes_of(&given).unwrap();
            assert_eq!(
                body(name).to_json(&bytes).unwrap().as_str().unwrap()[..1],
                given.as_str().unwrap()[..1]
            );
        }
        assert_eq!(&*body("Timestamp").bytes_of(&json!("0801")).unwrap(), b"\x08\x01");
        let error = body("Timestamp").bytes_of(&json!("soon")).unwrap_err().to_string();
        assert_eq!(error, "a time, as \"2026-01-02T03:04:05Z\", was expected, and \"soon\" is given");
        for message in
            schema.pool.all_messages().filter(|message| message.full_name() != "google.protobuf.Any")
        {
            let template = template(&message);
            let sent = BodyType::Message(message.clone()).bytes_of(&template);
            sent.unwrap_or_else(|error| panic!("{}: {error}: {template}", message.full_name()));
        }
    }

    #[test]
    fn a_template_can_be_sent() {
        let schema = SchemaArgs { daos: true, ..SchemaArgs::default() }.load().unwrap().unwrap();
        for message in schema.pool.all_messages() {
            let template = template(&message);
            encode(&message, &template).unwrap_or_else(|error| panic!("{error}: {template}"));
        }
    }
}
