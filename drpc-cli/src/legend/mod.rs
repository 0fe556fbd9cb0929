//! What the numbers and bytes of traffic are called.

mod types;

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;

use drpc::{Bytes, Status};
use drpc_registry::contract::{self, Contract, ContractError};
use drpc_registry::{Registry, RegistryError, closest};
use prost_reflect::{DescriptorError, DynamicMessage, SerializeOptions};
use serde_json::Value;

use types::{BodyType, Types};

/// Where names come from.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Names and types")]
pub(crate) struct LegendArgs {
    /// The registry that names modules and methods, as TOML or as a C header.
    #[arg(long, value_name = "FILE")]
    registry: Option<PathBuf>,
    /// The contract that names modules and methods and says what they carry: the text that `drpc::contract` keeps. Bodies are then
    /// JSON, by protobuf's mapping; without it, they are hex digits.
    #[arg(long, value_name = "FILE")]
    contract: Option<PathBuf>,
}

/// Names of modules and methods, and the types of their bodies, as far as they are known.
pub(crate) struct Legend {
    modules: Vec<Named>,
    types: Types,
}

/// A module, and its methods.
pub(crate) struct Named {
    pub(crate) id: i32,
    pub(crate) name: String,
    /// IDs and names.
    pub(crate) methods: Vec<(i32, String)>,
}

impl Legend {
    pub(crate) fn load(args: &LegendArgs) -> Result<Legend, LegendError> {
        let mut modules = Vec::new();
        let mut types = Types::default();
        if let Some(path) = &args.registry {
            modules.extend(Registry::load(path)?.modules().iter().map(Named::listed));
        }
        if let Some(path) = &args.contract {
            let text = fs::read_to_string(path)
                .map_err(|source| LegendError::Unreadable { path: path.clone(), source })?;
            let contract = Contract::parse(path, &text)?;
            types = Types::of(&contract)
                .map_err(|source| LegendError::Types { path: path.clone(), source: Box::new(source) })?;
            let unlisted = |id: i32| !modules.iter().any(|module: &Named| module.id == id);
            let promised: Vec<_> =
                contract.modules.iter().filter(|(id, _)| unlisted(**id)).map(Named::promised).collect();
            modules.extend(promised);
        }
        Ok(Legend { modules, types })
    }

    /// All modules that have a name.
    pub(crate) fn modules(&self) -> &[Named] {
        &self.modules
    }

    /// The ID of the method of a name, such as `greeter.hello`, or of an ID, which need not have a name.
    pub(crate) fn find(&self, name: &str) -> Result<i32, UnknownMethod> {
        if let Ok(id) = name.parse() {
            return Ok(id);
        }
        let methods = || {
            let of = |module: &Named, (id, name): &(i32, String)| (*id, format!("{}.{name}", module.name));
            self.modules
                .iter()
                .flat_map(move |module| module.methods.iter().map(move |method| of(module, method)))
        };
        if let Some((id, _)) = methods().find(|(_, full)| full == name) {
            return Ok(id);
        }
        let names: Vec<String> = methods().map(|(_, full)| full).collect();
        let closest = closest(name, names.iter().map(String::as_str)).map(str::to_owned);
        Err(UnknownMethod { name: name.to_owned(), closest, are_any_named: !names.is_empty() })
    }

    /// `greeter.hello`; where the method has no name, `greeter.509`, or `5.509`.
    pub(crate) fn method(&self, module: i32, method: i32) -> String {
        let Some(named) = self.modules.iter().find(|named| named.id == module) else {
            return format!("{module}.{method}");
        };
        match named.methods.iter().find(|(id, _)| *id == method) {
            Some((_, method)) => format!("{}.{method}", named.name),
            None => format!("{}.{method}", named.name),
        }
    }

    /// A request as JSON; as hex digits, where its type is not known or it is none.
    pub(crate) fn request(&self, method: i32, body: &[u8]) -> Value {
        to_json(self.types.request(method), body, true)
    }

    /// A request with all of its fields, those too that are not in it: to be looked into.
    pub(crate) fn whole_request(&self, method: i32, body: &[u8]) -> Value {
        to_json(self.types.request(method), body, false)
    }

    /// A reply, likewise. Of another status than SUCCESS it is no message (D3).
    pub(crate) fn reply(&self, method: i32, status: Status, body: &[u8]) -> Value {
        to_json(self.types.reply(method).filter(|_| status.is_success()), body, true)
    }

    /// A request's bytes, from JSON or from hex digits.
    pub(crate) fn to_request(&self, method: i32, request: &Value) -> Result<Bytes, String> {
        to_bytes(self.types.request(method), request)
    }

    /// A reply's bytes.
    pub(crate) fn to_reply(&self, method: i32, reply: &Value) -> Result<Bytes, String> {
        to_bytes(self.types.reply(method), reply)
    }
}

impl Named {
    fn listed(module: &drpc_registry::ModuleEntry) -> Named {
        let methods = module.methods.iter().map(|method| (method.id, method.name.clone())).collect();
        Named { id: module.id, name: module.name.clone(), methods }
    }

    fn promised((id, module): (&i32, &contract::Module)) -> Named {
        let methods = module.methods.iter().map(|(id, method)| (*id, method.name.clone())).collect();
        Named { id: *id, name: module.name.clone(), methods }
    }
}

fn to_json(body_type: Option<&BodyType>, body: &[u8], skip_default_fields: bool) -> Value {
    let hex = || Value::String(hex::encode(body));
    let Some(BodyType::Message(message)) = body_type else { return hex() };
    let options = SerializeOptions::new().skip_default_fields(skip_default_fields);
    match DynamicMessage::decode(message.clone(), body) {
        Ok(message) => {
            message.serialize_with_options(serde_json::value::Serializer, &options).unwrap_or_else(|_| hex())
        }
        Err(_) => hex(),
    }
}

fn to_bytes(body_type: Option<&BodyType>, value: &Value) -> Result<Bytes, String> {
    match (body_type, value) {
        (_, Value::String(digits)) => hex::decode(digits).map(Bytes::from).map_err(|error| error.to_string()),
        (Some(BodyType::Message(message)), json) => DynamicMessage::deserialize(message.clone(), json)
            .map(|message| prost::Message::encode_to_vec(&message).into())
            .map_err(|error| format!("it is no {}: {error}", message.full_name())),
        (Some(BodyType::Nothing), _) => Err("the method has none, but `()`".to_owned()),
        (None, _) => {
            Err("its type is not known, so write hex digits, or name the types by --contract".to_owned())
        }
    }
}

/// Nothing known has the name.
#[derive(Debug)]
pub(crate) struct UnknownMethod {
    name: String,
    closest: Option<String>,
    are_any_named: bool,
}

impl fmt::Display for UnknownMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no method `{}`: ", self.name)?;
        match &self.closest {
            Some(closest) => write!(f, "did you mean `{closest}`?"),
            None if self.are_any_named => write!(f, "write it as `module.method`, or as an ID, such as 501"),
            None => write!(f, "write its ID, such as 501, or name the methods by --registry or --contract"),
        }
    }
}

impl std::error::Error for UnknownMethod {}

/// Why names can't be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LegendError {
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Contract(#[from] ContractError),
    #[error("can't read {}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the types in {} don't fit together", path.display())]
    Types { path: PathBuf, source: Box<DescriptorError> },
}
