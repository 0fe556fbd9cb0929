//! What this program's modules promise: put together from what the macro has left in it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use drpc_registry::contract::{Body, Contract, Definition, Method, Module};

use super::types::Types;
use crate::dispatch::registry::{ModuleDescriptor, declared_modules};
use crate::handler;
use crate::private::{Carried, MethodDescription};

/// The contract of all declared modules, and of what their calls carry.
pub(super) fn by_this_program(descriptors: &[u8]) -> Result<Contract, String> {
    let types = Types::read(descriptors)?;
    let mut modules = BTreeMap::new();
    for declared in declared_modules() {
        match modules.entry(declared.id()) {
            Entry::Vacant(free) => {
                free.insert((declared, module(declared)));
            }
            Entry::Occupied(mut taken) => {
                let (first, module) = taken.get_mut();
                implement_too(module, first, declared)?;
            }
        }
    }
    if modules.is_empty() {
        return Err("no module is declared in this program\n  = help: link the crate that declares them: \
                    `use the_crate as _;`"
            .to_owned());
    }
    let modules: BTreeMap<i32, Module> = modules.into_iter().map(|(id, (_, module))| (id, module)).collect();
    let types = carried(&modules, &types);
    Ok(Contract { modules, types })
}

fn module(declared: &ModuleDescriptor) -> Module {
    let methods = declared.methods().iter().zip(declared.descriptions());
    Module {
        name: declared.name().to_owned(),
        rule: declared.rule().map(one_line),
        methods: methods.map(|(declared, described)| (declared.id(), method(declared, described))).collect(),
    }
}

fn method(declared: &handler::method::Method, described: &MethodDescription) -> Method {
    Method {
        name: declared.name().to_owned(),
        request: body(described.request),
        reply: body(described.reply),
        items: described.items.map(body),
        idempotent: declared.is_idempotent(),
        streaming: declared.is_streaming(),
        fds: declared.has_fds(),
        rule: declared.rule().map(one_line),
    }
}

fn body(carried: Carried) -> Body {
    match carried {
        Carried::Nothing => Body::Nothing,
        Carried::Raw => Body::Raw,
        Carried::Message { type_name, full_name } => {
            Body::Message(full_name.map_or_else(|| type_name().to_owned(), |full_name| full_name()))
        }
    }
}

/// A name that is up to the server's author, in the contract's lines.
fn one_line(name: &str) -> String {
    name.escape_debug().to_string()
}

/// Two modules may implement a part each of one contract (D7), but not in two ways.
fn implement_too(
    module: &mut Module,
    first: &ModuleDescriptor,
    second: &ModuleDescriptor,
) -> Result<(), String> {
    let other = self::module(second);
    let differ = |in_what: String| {
        Err(format!(
            "two modules of ID {} differ in {in_what}: {first} and {second}\n  \
             = help: let both promise the same, or see to it that one alone is in this program",
            first.id()
        ))
    };
    if other.name != module.name {
        return differ("their names".to_owned());
    }
    if other.rule != module.rule {
        return differ("their rules".to_owned());
    }
    for (id, method) in other.methods {
        let name = method.name.clone();
        if *module.methods.entry(id).or_insert_with(|| method.clone()) != method {
            return differ(format!("method {id}, `{name}`"));
        }
    }
    Ok(())
}

/// The messages of the bodies, and all that they lead to.
fn carried(modules: &BTreeMap<i32, Module>, types: &Types) -> BTreeMap<String, Definition> {
    let methods = modules.values().flat_map(|module| module.methods.values());
    let bodies = methods.flat_map(|method| [&method.request, &method.reply].into_iter().chain(&method.items));
    let mut todo: Vec<String> = bodies
        .filter_map(|body| match body {
            Body::Message(name) => Some(name.clone()),
            Body::Nothing | Body::Raw => None,
        })
        .collect();
    let mut carried = BTreeMap::new();
    while let Some(name) = todo.pop() {
        if let Entry::Vacant(free) = carried.entry(name) {
            let definition = types.definition(free.key());
            todo.extend(definition.held_types().into_iter().map(str::to_owned));
            free.insert(definition);
        }
    }
    carried
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &[handler::method::Method] = &[handler::method::Method::new(5, 501, "hello")];

    const fn declared(name: &'static str, methods: &'static [MethodDescription]) -> ModuleDescriptor {
        ModuleDescriptor::new(5, name, "Greeter", "greeterd", "greeter.rs", 7, HELLO, None)
            .described(None, "", methods)
    }

    #[test]
    fn modules_of_one_id_that_differ_are_told_of_both() {
        const NOTHING: MethodDescription =
            MethodDescription { docs: "", request: Carried::Nothing, reply: Carried::Nothing, items: None };
        const RAW: MethodDescription = MethodDescription { request: Carried::Raw, ..NOTHING };
        let greeter = declared("greeter", &[NOTHING]);
        let cases = [
            (declared("other", &[NOTHING]), "their names"),
            (declared("greeter", &[NOTHING]).described(Some("users"), "", &[NOTHING]), "their rules"),
            (declared("greeter", &[RAW]), "method 501, `hello`"),
        ];
        for (other, what) in cases {
            let error = implement_too(&mut module(&greeter), &greeter, &other).unwrap_err();
            let place = "`Greeter` of package greeterd (greeter.rs:7)";
            let expected = format!("two modules of ID 5 differ in {what}: {place} and {place}\n  = help: ");
            assert!(error.starts_with(&expected), "{error}");
        }
        implement_too(&mut module(&greeter), &greeter, &greeter).unwrap();
    }
}
