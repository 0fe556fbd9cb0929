//! The server that a command talks to.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use drpc::{AddedFields, Client, ClientBuilder, WireMode};
use drpc_registry::closest;
use serde::Deserialize;

use crate::schema::{Schema, SchemaArgs, SchemaError};

/// Where a server is, and how to talk to it.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct TargetArgs {
    /// The server's socket: a path, or the short name that the configuration file gives it.
    pub(crate) socket: PathBuf,
    /// The wire to speak: auto (ask the server), chunked (DAOS 2.8) or plain (DAOS 2.6).
    #[arg(long, env = "DRPC_WIRE")]
    pub(crate) wire: Option<WireMode>,
    /// How long connecting, and then each call, may take.
    #[arg(long, default_value = "5s", env = "DRPC_TIMEOUT", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Duration,
    /// The configuration file; without it, drpc/config.toml in `$XDG_CONFIG_HOME` or ~/.config, if it is there.
    #[arg(long, value_name = "FILE", env = "DRPC_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}

/// A server, found.
pub(crate) struct Target {
    pub(crate) path: PathBuf,
    wire: WireMode,
    timeout: Duration,
    /// What the configuration file names for it.
    schema: SchemaArgs,
}

/// The configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("can't read the configuration file {}: {cause}", path.display())]
    Unreadable { path: PathBuf, cause: io::Error },
    #[error("{}: {}", path.display(), cause.to_string().trim_end())]
    Wrong { path: PathBuf, cause: toml::de::Error },
    #[error("there is no socket `{name}`: did you mean `{close}`, of {}?", path.display())]
    NoSuchName { name: String, close: String, path: PathBuf },
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default)]
    socket: BTreeMap<String, Entry>,
}

/// What is known of a socket by its short name. Relative paths are meant from the folder of the file.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    path: PathBuf,
    wire: Option<String>,
    registry: Option<PathBuf>,
    contract: Option<PathBuf>,
    #[serde(default)]
    proto: Vec<PathBuf>,
    #[serde(default)]
    descriptors: Vec<PathBuf>,
    #[serde(default)]
    daos: bool,
}

impl TargetArgs {
    /// Finds the server. A word without a slash may be a short name of the configuration file.
    pub(crate) fn find(&self) -> Result<Target, ConfigError> {
        let plain = |path| Target {
            path,
            wire: self.wire.unwrap_or(WireMode::Auto),
            timeout: self.timeout,
            schema: SchemaArgs::default(),
        };
        let Some(name) = self.socket.to_str().filter(|name| !name.contains('/')) else {
            return Ok(plain(self.socket.clone()));
        };
        let Some((file, config)) = self.read_config()? else { return Ok(plain(self.socket.clone())) };
        let Some(entry) = config.socket.get(name).cloned() else {
            return match closest(name, config.socket.keys().map(String::as_str)) {
                Some(close) if !self.socket.exists() => Err(ConfigError::NoSuchName {
                    name: name.to_owned(),
                    close: close.to_owned(),
                    path: file,
                }),
                _ => Ok(plain(self.socket.clone())),
            };
        };
        let folder = file.parent().unwrap_or(&file);
        let wrong = |problem: String| ConfigError::Wrong {
            path: file.clone(),
            cause: serde::de::Error::custom(problem),
        };
        let wire = match (self.wire, &entry.wire) {
            (Some(wire), _) => wire,
            (None, Some(word)) => word.parse().map_err(|error| wrong(format!("socket `{name}`: {error}")))?,
            (None, None) => WireMode::Auto,
        };
        let from_there = |path: &PathBuf| folder.join(path);
        let schema = SchemaArgs {
            registry: entry.registry.as_ref().map(from_there),
            contract: entry.contract.as_ref().map(from_there),
            proto: entry.proto.iter().map(from_there).collect(),
            descriptors: entry.descriptors.iter().map(from_there).collect(),
            daos: entry.daos,
        };
        Ok(Target { path: folder.join(&entry.path), wire, timeout: self.timeout, schema })
    }

    fn read_config(&self) -> Result<Option<(PathBuf, Config)>, ConfigError> {
        let Some(path) = self.config.clone().or_else(default_config) else { return Ok(None) };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound && self.config.is_none() => {
                return Ok(None);
            }
            Err(cause) => return Err(ConfigError::Unreadable { path, cause }),
        };
        match toml::from_str(&text) {
            Ok(config) => Ok(Some((path, config))),
            Err(cause) => Err(ConfigError::Wrong { path, cause }),
        }
    }
}

fn default_config() -> Option<PathBuf> {
    let folder = env::var_os("XDG_CONFIG_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let folder = folder.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".config")))?;
    Some(folder.join("drpc/config.toml"))
}

impl Target {
    /// How to connect, with those fields added to calls.
    pub(crate) fn client(&self, fields: AddedFields) -> ClientBuilder {
        let builder = Client::builder(&self.path).wire(self.wire).added_fields(fields);
        builder.connect_timeout(self.timeout).timeout(self.timeout)
    }

    /// What may be the reason, where a connection broke, in a line: a peer of the other wire may leave without a word (W8).
    pub(crate) fn hint(&self) -> &'static str {
        match self.wire {
            WireMode::Auto => "",
            _ => "\nhint: the wire was chosen; without --wire, the server is asked for its own",
        }
    }

    /// What the server tells of its names and types; `None` if it has no reflection.
    pub(crate) async fn reflection(&self, client: &Client) -> Result<Option<Schema>, SchemaError> {
        Schema::of_server(client, self.hint()).await
    }

    /// The names and types that files tell: those of the command line, or else of the configuration.
    pub(crate) fn schema(&self, args: &SchemaArgs) -> Result<Option<Schema>, SchemaError> {
        let args = if args.is_empty() { &self.schema } else { args };
        (!args.is_empty()).then(|| Schema::load(args)).transpose()
    }
}
