//! What a server serves, as far as a caller may call it; with what the attribute left in the program about it.

use std::collections::HashSet;

use super::messages::{BodyInfo, BodyKind, MethodInfo, ModuleInfo};
use crate::dispatch::registry::{ModuleDescriptor, declared_modules};
use crate::handler::method::Method;
use crate::handler::session::{ServedModule, Session};
use crate::private::{Carried, MethodDescription};

/// The modules that a caller may call.
pub(super) fn catalogue(caller: &Session) -> Vec<ModuleInfo> {
    caller.served_modules().into_iter().filter(|module| module.is_open).map(module_info).collect()
}

/// The messages that a server's methods carry, by their full names in protobuf.
pub(super) struct Carriers {
    /// Of methods that the caller may call.
    pub(super) open: HashSet<String>,
    /// Of the others; nothing if there are no others.
    pub(super) closed: Option<HashSet<String>>,
}

impl Carriers {
    pub(super) fn of(caller: &Session) -> Self {
        let (mut open, mut closed, mut is_closed) = (HashSet::new(), HashSet::new(), false);
        for module in caller.served_modules() {
            let declarations = Declarations::of(&module);
            open.extend(module.open.iter().flat_map(|method| declarations.messages(*method)));
            closed.extend(module.closed.iter().flat_map(|method| declarations.messages(*method)));
            is_closed |= !module.closed.is_empty();
        }
        Carriers { open, closed: is_closed.then_some(closed) }
    }
}

fn module_info(module: ServedModule) -> ModuleInfo {
    let declarations = Declarations::of(&module);
    ModuleInfo {
        id: module.id,
        docs: declarations.docs(),
        methods: module.open.iter().map(|method| method_info(*method, &declarations)).collect(),
        name: module.name,
        rule: module.rule,
        is_remote: module.is_remote,
    }
}

fn method_info(method: Method, declarations: &Declarations) -> MethodInfo {
    let description = declarations.description(method);
    let body = |carried: fn(&MethodDescription) -> Carried| {
        description.map_or_else(BodyInfo::default, |description| body_info(carried(description)))
    };
    MethodInfo {
        id: method.id(),
        name: method.name().to_owned(),
        docs: description.map(|description| text(description.docs)).unwrap_or_default(),
        rule: method.rule().map(str::to_owned),
        is_idempotent: method.is_idempotent(),
        timeout_ms: method.timeout().map(|timeout| timeout.as_millis().try_into().unwrap_or(u64::MAX)),
        request_limit: method.request_limit().map(|bytes| bytes as u64),
        request: body(|description| description.request),
        reply: body(|description| description.reply),
        is_stream: method.is_streaming(),
        has_fds: method.has_fds(),
        items: method.is_client_streaming().then(|| {
            let items = description.and_then(|description| description.items);
            items.map_or_else(BodyInfo::default, body_info)
        }),
    }
}

fn body_info(carried: Carried) -> BodyInfo {
    let (kind, type_name) = match carried {
        Carried::Nothing => (BodyKind::Nothing, String::new()),
        Carried::Raw => (BodyKind::Raw, String::new()),
        Carried::Message { full_name: Some(full_name), .. } => (BodyKind::Message, full_name()),
        Carried::Message { type_name, full_name: None } => (BodyKind::RustMessage, type_name().to_owned()),
    };
    BodyInfo { kind: kind.into(), type_name }
}

/// Doc comments, as they are read: without the space between slashes and text.
fn text(docs: &str) -> String {
    let lines: Vec<_> = docs.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end()).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

/// The declarations of a module in this program: the module's own first. There may be others of its ID that it does not come
/// from, such as that of a server beside a mock; what they declare alike, they describe alike.
struct Declarations(Vec<&'static ModuleDescriptor>);

impl Declarations {
    fn of(module: &ServedModule) -> Self {
        let mut declared: Vec<_> = declared_modules()
            .filter(|declared| declared.id() == module.id && declared.name() == module.name)
            .collect();
        declared.sort_by_key(|declared| declared.to_string() != module.origin);
        Declarations(declared)
    }

    fn docs(&self) -> String {
        self.0.first().map(|declared| text(declared.docs())).unwrap_or_default()
    }

    /// The messages that its calls and responses carry, and the items of its streams.
    fn messages(&self, method: Method) -> impl Iterator<Item = String> {
        let description = self.description(method).into_iter();
        let bodies = description.flat_map(|MethodDescription { request, reply, items, .. }| {
            [Some(*request), Some(*reply), *items]
        });
        bodies.flatten().filter_map(Carried::full_name)
    }

    fn description(&self, method: Method) -> Option<&'static MethodDescription> {
        self.0.iter().find_map(|declared| {
            let mut described = declared.methods().iter().zip(declared.descriptions());
            described.find_map(|(declared, description)| (*declared == method).then_some(description))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doc_comments_are_read_as_they_were_written() {
        assert_eq!(text(" Greets.\n\n     code\n"), "Greets.\n\n    code");
        assert_eq!(text(""), "");
    }
}
