//! A contract's text: sorted, a fact a line, so that a change shows as the lines that it is, and two changes merge.
//!
//! ```text
//! drpc contract 1
//! # A comment.
//!
//! module 5 greeter
//!     rule users                      # of the module: before its methods
//!     method 501 hello
//!         request hello.Hello
//!         reply hello.Greeting        # or (), or bytes::Bytes
//!         items hello.Name            # of a stream that the caller sends
//!         idempotent
//!         stream                      # of what it replies
//!         rule admin
//!
//! message hello.Hello
//!     1 name: string
//!     2 titles: repeated string
//!     3 ages: map<string, uint32>
//!     4 mood: enum hello.Mood, oneof how
//!     5 count: optional int32, default 7   # in quotes, if it is nothing or has spaces around it
//!     reserved 6 to 9, 12
//!
//! message greeter::Raw
//!     its fields are not known here
//!
//! enum hello.Mood
//!     0 GOOD
//! ```
//!
//! (The comments at the lines' ends are for this page: a comment is a line.)

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::error::Error;
use std::fmt;
use std::path::Path;

use super::model::{
    Body, Contract, Definition, Enum, Field, FieldType, Label, Message, Method, Module, Reserved, Scalar,
};

const KIND: &str = "drpc contract ";
const VERSION: &str = "1";
const NOT_KNOWN: &str = "its fields are not known here";

/// Whether a text is a contract, by its first line.
#[must_use]
pub fn is_contract(text: &str) -> bool {
    text.starts_with(KIND)
}

impl Contract {
    /// Reads the text of a contract; the path is for errors.
    ///
    /// # Errors
    ///
    /// [`ContractError`] with the first line that is none of a contract's.
    pub fn parse(path: impl AsRef<Path>, text: &str) -> Result<Contract, ContractError> {
        let mut reader = Reader { contract: Contract::default(), block: Block::None, references: Vec::new() };
        let mut lines = text.lines().zip(1..);
        let at = |line: usize, what: String| ContractError {
            message: format!("{}:{line}: {what}", path.as_ref().display()),
        };
        let (first, _) = lines.next().unwrap_or_default();
        match first.strip_prefix(KIND) {
            Some(VERSION) => {}
            Some(other) => {
                let what =
                    format!("this is version {other} of a contract's text, and version {VERSION} is known");
                return Err(at(1, format!("{what}: write it and read it with the same version of drpc")));
            }
            None => return Err(at(1, format!("expected `{KIND}{VERSION}`: this is no contract"))),
        }
        for (line, number) in lines {
            let words = line.trim();
            if !words.is_empty() && !words.starts_with('#') {
                reader.line(words, number).map_err(|what| at(number, what))?;
            }
        }
        for (name, number) in &reader.references {
            if !reader.contract.types.contains_key(name) {
                return Err(at(*number, format!("`{name}` is not described in this file")));
            }
        }
        Ok(reader.contract)
    }
}

/// A text is no contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractError {
    message: String,
}

impl fmt::Display for ContractError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ContractError {}

/// The text, as the test writes it.
impl fmt::Display for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{KIND}{VERSION}")?;
        for (id, module) in &self.modules {
            writeln!(f, "\nmodule {id} {}", module.name)?;
            if let Some(rule) = &module.rule {
                writeln!(f, "    rule {rule}")?;
            }
            for (id, method) in &module.methods {
                writeln!(f, "    method {id} {}", method.name)?;
                writeln!(f, "        request {}", method.request)?;
                writeln!(f, "        reply {}", method.reply)?;
                if let Some(items) = &method.items {
                    writeln!(f, "        items {items}")?;
                }
                if method.idempotent {
                    writeln!(f, "        idempotent")?;
                }
                if method.streaming {
                    writeln!(f, "        stream")?;
                }
                if method.fds {
                    writeln!(f, "        fds")?;
                }
                if let Some(rule) = &method.rule {
                    writeln!(f, "        rule {rule}")?;
                }
            }
        }
        for (name, definition) in &self.types {
            let reserved = match definition {
                Definition::Message(message) => {
                    writeln!(f, "\nmessage {name}")?;
                    for (number, field) in &message.fields {
                        writeln!(f, "    {number} {field}")?;
                    }
                    &message.reserved
                }
                Definition::Enum(values) => {
                    writeln!(f, "\nenum {name}")?;
                    for (number, value) in &values.values {
                        writeln!(f, "    {number} {value}")?;
                    }
                    &values.reserved
                }
                Definition::Unknown => {
                    writeln!(f, "\nmessage {name}\n    {NOT_KNOWN}")?;
                    continue;
                }
            };
            if !reserved.is_empty() {
                writeln!(f, "    reserved {reserved}")?;
            }
        }
        Ok(())
    }
}

/// `name: repeated string`.
impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name)?;
        self.write_type(f)
    }
}

impl Field {
    /// All but the name.
    pub(super) fn write_type(&self, f: &mut impl fmt::Write) -> fmt::Result {
        f.write_str(match self.label {
            Label::Plain => "",
            Label::Optional => "optional ",
            Label::Required => "required ",
            Label::Repeated => "repeated ",
        })?;
        write!(f, "{}", self.holds)?;
        if let Some(oneof) = &self.oneof {
            write!(f, ", oneof {oneof}")?;
        }
        match &self.default {
            // In quotes, no editor takes the space at a line's end, and nothing is something.
            Some(default) if default.is_empty() || default.trim() != default || default.starts_with('"') => {
                write!(f, ", default \"{default}\"")
            }
            Some(default) => write!(f, ", default {default}"),
            None => Ok(()),
        }
    }

    fn parse(text: &str) -> Option<Field> {
        let (name, rest) = text.split_once(": ")?;
        let (rest, default) = match rest.split_once(", default ") {
            Some((rest, default)) => {
                let quoted = default.strip_prefix('"').and_then(|default| default.strip_suffix('"'));
                (rest, Some(quoted.unwrap_or(default).to_owned()))
            }
            None => (rest, None),
        };
        let (rest, oneof) = match rest.split_once(", oneof ") {
            Some((rest, oneof)) => (rest, Some(oneof.to_owned())),
            None => (rest, None),
        };
        let labels =
            [("optional ", Label::Optional), ("required ", Label::Required), ("repeated ", Label::Repeated)];
        let labelled = labels.into_iter().find_map(|(word, label)| Some((rest.strip_prefix(word)?, label)));
        let (holds, label) = labelled.unwrap_or((rest, Label::Plain));
        Some(Field { name: name.to_owned(), label, holds: FieldType::parse(holds)?, oneof, default })
    }
}

impl FieldType {
    fn parse(text: &str) -> Option<FieldType> {
        if let Some(scalar) = Scalar::named(text) {
            return Some(FieldType::Scalar(scalar));
        }
        if let Some(map) = text.strip_prefix("map<") {
            let (key, value) = map.strip_suffix('>')?.split_once(", ")?;
            // A map holds no maps: so no text makes this go deeper.
            let value = Some(value).filter(|value| !value.starts_with("map<")).and_then(FieldType::parse)?;
            return Some(FieldType::Map(Scalar::named(key)?, Box::new(value)));
        }
        let (kind, name) = text.split_once(' ')?;
        let name = name.to_owned();
        match kind {
            "message" => Some(FieldType::Message(name)),
            "enum" => Some(FieldType::Enum(name)),
            "group" => Some(FieldType::Group(name)),
            _ => None,
        }
    }
}

impl Body {
    fn parse(text: &str) -> Body {
        [Body::Nothing, Body::Raw]
            .into_iter()
            .find(|body| body.to_string() == text)
            .unwrap_or_else(|| Body::Message(text.to_owned()))
    }
}

impl Reserved {
    fn parse(text: &str) -> Option<Reserved> {
        let range = |range: &str| {
            let (first, last) = range.split_once(" to ").unwrap_or((range, range));
            Some((first.parse().ok()?, last.parse().ok()?))
        };
        Some(Reserved::of(text.split(", ").map(range).collect::<Option<Vec<_>>>()?))
    }
}

/// Reads line by line; each belongs to the block that was begun last.
struct Reader {
    contract: Contract,
    block: Block,
    /// The types that are named, and in which line.
    references: Vec<(String, usize)>,
}

enum Block {
    None,
    Module(i32),
    Method(i32, i32),
    Type(String),
}

impl Reader {
    fn line(&mut self, line: &str, number: usize) -> Result<(), String> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "module" => {
                let (id, name) = numbered(rest).ok_or("expected `module ID NAME`")?;
                let module = Module { name, rule: None, methods: BTreeMap::new() };
                insert(&mut self.contract.modules, id, module, "module")?;
                self.block = Block::Module(id);
                return Ok(());
            }
            "message" => return self.begin_type(rest, Definition::Message(Message::default())),
            "enum" => return self.begin_type(rest, Definition::Enum(Enum::default())),
            _ => {}
        }
        let read = match &self.block {
            Block::None => false,
            &Block::Module(module) => self.line_of_module(module, word, rest)?,
            &Block::Method(module, method) => {
                self.line_of_method((module, method), word, rest, number)
                    || self.line_of_module(module, word, rest)?
            }
            Block::Type(name) => match self.contract.types.get_mut(name) {
                Some(Definition::Unknown) | None => false,
                Some(definition) if line == NOT_KNOWN => {
                    *definition = Definition::Unknown;
                    true
                }
                Some(Definition::Message(message)) => match word {
                    "reserved" => read_reserved(rest, &mut message.reserved),
                    _ => {
                        let (id, text) = numbered(line).ok_or_else(|| unexpected(line))?;
                        let field = Field::parse(&text).ok_or(
                            "expected a field, such as `1 name: string` or `2 ids: repeated message a.Id`",
                        )?;
                        self.references.extend(field.holds.type_name().map(|name| (name.to_owned(), number)));
                        insert(&mut message.fields, id, field, "field")?;
                        true
                    }
                },
                Some(Definition::Enum(values)) => match word {
                    "reserved" => read_reserved(rest, &mut values.reserved),
                    _ => numbered(line).is_some_and(|value| values.values.insert(value)),
                },
            },
        };
        if read { Ok(()) } else { Err(unexpected(line)) }
    }

    fn begin_type(&mut self, name: &str, definition: Definition) -> Result<(), String> {
        insert(&mut self.contract.types, name.to_owned(), definition, "type")?;
        self.block = Block::Type(name.to_owned());
        Ok(())
    }

    fn line_of_module(&mut self, id: i32, word: &str, rest: &str) -> Result<bool, String> {
        let Some(module) = self.contract.modules.get_mut(&id) else { return Ok(false) };
        match word {
            "rule" if module.methods.is_empty() => module.rule = Some(rest.to_owned()),
            "method" => {
                let (method, name) = numbered(rest).ok_or("expected `method ID NAME`")?;
                let new = Method {
                    name,
                    request: Body::Nothing,
                    reply: Body::Nothing,
                    items: None,
                    idempotent: false,
                    streaming: false,
                    fds: false,
                    rule: None,
                };
                insert(&mut module.methods, method, new, "method")?;
                self.block = Block::Method(id, method);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn line_of_method(&mut self, (module, id): (i32, i32), word: &str, rest: &str, number: usize) -> bool {
        let module = self.contract.modules.get_mut(&module);
        let Some(method) = module.and_then(|module| module.methods.get_mut(&id)) else { return false };
        match word {
            "request" | "reply" | "items" => {
                let body = Body::parse(rest);
                if let Body::Message(name) = &body {
                    self.references.push((name.clone(), number));
                }
                match word {
                    "request" => method.request = body,
                    "items" => method.items = Some(body),
                    _ => method.reply = body,
                }
            }
            "idempotent" => method.idempotent = true,
            "stream" => method.streaming = true,
            "fds" => method.fds = true,
            "rule" => method.rule = Some(rest.to_owned()),
            _ => return false,
        }
        true
    }
}

fn read_reserved(text: &str, reserved: &mut Reserved) -> bool {
    match Reserved::parse(text) {
        Some(read) => {
            *reserved = read;
            true
        }
        None => false,
    }
}

/// A number, and what stands behind it.
fn numbered(text: &str) -> Option<(i32, String)> {
    let (number, rest) = text.split_once(' ')?;
    Some((number.parse().ok()?, rest.to_owned()))
}

fn insert<K: Ord + fmt::Display, V>(
    all: &mut BTreeMap<K, V>,
    key: K,
    value: V,
    what: &str,
) -> Result<(), String> {
    match all.entry(key) {
        Entry::Vacant(free) => {
            free.insert(value);
            Ok(())
        }
        Entry::Occupied(taken) => {
            Err(format!("{what} {} stands here twice: settle the merge, or write the file anew", taken.key()))
        }
    }
}

fn unexpected(line: &str) -> String {
    let conflict = ["<<<<<<<", "=======", ">>>>>>>"].iter().any(|mark| line.starts_with(mark));
    match conflict {
        true => "a merge is not settled: write the file anew".to_owned(),
        false => format!("`{line}` is not expected here: take the file as it was written, or write it anew"),
    }
}
