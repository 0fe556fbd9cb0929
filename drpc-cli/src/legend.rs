//! What the numbers and bytes of traffic are called.

use std::path::PathBuf;

use drpc::Bytes;
use drpc_registry::{Registry, RegistryError};
use serde_json::Value;

/// Where names come from.
#[derive(Debug, clap::Args)]
pub(crate) struct LegendArgs {
    /// The registry that names modules and methods, as TOML or as a C header.
    #[arg(long, value_name = "FILE")]
    registry: Option<PathBuf>,
}

/// Names of modules and methods, and the types of their bodies, as far as they are known.
pub(crate) struct Legend {
    registry: Option<Registry>,
}

impl Legend {
    pub(crate) fn load(args: &LegendArgs) -> Result<Legend, RegistryError> {
        Ok(Legend { registry: args.registry.as_ref().map(Registry::load).transpose()? })
    }

    pub(crate) fn registry(&self) -> Option<&Registry> {
        self.registry.as_ref()
    }

    /// `greeter.hello`; where the method has no name, `greeter.509`, or `5.509`.
    pub(crate) fn method(&self, module: i32, method: i32) -> String {
        let entry = self.registry.as_ref().and_then(|registry| registry.module(module));
        match entry {
            Some(entry) => match entry.method(method) {
                Some(method) => format!("{}.{}", entry.name, method.name),
                None => format!("{}.{method}", entry.name),
            },
            None => format!("{module}.{method}"),
        }
    }

    /// A request as JSON; as hex digits, where its type is not known or it is none.
    pub(crate) fn request(&self, _module: i32, _method: i32, body: &[u8]) -> Value {
        Value::String(hex::encode(body))
    }

    /// A reply, likewise.
    pub(crate) fn reply(&self, _module: i32, _method: i32, body: &[u8]) -> Value {
        Value::String(hex::encode(body))
    }

    /// A reply's bytes.
    pub(crate) fn to_reply(&self, _module: i32, _method: i32, reply: &Value) -> Result<Bytes, String> {
        match reply {
            Value::String(digits) => hex::decode(digits).map(Bytes::from).map_err(|error| error.to_string()),
            _ => Err("its type is not known, so that it can only be given as hex digits".to_owned()),
        }
    }
}
