//! The server that a command talks to.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use drpc::{AddedFields, Client, ClientBuilder, WireMode};
use drpc_registry::closest;
use serde::Deserialize;

use crate::exit::Failed;
use crate::schema::{Schema, SchemaArgs, SchemaError};
use crate::words;

/// Where a server is, and how to talk to it.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct TargetArgs {
    /// The server's socket: a path, an abstract name (@name), or the short name that the configuration file gives it.
    pub(crate) socket: PathBuf,
    /// The wire to speak: auto (ask the server), chunked (DAOS 2.8) or plain (DAOS 2.6).
    #[arg(long, env = "DRPC_WIRE", value_parser = words::wire())]
    pub(crate) wire: Option<WireMode>,
    /// How long connecting, and then each call, may take.
    #[arg(long, default_value = "5s", env = "DRPC_TIMEOUT", value_parser = words::duration)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Where short names come from.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ConfigArgs {
    /// The configuration file; without it, drpc/config.toml in `$XDG_CONFIG_HOME` or ~/.config, if it is there.
    #[arg(long, value_name = "FILE", env = "DRPC_CONFIG")]
    config: Option<PathBuf>,
}

/// A server, found.
pub(crate) struct Target {
    pub(crate) known: Known,
    wire: WireMode,
    timeout: Duration,
}

/// What is known of a server before it is asked.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) path: PathBuf,
    /// What the configuration file says of it.
    wire: Option<WireMode>,
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
#[derive(Deserialize)]
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
    /// Finds the server.
    pub(crate) fn find(&self) -> Result<Target, ConfigError> {
        Ok(self.config.find(&self.socket)?.at(self.wire, self.timeout))
    }
}

impl ConfigArgs {
    /// What is known of a socket: its path alone, unless it is a word, which may be a short name of the configuration file.
    pub(crate) fn find(&self, socket: &Path) -> Result<Known, ConfigError> {
        let plain = || Known { path: socket.to_owned(), ..Known::default() };
        let word = socket.to_str().filter(|word| !word.contains('/') && !word.starts_with('@'));
        let Some(name) = word else { return Ok(plain()) };
        let (file, config) = match self.read() {
            Ok(Some(read)) => read,
            Ok(None) => return Ok(plain()),
            // Nobody asked for the file, and there is a socket of that name without it.
            Err(error) if self.config.is_none() && socket.exists() => {
                note!("drpc: warning: {error}");
                return Ok(plain());
            }
            Err(error) => return Err(error),
        };
        match config.socket.get(name) {
            Some(entry) => entry.known(name, &file),
            None => match closest(name, config.socket.keys().map(String::as_str)) {
                Some(close) if !socket.exists() => Err(ConfigError::NoSuchName {
                    name: name.to_owned(),
                    close: close.to_owned(),
                    path: file,
                }),
                _ => Ok(plain()),
            },
        }
    }

    fn read(&self) -> Result<Option<(PathBuf, Config)>, ConfigError> {
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

impl Entry {
    fn known(&self, name: &str, file: &Path) -> Result<Known, ConfigError> {
        let wire = self.wire.as_ref().map(|word| word.parse()).transpose().map_err(|error| {
            let cause = serde::de::Error::custom(format!("socket `{name}`: {error}"));
            ConfigError::Wrong { path: file.to_owned(), cause }
        })?;
        let folder = file.parent().unwrap_or(file);
        let from_there = |path: &PathBuf| folder.join(path);
        let schema = SchemaArgs {
            registry: self.registry.as_ref().map(from_there),
            contract: self.contract.as_ref().map(from_there),
            proto: self.proto.iter().map(from_there).collect(),
            descriptors: self.descriptors.iter().map(from_there).collect(),
            daos: self.daos,
        };
        // An abstract name is in no folder.
        let path = if self.path.as_os_str().as_encoded_bytes().starts_with(b"@") {
            self.path.clone()
        } else {
            folder.join(&self.path)
        };
        Ok(Known { path, wire, schema })
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
        let builder = Client::builder(&self.known.path).wire(self.wire).added_fields(fields);
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

    /// What files tell, with what the server tells where they leave something open.
    pub(crate) async fn completed(
        &self,
        from_files: Option<Schema>,
        client: &Client,
    ) -> Result<Schema, Failed> {
        let told = self.reflection(client).await?;
        let mut schema = from_files.unwrap_or_default();
        if let Some(told) = told {
            schema.learn(told);
        }
        Ok(schema)
    }
}

impl Known {
    /// How to talk to it: as the command line says, or else the configuration.
    pub(crate) fn at(self, wire: Option<WireMode>, timeout: Duration) -> Target {
        let wire = wire.or(self.wire).unwrap_or(WireMode::Auto);
        Target { known: self, wire, timeout }
    }

    /// The names and types that files tell: those of the command line, or else of the configuration.
    pub(crate) fn schema(&self, args: &SchemaArgs) -> Result<Option<Schema>, SchemaError> {
        if args.is_empty() { self.schema.load() } else { args.load() }
    }
}
