//! Names and types: what the numbers and bytes of traffic are called.

mod daos;
mod json;
mod promised;
mod reflected;
mod sources;
mod text;

use drpc::{Bytes, Status};
use drpc_registry::closest;
use prost_reflect::{DescriptorPool, MessageDescriptor};
use serde_json::Value;

pub(crate) use json::{BodyError, template};
pub(crate) use reflected::Reflected;
pub(crate) use sources::{OPTIONS, SchemaArgs, SchemaError};
pub(crate) use text::Described;

/// Modules and methods by their names, and the types of their bodies, as far as they are known.
#[derive(Default)]
pub(crate) struct Schema {
    /// By ascending ID, and so are their methods.
    modules: Vec<ModuleInfo>,
    pool: DescriptorPool,
}

pub(crate) struct ModuleInfo {
    pub(crate) id: i32,
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) rule: Option<String>,
    /// Whether it is for other hosts, too.
    pub(crate) is_remote: bool,
    pub(crate) methods: Vec<MethodInfo>,
}

pub(crate) struct MethodInfo {
    pub(crate) id: i32,
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) rule: Option<String>,
    /// Whether somebody tells its rule: a registry does not.
    pub(crate) is_rule_known: bool,
    /// Whether it answers by a stream of replies.
    pub(crate) is_stream: bool,
    /// What each item carries of the stream that it takes; `None` if it takes none.
    pub(crate) items: Option<BodyType>,
    /// What else is to be known of it, in a word each: `idempotent`, `stream`.
    pub(crate) kinds: Vec<String>,
    pub(crate) request: BodyType,
    pub(crate) reply: BodyType,
}

/// What a body holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum BodyType {
    #[default]
    Unknown,
    Nothing,
    /// Bytes whose meaning is between handler and caller.
    Raw,
    Message(MessageDescriptor),
    /// A message of which only the name is known: one declared in Rust.
    Named(String),
}

impl Found<'_> {
    /// What may have been meant, where a module has no such method: a method by its number in the module, as it stands in a registry.
    pub(crate) fn hint(&self) -> Option<String> {
        let Found { module_id, method_id, .. } = *self;
        if !(0..=99).contains(&method_id) || module_id == 0 {
            return None;
        }
        let id = i64::from(module_id) * 100 + i64::from(method_id);
        Some(format!("hint: method IDs are system-wide: number {method_id} of module {module_id} is {id}"))
    }
}

impl BodyType {
    /// Whether what it holds can't be told.
    fn is_open(&self) -> bool {
        matches!(self, BodyType::Unknown | BodyType::Named(_))
    }
}

impl MethodInfo {
    /// Takes what its server tells of it: its rule and kinds, and the types that are open.
    fn learn(&mut self, told: MethodInfo) {
        self.rule = told.rule.or(self.rule.take());
        self.is_rule_known = true;
        self.is_stream |= told.is_stream;
        self.items = self.items.take().or(told.items);
        if self.kinds.is_empty() {
            self.kinds = told.kinds;
        }
        for (known, told) in [(&mut self.request, told.request), (&mut self.reply, told.reply)] {
            if known.is_open() && told != BodyType::Unknown {
                *known = told;
            }
        }
    }
}

/// A method as a command is told of it.
#[derive(Clone, Copy)]
pub(crate) struct Found<'a> {
    pub(crate) module_id: i32,
    pub(crate) method_id: i32,
    /// What is known of it.
    pub(crate) info: Option<&'a MethodInfo>,
}

/// Which calls are meant by a word.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Calls {
    Module(i32),
    Method(i32, i32),
    /// Of a module or of a method, of which no name is known.
    Id(i32),
}

impl Calls {
    pub(crate) fn have(self, module: i32, method: i32) -> bool {
        match self {
            Calls::Module(id) => id == module,
            Calls::Method(of, id) => (of, id) == (module, method),
            Calls::Id(id) => id == module || id == method,
        }
    }
}

impl Schema {
    pub(crate) fn modules(&self) -> &[ModuleInfo] {
        &self.modules
    }

    /// Completes what files tell by what the server tells of itself: all names, where files have none; the rules and kinds of what they name, and the
    /// types that they leave open. It gets no more names than files have, if they have any.
    pub(crate) fn learn(&mut self, server: Schema) {
        if self.modules.is_empty() {
            if self.pool.files().len() == 0 {
                self.pool = server.pool;
            }
            let modules = server.modules.into_iter().map(|module| sources::retyped(self, module)).collect();
            self.modules = modules;
            return;
        }
        for told in server.modules {
            let Some(module) = self.modules.iter_mut().find(|module| module.id == told.id) else { continue };
            module.rule = told.rule.or(module.rule.take());
            for told in told.methods {
                if let Some(info) = module.methods.iter_mut().find(|info| info.id == told.id) {
                    info.learn(told);
                }
            }
        }
    }

    /// Whether the server may know more of a method: its name, or what it takes and returns.
    pub(crate) fn leaves_open(&self, method: &str) -> bool {
        let info = self.find_method(method).ok().and_then(|found| found.info);
        info.is_none_or(|info| info.request.is_open() || info.reply.is_open())
    }

    /// Leaves out the methods of whose rules nothing is known; gives their names.
    #[cfg(feature = "grpc")]
    pub(crate) fn leave_out_unknown_rules(&mut self) -> Vec<String> {
        let mut left_out = Vec::new();
        for module in &mut self.modules {
            module.methods.retain(|info| {
                if !info.is_rule_known {
                    left_out.push(format!("{}.{}", module.name, info.name));
                }
                info.is_rule_known
            });
        }
        left_out
    }

    pub(crate) fn module(&self, id: i32) -> Option<&ModuleInfo> {
        self.modules.iter().find(|module| module.id == id)
    }

    pub(crate) fn method_info(&self, module: i32, method: i32) -> Option<&MethodInfo> {
        self.module(module)?.methods.iter().find(|info| info.id == method)
    }

    /// The module of a name or an ID.
    pub(crate) fn find_module(&self, word: &str) -> Result<&ModuleInfo, UnknownName> {
        let id = word.parse::<i32>().ok();
        let found = self.modules.iter().find(|module| Some(module.id) == id || module.name == word);
        found.ok_or_else(|| {
            UnknownName::new("module", word, self.modules.iter().map(|module| module.name.clone()))
        })
    }

    /// The method of `greeter.hello`, `greeter.501`, `5.501` or `501`. Numbers need not be known.
    pub(crate) fn find_method(&self, word: &str) -> Result<Found<'_>, UnknownName> {
        if let Ok(method_id) = word.parse::<i32>() {
            let module_id = method_id.div_euclid(100);
            return Ok(Found { module_id, method_id, info: self.method_info(module_id, method_id) });
        }
        let unknown = || self.unknown_method(word);
        let (module, method) = word.rsplit_once('.').ok_or_else(unknown)?;
        if let (Ok(module_id), Ok(method_id)) = (module.parse(), method.parse()) {
            return Ok(Found { module_id, method_id, info: self.method_info(module_id, method_id) });
        }
        let module = self.find_module(module).map_err(|_| unknown())?;
        let info = module.methods.iter().find(|info| info.name == method || info.id.to_string() == method);
        match (info, method.parse()) {
            (Some(info), _) => Ok(Found { module_id: module.id, method_id: info.id, info: Some(info) }),
            (None, Ok(method_id)) => Ok(Found { module_id: module.id, method_id, info: None }),
            (None, Err(_)) => Err(unknown()),
        }
    }

    /// The calls of `greeter`, `5`, or of what [`find_method`](Self::find_method) takes. Numbers need not be known.
    pub(crate) fn find_calls(&self, word: &str) -> Result<Calls, UnknownName> {
        if let Ok(module) = self.find_module(word) {
            return Ok(Calls::Module(module.id));
        }
        match word.parse() {
            Ok(id) => Ok(Calls::Id(id)),
            Err(_) if word.contains('.') => {
                self.find_method(word).map(|found| Calls::Method(found.module_id, found.method_id))
            }
            // It may be a method's name alone.
            Err(_) if self.method_names().any(|name| name.ends_with(&format!(".{word}"))) => {
                Err(self.unknown_method(word))
            }
            Err(_) => self.find_module(word).map(|module| Calls::Module(module.id)),
        }
    }

    pub(crate) fn unknown_method(&self, word: &str) -> UnknownName {
        UnknownName::new("method", word, self.method_names())
    }

    fn method_names(&self) -> impl Iterator<Item = String> {
        let of = |module: &ModuleInfo| {
            let full = |info: &MethodInfo| format!("{}.{}", module.name, info.name);
            module.methods.iter().map(full).collect::<Vec<_>>()
        };
        self.modules.iter().flat_map(of)
    }

    /// `greeter.hello`; where the method has no name, `greeter.509`, or `5.509`.
    pub(crate) fn method(&self, module: i32, method: i32) -> String {
        let Some(entry) = self.module(module) else { return format!("{module}.{method}") };
        match entry.methods.iter().find(|info| info.id == method) {
            Some(info) => format!("{}.{}", entry.name, info.name),
            None => format!("{}.{method}", entry.name),
        }
    }

    /// A request as JSON; as hex digits, where its type is not known or it is none.
    pub(crate) fn request(&self, method: i32, body: &[u8]) -> Value {
        json::shown(self.request_type(method), body)
    }

    /// An item that a caller sends, likewise.
    pub(crate) fn item(&self, method: i32, body: &[u8]) -> Value {
        let known = self.info(method).and_then(|info| info.items.as_ref());
        json::shown(known.unwrap_or(&BodyType::Unknown), body)
    }

    /// A reply, likewise. Of another status than SUCCESS it is no message (D3).
    pub(crate) fn reply(&self, method: i32, status: Status, body: &[u8]) -> Value {
        let known = if status.is_success() { self.reply_type(method) } else { &BodyType::Unknown };
        json::shown(known, body)
    }

    /// A request's bytes, from JSON or from hex digits.
    pub(crate) fn to_request(&self, method: i32, request: &Value) -> Result<Bytes, BodyError> {
        self.request_type(method).bytes_of(request)
    }

    /// A reply's bytes.
    pub(crate) fn to_reply(&self, method: i32, reply: &Value) -> Result<Bytes, BodyError> {
        self.reply_type(method).bytes_of(reply)
    }

    fn request_type(&self, method: i32) -> &BodyType {
        self.info(method).map_or(&BodyType::Unknown, |info| &info.request)
    }

    fn reply_type(&self, method: i32) -> &BodyType {
        self.info(method).map_or(&BodyType::Unknown, |info| &info.reply)
    }

    /// A method by its ID, which is unique.
    fn info(&self, method: i32) -> Option<&MethodInfo> {
        self.modules.iter().flat_map(|module| &module.methods).find(|info| info.id == method)
    }

    /// What is known of messages, as a set of descriptors.
    #[cfg(feature = "grpc")]
    pub(crate) fn descriptors(&self) -> Vec<u8> {
        self.pool.encode_to_vec()
    }

    /// The full names of a method's request and reply, if the descriptors tell of both.
    #[cfg(feature = "grpc")]
    pub(crate) fn messages<'a>(&self, method: &'a MethodInfo) -> Option<[&'a str; 2]> {
        Some([self.message_name(&method.request)?, self.message_name(&method.reply)?])
    }

    /// The same of what one body holds.
    #[cfg(feature = "grpc")]
    pub(crate) fn message_name<'a>(&self, body: &'a BodyType) -> Option<&'a str> {
        match body {
            BodyType::Nothing => Some("google.protobuf.Empty"),
            BodyType::Message(message) if self.pool.get_message_by_name(message.full_name()).is_some() => {
                Some(message.full_name())
            }
            _ => None,
        }
    }

    /// A message of this full name, or the only one of this name without its package.
    fn message(&self, name: &str) -> Option<MessageDescriptor> {
        self.pool.get_message_by_name(name).or_else(|| {
            let mut named = self.pool.all_messages().filter(|message| message.name() == name);
            named.next().filter(|_| named.next().is_none())
        })
    }
}

/// There is no module or method of that name.
#[derive(Debug, thiserror::Error)]
#[error("there is no {kind} `{word}`{hint}")]
pub(crate) struct UnknownName {
    kind: &'static str,
    word: String,
    hint: String,
}

impl UnknownName {
    fn new(kind: &'static str, word: &str, names: impl Iterator<Item = String>) -> Self {
        let names: Vec<String> = names.collect();
        let close = closest(word, names.iter().map(String::as_str));
        // A method's name alone.
        let named = || names.iter().find(|name| name.rsplit('.').next() == Some(word)).map(String::as_str);
        let hint = match close.or_else(named) {
            Some(name) => format!(": did you mean `{name}`?"),
            None if names.is_empty() => {
                ": no names are known here; give its number, or name a registry with --registry FILE"
                    .to_owned()
            }
            None => "; `drpc list` shows all".to_owned(),
        };
        UnknownName { kind, word: word.to_owned(), hint }
    }
}
