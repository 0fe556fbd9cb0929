//! A contract as it is compared: what travels, and nothing of how it is written.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The modules of a program, and every type that their calls carry.
///
/// It shows as its text, which [`Contract::parse`] reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contract {
    /// The modules by their IDs.
    pub modules: BTreeMap<i32, Module>,
    /// The messages and enums by their names: those of the bodies, and all that they lead to.
    pub types: BTreeMap<String, Definition>,
}

/// A module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Its name.
    pub name: String,
    /// The rule that says who may call any of its methods.
    pub rule: Option<String>,
    /// The methods by their system-wide IDs.
    pub methods: BTreeMap<i32, Method>,
}

/// A method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method {
    /// Its name.
    pub name: String,
    /// What a call carries.
    pub request: Body,
    /// What a response carries.
    pub reply: Body,
    /// Whether a call may be sent again by who does not know whether it was executed.
    pub idempotent: bool,
    /// What each item of the stream carries that the caller sends; `None` if it sends none.
    pub items: Option<Body>,
    /// Whether the method answers by a stream of what it replies.
    pub streaming: bool,
    /// Whether its calls, its responses or both pass descriptors.
    pub fds: bool,
    /// The rule that says who may call it, beside its module's.
    pub rule: Option<String>,
}

/// What a body carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Nothing.
    Nothing,
    /// Bytes whose meaning is between handler and caller.
    Raw,
    /// A message, by its name: the one in protobuf, or that of a type declared in Rust (`greeter::Hello`).
    Message(String),
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Definition {
    /// A message.
    Message(Message),
    /// An enum.
    Enum(Enum),
    /// A message whose fields are not known: one declared in Rust.
    Unknown,
}

/// A message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The fields by their numbers.
    pub fields: BTreeMap<i32, Field>,
    /// The numbers that no field may have.
    pub reserved: Reserved,
}

/// A field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// How often it occurs.
    pub label: Label,
    /// What it holds.
    pub holds: FieldType,
    /// The `oneof` that it is a member of.
    pub oneof: Option<String>,
    /// What an absent one reads as (proto2), without line breaks.
    pub default: Option<String>,
}

/// How often a field occurs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// Once; how proto3 has it, where nothing is said. So, too, a map and a member of a `oneof`.
    Plain,
    /// Once or not at all, and which of the two can be told.
    Optional,
    /// Once: a reader refuses a message without it (proto2).
    Required,
    /// Any number of times.
    Repeated,
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// A number, a text, bytes.
    Scalar(Scalar),
    /// A message.
    Message(String),
    /// An enum.
    Enum(String),
    /// A message, in the way of proto2's groups.
    Group(String),
    /// A map.
    Map(Scalar, Box<FieldType>),
}

/// An enum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Enum {
    /// Numbers and their names; with `allow_alias` a number has several.
    pub values: BTreeSet<(i32, String)>,
    /// The numbers that no value may have.
    pub reserved: Reserved,
}

/// Numbers that are kept from being used again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reserved {
    /// First and last of each range: ascending, with a gap between any two.
    ranges: Vec<(i32, i32)>,
}

impl Definition {
    /// The names of the types that its fields hold.
    #[must_use]
    pub fn held_types(&self) -> Vec<&str> {
        match self {
            Definition::Message(message) => {
                message.fields.values().filter_map(|field| field.holds.type_name()).collect()
            }
            Definition::Enum(_) | Definition::Unknown => Vec::new(),
        }
    }
}

impl FieldType {
    /// The name of the message or enum that is held, if it is one.
    #[must_use]
    pub fn type_name(&self) -> Option<&str> {
        match self {
            FieldType::Scalar(_) => None,
            FieldType::Message(name) | FieldType::Enum(name) | FieldType::Group(name) => Some(name),
            FieldType::Map(_, value) => value.type_name(),
        }
    }
}

impl Reserved {
    /// The numbers of ranges, each by its first and last.
    #[must_use]
    pub fn of(ranges: impl IntoIterator<Item = (i32, i32)>) -> Self {
        let mut given: Vec<_> = ranges.into_iter().filter(|(first, last)| first <= last).collect();
        given.sort_unstable();
        let mut ranges: Vec<(i32, i32)> = Vec::with_capacity(given.len());
        for (first, last) in given {
            match ranges.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
                _ => ranges.push((first, last)),
            }
        }
        Reserved { ranges }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether the number is among them.
    #[must_use]
    pub fn contains(&self, number: i32) -> bool {
        self.ranges.iter().any(|&(first, last)| (first..=last).contains(&number))
    }

    /// The numbers that are not among `others`.
    #[must_use]
    pub fn without(&self, others: &Reserved) -> Reserved {
        let mut left = self.ranges.clone();
        for &(first, last) in &others.ranges {
            let pieces = left.into_iter().flat_map(|(from, to)| {
                let before = (from < first).then(|| (from, to.min(first - 1)));
                let behind = (last < to).then(|| (from.max(last + 1), to));
                before.into_iter().chain(behind)
            });
            left = pieces.collect();
        }
        Reserved { ranges: left }
    }
}

/// `6 to 9, 12`.
impl fmt::Display for Reserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.ranges.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            match first == last {
                true => write!(f, "{comma}{first}")?,
                false => write!(f, "{comma}{first} to {last}")?,
            }
        }
        Ok(())
    }
}

/// `()`, `bytes::Bytes`, or the message's name. No message's name in protobuf has a `::`.
impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Body::Nothing => "()",
            Body::Raw => "bytes::Bytes",
            Body::Message(name) => name,
        })
    }
}

/// `message hello.Hello`, `map<string, uint32>`: as the text has it.
impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldType::Scalar(scalar) => write!(f, "{scalar}"),
            FieldType::Message(name) => write!(f, "message {name}"),
            FieldType::Enum(name) => write!(f, "enum {name}"),
            FieldType::Group(name) => write!(f, "group {name}"),
            FieldType::Map(key, value) => write!(f, "map<{key}, {value}>"),
        }
    }
}

macro_rules! scalars {
    ($($variant:ident $name:literal,)*) => {
        /// A type that protobuf has of itself.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "protobuf's own words")]
        pub enum Scalar {
            $($variant,)*
        }

        impl Scalar {
            /// The scalar of a name in protobuf.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Scalar::$variant),)*
                    _ => None,
                }
            }
        }

        impl fmt::Display for Scalar {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Scalar::$variant => $name,)*
                })
            }
        }
    };
}

scalars! {
    Double "double",
    Float "float",
    Int32 "int32",
    Int64 "int64",
    Uint32 "uint32",
    Uint64 "uint64",
    Sint32 "sint32",
    Sint64 "sint64",
    Fixed32 "fixed32",
    Fixed64 "fixed64",
    Sfixed32 "sfixed32",
    Sfixed64 "sfixed64",
    Bool "bool",
    String "string",
    Bytes "bytes",
}
