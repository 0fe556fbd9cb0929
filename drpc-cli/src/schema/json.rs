//! Bodies as JSON and back, by protobuf's mapping.

use drpc::Bytes;
use drpc_registry::closest;
use prost_reflect::prost::Message;
use prost_reflect::{
    DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, SerializeOptions,
};
use serde_json::{Map, Value, json};

use super::BodyType;

/// A body can't be made of what was given, or is not what its descriptor says.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("{at}: message `{message}` has no field `{field}`{hint}")]
    NoField { at: Place, message: String, field: String, hint: String },
    #[error("{at}: {expected} was expected, and {given} is given")]
    Value { at: Place, expected: String, given: String },
    #[error("{at}: {problem}")]
    Other { at: Place, problem: String },
    #[error("it takes no request; leave it out")]
    Nothing,
    #[error("{0}, so give its bytes: --hex DIGITS or --raw")]
    NoType(String),
    #[error("the bytes are no `{message}`: {cause}")]
    NotTheMessage { message: String, cause: String },
}

/// Where in a message something stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Place(String);

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "the message" } else { &self.0 })
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
    pub(crate) fn from_json(&self, value: &Value) -> Result<Bytes, BodyError> {
        match self {
            BodyType::Message(message) if !value.is_string() => encode(message, value),
            BodyType::Nothing if is_empty(value) => Ok(Bytes::new()),
            BodyType::Nothing => Err(BodyError::Nothing),
            _ => match value {
                Value::String(digits) => {
                    let other = |problem: hex::FromHexError| BodyError::Other {
                        at: Place::default(),
                        problem: format!("hex digits were expected: {problem}"),
                    };
                    hex::decode(digits).map(Bytes::from).map_err(other)
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

/// A body as it is shown: JSON, or else hex digits.
pub(super) fn shown(known: &BodyType, body: &[u8]) -> Value {
    known.to_json(body).unwrap_or_else(|_| Value::String(hex::encode(body)))
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty)
}

fn encode(message: &MessageDescriptor, value: &Value) -> Result<Bytes, BodyError> {
    check_message(message, value, &Place::default())?;
    let made = DynamicMessage::deserialize(message.clone(), value);
    // What the check has let through, and the mapping does not: a text that is no duration, say.
    let other =
        |error: serde_json::Error| BodyError::Other { at: Place::default(), problem: error.to_string() };
    made.map(|message| message.encode_to_vec().into()).map_err(other)
}

fn decode(message: &MessageDescriptor, body: &[u8]) -> Result<Value, BodyError> {
    let failed = |cause: String| BodyError::NotTheMessage { message: message.full_name().to_owned(), cause };
    let read = DynamicMessage::decode(message.clone(), body).map_err(|error| failed(error.to_string()))?;
    // Names as the .proto file has them, and each field, so that one sees what there is.
    let options = SerializeOptions::new().use_proto_field_name(true).skip_default_fields(false);
    let shown = read.serialize_with_options(serde_json::value::Serializer, &options);
    shown.map_err(|error| failed(error.to_string()))
}

/// Finds what does not fit, and where: the mapping's own errors tell neither.
fn check_message(message: &MessageDescriptor, value: &Value, at: &Place) -> Result<(), BodyError> {
    if message.full_name().starts_with("google.protobuf.") {
        return Ok(());
    }
    let Value::Object(fields) = value else {
        return Err(mismatch(at, format!("an object, `{}`,", message.full_name()), value));
    };
    for (name, value) in fields {
        let Some(field) = message.get_field_by_name(name).or_else(|| message.get_field_by_json_name(name))
        else {
            return Err(no_field(message, name, at));
        };
        check_field(&field, value, &at.field(name))?;
    }
    Ok(())
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
            let Kind::Message(entry) = field.kind() else { return Ok(()) };
            let held = entry.map_entry_value_field();
            entries.iter().try_for_each(|(key, value)| check_value(&held, value, &at.field(key)))
        }
        Value::Array(elements) if field.is_list() => {
            let mut elements = elements.iter().enumerate();
            elements.try_for_each(|(place, value)| check_value(field, value, &at.element(place)))
        }
        _ if field.is_map() => Err(mismatch(at, "an object".to_owned(), value)),
        _ if field.is_list() => Err(mismatch(at, format!("an array of {}", kind_name(&field.kind())), value)),
        _ => check_value(field, value, at),
    }
}

fn check_value(field: &FieldDescriptor, value: &Value, at: &Place) -> Result<(), BodyError> {
    let kind = field.kind();
    let fits = match &kind {
        Kind::Message(message) => return check_message(message, value, at),
        Kind::Enum(values) => return check_enum(values, value, at),
        Kind::Bool => value.is_boolean(),
        Kind::String => value.is_string(),
        Kind::Bytes => value.is_string(),
        Kind::Float | Kind::Double => value.is_number() || value.is_string(),
        Kind::Uint32 | Kind::Fixed32 => whole(value).is_some_and(|number| u32::try_from(number).is_ok()),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            whole(value).is_some_and(|number| i32::try_from(number).is_ok())
        }
        Kind::Uint64 | Kind::Fixed64 => whole(value).is_some_and(|number| u64::try_from(number).is_ok()),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            whole(value).is_some_and(|number| i64::try_from(number).is_ok())
        }
    };
    if fits { Ok(()) } else { Err(mismatch(at, kind_name(&kind), value)) }
}

/// A whole number; protobuf's mapping takes it as a text, too.
fn whole(value: &Value) -> Option<i128> {
    match value {
        Value::Number(number) => {
            let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
            whole.or_else(|| number.as_f64().filter(|float| float.fract() == 0.0).map(|float| float as i128))
        }
        Value::String(digits) => digits.parse().ok(),
        _ => None,
    }
}

fn check_enum(values: &EnumDescriptor, value: &Value, at: &Place) -> Result<(), BodyError> {
    match value {
        Value::String(name) if values.get_value_by_name(name).is_some() => Ok(()),
        Value::Number(_) if whole(value).is_some_and(|number| i32::try_from(number).is_ok()) => Ok(()),
        _ => {
            let names: Vec<String> = values.values().map(|value| value.name().to_owned()).collect();
            let expected = format!("a value of `{}` ({})", values.full_name(), names.join(", "));
            Err(mismatch(at, expected, value))
        }
    }
}

fn kind_name(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) => format!("an object, `{}`,", message.full_name()),
        Kind::Enum(values) => format!("a value of `{}`", values.full_name()),
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

/// How deep a template shows the messages in messages: one may hold itself.
const DEPTH: usize = 4;

/// A request with every field, for its user to fill in.
pub(crate) fn template(message: &MessageDescriptor) -> Value {
    template_to(message, DEPTH)
}

fn template_to(message: &MessageDescriptor, depth: usize) -> Value {
    let mut fields = Map::new();
    for field in message.fields() {
        // Of a oneof, one may be set.
        let first = field.containing_oneof().and_then(|oneof| oneof.fields().next());
        let is_other = first.is_some_and(|first| first != field);
        if !is_other {
            fields.insert(field.name().to_owned(), template_of(&field, depth));
        }
    }
    Value::Object(fields)
}

fn template_of(field: &FieldDescriptor, depth: usize) -> Value {
    let one = match field.kind() {
        _ if field.is_map() => return json!({}),
        Kind::Message(message) if message.full_name().starts_with("google.protobuf.") => Value::Null,
        Kind::Message(_) if depth == 0 => Value::Null,
        Kind::Message(message) => template_to(&message, depth - 1),
        Kind::Enum(values) => Value::String(values.default_value().name().to_owned()),
        Kind::Bool => json!(false),
        Kind::String | Kind::Bytes => json!(""),
        Kind::Float | Kind::Double => json!(0.0),
        _ => json!(0),
    };
    if field.is_list() { json!([one]) } else { one }
}
