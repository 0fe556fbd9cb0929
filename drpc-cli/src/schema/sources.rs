//! Where names and types come from.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use drpc_registry::contract::{Body, Contract, ContractError};
use drpc_registry::{Registry, RegistryError};
use prost_reflect::DescriptorError;

use super::promised::Promised;
use super::{BodyType, MethodInfo, ModuleInfo, Schema, daos};

/// Files that name modules, methods and types.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Names and types")]
pub(crate) struct SchemaArgs {
    /// The registry that names modules and methods, as TOML or as a C header.
    #[arg(long, value_name = "FILE", env = "DRPC_REGISTRY")]
    pub(crate) registry: Option<PathBuf>,
    /// A contract, which says what each method's bodies are: see `drpc::contract`.
    #[arg(long, value_name = "FILE", env = "DRPC_CONTRACT")]
    pub(crate) contract: Option<PathBuf>,
    /// A folder of .proto files, which say what messages hold. May be given several times, or several with colons between them.
    #[arg(long, value_name = "DIR", env = "DRPC_PROTO", value_delimiter = ':')]
    pub(crate) proto: Vec<PathBuf>,
    /// Compiled .proto files: a set of descriptors, as `protoc -o` writes it. May be given several times, or several with colons between them.
    #[arg(long, value_name = "FILE", env = "DRPC_DESCRIPTORS", value_delimiter = ':')]
    pub(crate) descriptors: Vec<PathBuf>,
    /// DAOS's own modules and messages, which this tool brings along.
    #[arg(long)]
    pub(crate) daos: bool,
}

/// The names of its options.
pub(crate) const OPTIONS: [&str; 5] = ["registry", "contract", "proto", "descriptors", "daos"];

impl SchemaArgs {
    /// Whether nothing is named.
    pub(crate) fn is_empty(&self) -> bool {
        let SchemaArgs { registry, contract, proto, descriptors, daos } = self;
        registry.is_none() && contract.is_none() && proto.is_empty() && descriptors.is_empty() && !daos
    }

    /// What they tell; `None` if nothing is named.
    pub(crate) fn load(&self) -> Result<Option<Schema>, SchemaError> {
        (!self.is_empty()).then(|| load(self)).transpose()
    }
}

/// A file of names or types can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SchemaError {
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Contract(#[from] ContractError),
    #[error("can't read {}: {cause}", path.display())]
    Unreadable { path: PathBuf, cause: io::Error },
    #[error("{}: {cause}", path.display())]
    Descriptors { path: PathBuf, cause: DescriptorError },
    // Its `Debug` says where, and its `Display` does not.
    #[error("{cause:?}")]
    Proto { cause: protox::Error },
    #[error("the server's reflection can't be used: {cause}{hint}")]
    Reflection { cause: Box<dyn std::error::Error + Send + Sync>, hint: &'static str },
    #[error("what the recording keeps of the server's reflection can't be used: {cause}")]
    Kept { cause: Box<dyn std::error::Error + Send + Sync> },
    #[error("the types of the contract don't fit together: {0}")]
    Types(DescriptorError),
    #[error("there is no .proto file in {}", path.display())]
    NoProto { path: PathBuf },
    #[error("{} is a file: name the folder that its imports are looked for in", path.display())]
    NoFolder { path: PathBuf },
}

fn load(args: &SchemaArgs) -> Result<Schema, SchemaError> {
    let mut schema = Schema::default();
    for path in &args.descriptors {
        let bytes = fs::read(path).map_err(|cause| SchemaError::Unreadable { path: path.clone(), cause })?;
        let added = schema.pool.decode_file_descriptor_set(&*bytes);
        added.map_err(|cause| SchemaError::Descriptors { path: path.clone(), cause })?;
    }
    if !args.proto.is_empty() {
        let set = compile(&args.proto)?;
        let added = schema.pool.add_file_descriptor_set(set);
        added.map_err(|cause| SchemaError::Descriptors { path: args.proto[0].clone(), cause })?;
    }
    if args.daos {
        schema.pool.decode_file_descriptor_set(daos::DESCRIPTORS).expect("they are compiled with this tool");
    }
    let registry = match &args.registry {
        Some(path) => Some(Registry::load(path)?),
        None => args.daos.then(daos::registry),
    };
    let mut contracts = Vec::new();
    if let Some(path) = &args.contract {
        let text = fs::read_to_string(path)
            .map_err(|cause| SchemaError::Unreadable { path: path.clone(), cause })?;
        contracts.push(Contract::parse(path, &text)?);
    }
    if args.daos {
        contracts.push(daos::contract());
    }
    let telling_more = contracts.iter().filter(|contract| tells_more(contract, &schema));
    let promised =
        telling_more.map(Promised::of).collect::<Result<Vec<_>, _>>().map_err(SchemaError::Types)?;
    schema.modules = modules(registry.as_ref(), &contracts, &schema, &promised);
    Ok(schema)
}

/// Whether it describes a message of a method that no .proto file does.
fn tells_more(contract: &Contract, schema: &Schema) -> bool {
    let mut methods = contract.modules.values().flat_map(|module| module.methods.values());
    methods.any(|method| {
        let is_unknown = |body: &Body| matches!(body, Body::Message(name) if schema.message(name).is_none());
        is_unknown(&method.request) || is_unknown(&method.reply)
    })
}

/// What the .proto files in these folders hold, each of which is a place that imports are looked for in.
fn compile(folders: &[PathBuf]) -> Result<prost_types::FileDescriptorSet, SchemaError> {
    let mut files = Vec::new();
    for folder in folders {
        if folder.is_file() {
            return Err(SchemaError::NoFolder { path: folder.clone() });
        }
        let before = files.len();
        collect(folder, &mut files)?;
        if files.len() == before {
            return Err(SchemaError::NoProto { path: folder.clone() });
        }
    }
    files.sort();
    let failed = |cause| SchemaError::Proto { cause };
    let mut compiler = protox::Compiler::new(folders).map_err(failed)?;
    compiler.include_imports(true).include_source_info(true).open_files(&files).map_err(failed)?;
    Ok(compiler.file_descriptor_set())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), SchemaError> {
    let unreadable = |cause| SchemaError::Unreadable { path: folder.to_owned(), cause };
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path();
        if entry.file_type().map_err(unreadable)?.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    Ok(())
}

/// The names of the registry and of contracts together, and the types that contracts, services and usage tell.
fn modules(
    registry: Option<&Registry>,
    contracts: &[Contract],
    schema: &Schema,
    promised: &[Promised<'_>],
) -> Vec<ModuleInfo> {
    let mut modules: BTreeMap<i32, (ModuleInfo, BTreeMap<i32, MethodInfo>)> = BTreeMap::new();
    let module = |id, name: &str, doc: &str, is_remote| {
        let (name, doc, methods) = (name.to_owned(), doc.to_owned(), Vec::new());
        (ModuleInfo { id, name, doc, rule: None, is_remote, methods }, BTreeMap::new())
    };
    for entry in registry.into_iter().flat_map(Registry::modules) {
        let (_, methods) = modules
            .entry(entry.id)
            .or_insert_with(|| module(entry.id, &entry.name, &entry.doc, entry.remote));
        for method in &entry.methods {
            let is_promised = |contract: &Contract| {
                contract.modules.get(&entry.id).is_some_and(|module| module.methods.contains_key(&method.id))
            };
            let (request, reply) = match contracts.iter().any(is_promised) {
                // The contract says it below.
                true => (BodyType::Unknown, BodyType::Unknown),
                false => (
                    by_custom(schema, &entry.name, &method.name, &REQUESTS, true),
                    by_custom(schema, &entry.name, &method.name, &REPLIES, false),
                ),
            };
            methods.insert(method.id, info(method.id, &method.name, &method.doc, request, reply));
        }
    }
    for (&id, listed) in contracts.iter().flat_map(|contract| &contract.modules) {
        let (known, methods) = modules.entry(id).or_insert_with(|| module(id, &listed.name, "", false));
        known.rule.clone_from(&listed.rule);
        for (&id, method) in &listed.methods {
            let known = methods
                .entry(id)
                .or_insert_with(|| info(id, &method.name, "", BodyType::Unknown, BodyType::Unknown));
            known.request = promised_type(schema, promised, &method.request);
            known.reply = promised_type(schema, promised, &method.reply);
            known.rule.clone_from(&method.rule);
            known.is_rule_known = true;
            known.is_stream = method.streaming;
            let kinds =
                [(method.idempotent, "idempotent"), (method.streaming, "stream"), (method.fds, "fds")];
            known.kinds = kinds.into_iter().filter(|(is, _)| *is).map(|(_, kind)| kind.to_owned()).collect();
            let items = method.items.as_ref().map(|items| promised_type(schema, promised, items));
            known.kinds.extend(items.as_ref().map(|items| format!("takes a stream of {items}")));
            known.items = items;
        }
    }
    let whole = |(module, methods): (ModuleInfo, BTreeMap<_, _>)| ModuleInfo {
        methods: methods.into_values().collect(),
        ..module
    };
    modules.into_values().map(whole).collect()
}

fn info(id: i32, name: &str, doc: &str, request: BodyType, reply: BodyType) -> MethodInfo {
    MethodInfo {
        id,
        name: name.into(),
        doc: doc.into(),
        rule: None,
        is_rule_known: false,
        is_stream: false,
        items: None,
        kinds: Vec::new(),
        request,
        reply,
    }
}

/// A .proto file says more of a message than a contract does: it has comments.
fn promised_type(schema: &Schema, promised: &[Promised<'_>], body: &Body) -> BodyType {
    match body {
        Body::Nothing => BodyType::Nothing,
        Body::Raw => BodyType::Raw,
        Body::Message(name) => {
            match schema.message(name).or_else(|| promised.iter().find_map(|promised| promised.message(name)))
            {
                Some(message) => BodyType::Message(message),
                None => BodyType::Named(name.clone()),
            }
        }
    }
}

/// A module of a server's, whose messages are those of the files that are named like them.
pub(super) fn retyped(schema: &Schema, mut module: ModuleInfo) -> ModuleInfo {
    for info in &mut module.methods {
        for (body, suffixes, is_request) in
            [(&mut info.request, &REQUESTS, true), (&mut info.reply, &REPLIES, false)]
        {
            let known = match &*body {
                BodyType::Message(message) => {
                    schema.pool.get_message_by_name(message.full_name()).map(BodyType::Message)
                }
                open if open.is_open() => {
                    let customary = by_custom(schema, &module.name, &info.name, suffixes, is_request);
                    (customary != BodyType::Unknown).then_some(customary)
                }
                _ => None,
            };
            *body = known.unwrap_or(std::mem::take(body));
        }
    }
    module
}

/// How requests and replies are named after their method, by DAOS and by others.
const REQUESTS: [&str; 3] = ["Req", "Request", ""];
const REPLIES: [&str; 3] = ["Resp", "Response", "Reply"];

/// A body's type, if nobody says it: that of a method of the same name in a `service` of the module's name, or else the message that is
/// named after the method.
fn by_custom(schema: &Schema, module: &str, method: &str, suffixes: &[&str], is_request: bool) -> BodyType {
    let is_named = |name: &str, wanted: &str| snake_case(name) == wanted;
    let service = schema.pool.services().find(|service| is_named(service.name(), module));
    let declared = service.and_then(|service| service.methods().find(|found| is_named(found.name(), method)));
    if let Some(declared) = declared {
        return BodyType::Message(if is_request { declared.input() } else { declared.output() });
    }
    let base = pascal_case(method);
    let named = suffixes.iter().find_map(|suffix| schema.message(&format!("{base}{suffix}")));
    named.map_or(BodyType::Unknown, BodyType::Message)
}

fn pascal_case(name: &str) -> String {
    let capitalised = |word: &str| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + rest
    };
    name.split('_').map(capitalised).collect()
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for (at, letter) in name.chars().enumerate() {
        if letter.is_ascii_uppercase() && at > 0 {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}
