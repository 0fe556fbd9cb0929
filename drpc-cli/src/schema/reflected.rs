//! Names and types as the server tells them.

use std::error::Error;

use drpc::reflection::{BodyInfo, BodyKind, Catalogue, ReflectionClient};
use drpc::{CallError, Client, Status};
use prost::Message;
use serde::{Deserialize, Serialize};

use super::sources::SchemaError;
use super::{BodyType, MethodInfo, ModuleInfo, Schema};
use crate::words::{printable, printable_lines};

/// What a server tells of itself, in the form in which it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reflected {
    #[serde(with = "hex::serde")]
    catalogue: Vec<u8>,
    #[serde(with = "hex::serde")]
    descriptors: Vec<u8>,
}

impl Reflected {
    /// Asks a server; `None` if it has no reflection.
    ///
    /// `hint` is a line that is said where it can't be asked.
    pub(crate) async fn ask(client: &Client, hint: &'static str) -> Result<Option<Reflected>, SchemaError> {
        let unusable = |cause: CallError| SchemaError::Reflection { cause: cause.into(), hint };
        let reflection = ReflectionClient::new(client.clone());
        let catalogue = match reflection.catalogue().await {
            Ok(catalogue) => catalogue.encode_to_vec(),
            Err(error) if has_none(&error) => return Ok(None),
            Err(error) => return Err(unusable(error)),
        };
        let descriptors = reflection.descriptors().await.map_err(unusable)?.into();
        Ok(Some(Reflected { catalogue, descriptors }))
    }

    /// Its names and types.
    pub(crate) fn schema(&self) -> Result<Schema, Box<dyn Error + Send + Sync>> {
        let mut schema = Schema::default();
        schema.pool.decode_file_descriptor_set(&*self.descriptors)?;
        schema.modules = modules(Catalogue::decode(&*self.catalogue)?, &schema);
        Ok(schema)
    }
}

impl Schema {
    /// What the server tells of itself; `None` if it has no reflection.
    ///
    /// `hint` is a line that is said where it can't be asked.
    pub(crate) async fn of_server(
        client: &Client,
        hint: &'static str,
    ) -> Result<Option<Schema>, SchemaError> {
        let Some(reflected) = Reflected::ask(client, hint).await? else { return Ok(None) };
        reflected.schema().map(Some).map_err(|cause| SchemaError::Reflection { cause, hint })
    }
}

/// DAOS's servers answer so, and ours without `.reflection(true)`.
fn has_none(error: &CallError) -> bool {
    matches!(error.status(), Some(Status::UNKNOWN_MODULE | Status::UNKNOWN_METHOD))
}

fn modules(catalogue: Catalogue, schema: &Schema) -> Vec<ModuleInfo> {
    let module = |module: drpc::reflection::ModuleInfo| ModuleInfo {
        id: module.id,
        name: printable(&module.name),
        doc: printable_lines(&module.docs),
        rule: module.rule.as_deref().map(printable),
        is_remote: module.is_remote,
        methods: module.methods.into_iter().map(|method| info(method, schema)).collect(),
    };
    catalogue.modules.into_iter().map(module).collect()
}

fn info(method: drpc::reflection::MethodInfo, schema: &Schema) -> MethodInfo {
    let items = method.items.as_ref().map(|items| body(items, schema));
    let kinds = [
        method.is_idempotent.then(|| "idempotent".to_owned()),
        method.is_stream.then(|| "stream".to_owned()),
        items.as_ref().map(|items| format!("takes a stream of {items}")),
        method.has_fds.then(|| "fds".to_owned()),
        method.timeout().map(|timeout| format!("timeout {}", humantime::format_duration(timeout))),
    ];
    MethodInfo {
        is_stream: method.is_stream,
        items,
        kinds: kinds.into_iter().flatten().collect(),
        request: body(&method.request, schema),
        reply: body(&method.reply, schema),
        id: method.id,
        name: printable(&method.name),
        doc: printable_lines(&method.docs),
        rule: method.rule.as_deref().map(printable),
        is_rule_known: true,
    }
}

fn body(told: &BodyInfo, schema: &Schema) -> BodyType {
    match told.kind() {
        BodyKind::Unknown => BodyType::Unknown,
        BodyKind::Nothing => BodyType::Nothing,
        BodyKind::Raw => BodyType::Raw,
        BodyKind::Message | BodyKind::RustMessage => match schema.message(&told.type_name) {
            Some(message) => BodyType::Message(message),
            None => BodyType::Named(printable(&told.type_name)),
        },
    }
}
