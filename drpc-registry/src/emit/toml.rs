//! The TOML form.

use std::fmt::Write as _;

use crate::emit::{methods, modules, reserved};
use crate::registry::Registry;

pub(super) fn write(registry: &Registry) -> String {
    let mut tables = Vec::new();
    for module in modules(registry) {
        let mut table = format!("[[module]]\nid = {}\nname = {}\n", module.id, string(&module.name));
        table.push_str(&optional("doc", &module.doc));
        if !module.owners.is_empty() {
            let owners: Vec<_> = module.owners.iter().map(|owner| string(owner)).collect();
            table.push_str(&format!("owners = [{}]\n", owners.join(", ")));
        }
        if module.remote {
            table.push_str("remote = true\n");
        }
        tables.push(table);
        for method in methods(module) {
            let (number, name) = (method.number(), string(&method.name));
            let doc = optional("doc", &method.doc);
            tables.push(format!("[[module.method]]\nnumber = {number}\nname = {name}\n{doc}"));
        }
        for reserved in reserved(module) {
            let (number, reason) = (reserved.number(), string(&reserved.reason));
            tables.push(format!("[[module.reserved]]\nnumber = {number}\nreason = {reason}\n"));
        }
    }
    tables.join("\n")
}

fn optional(key: &str, value: &str) -> String {
    if value.is_empty() { String::new() } else { format!("{key} = {}\n", string(value)) }
}

/// A basic string.
fn string(value: &str) -> String {
    let mut quoted = String::from("\"");
    for c in value.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            // Writing to a String does not fail.
            c if c.is_control() => drop(write!(quoted, "\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
