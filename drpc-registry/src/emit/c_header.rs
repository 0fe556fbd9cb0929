//! The C header form (M).

use crate::emit::{methods, modules, one_line, reserved};
use crate::header_form::UNLISTED;
use crate::names;
use crate::registry::{Registry, ReservedEntry};

pub(super) fn write(registry: &Registry) -> String {
    let modules = modules(registry);
    let mut out = String::from(
        "/* The dRPC modules and their methods. */\n\n#ifndef DRPC_MODULES_H\n#define DRPC_MODULES_H\n",
    );
    let entries =
        modules.iter().map(|module| Line::entry(names::c_module(&module.name), module.id, &module.doc));
    out.push_str(&enumeration("drpc_module", entries.collect(), "NUM_DRPC_MODULES"));
    for module in modules {
        let methods = methods(module);
        let highest = methods.last().map_or(i32::MIN, |method| method.id);
        // What the reader takes for reserved by itself need not be said.
        let is_implied = |reserved: &&ReservedEntry| {
            reserved.number() > 0 && reserved.id < highest && reserved.reason == UNLISTED
        };
        let reserved = reserved(module).into_iter().filter(|reserved| !is_implied(reserved));
        let mut lines: Vec<_> = methods
            .into_iter()
            .map(|method| Line::entry(names::c_method(&module.name, &method.name), method.id, &method.doc))
            .chain(reserved.map(|reserved| Line::reserved(reserved.id, &reserved.reason)))
            .collect();
        lines.sort_by_key(|line| line.id);
        let count = format!("NUM_DRPC_{}_METHODS", module.name.to_uppercase());
        out.push_str(&enumeration(&format!("drpc_{}_method", module.name), lines, &count));
    }
    out.push_str("\n#endif /* DRPC_MODULES_H */\n");
    out
}

/// A line of an enumeration: an entry, or a comment that reserves its ID.
struct Line {
    id: i32,
    /// The enumerator, unless the ID is reserved.
    name: Option<String>,
    comment: String,
}

impl Line {
    fn entry(name: String, id: i32, doc: &str) -> Self {
        Self { id, name: Some(name), comment: one_line(doc) }
    }

    fn reserved(id: i32, reason: &str) -> Self {
        Self { id, name: None, comment: format!("reserved {id}: {}", one_line(reason)) }
    }
}

fn enumeration(tag: &str, lines: Vec<Line>, count: &str) -> String {
    let width = lines.iter().filter_map(|line| line.name.as_ref()).map(String::len).max().unwrap_or_default();
    let mut out = format!("\nenum {tag} {{\n");
    for Line { id, name, comment } in &lines {
        out.push_str(&match name {
            Some(name) if comment.is_empty() => format!("\t{name:width$} = {id},\n"),
            Some(name) => format!("\t{name:width$} = {id}, /* {comment} */\n"),
            None => format!("\t/* {comment} */\n"),
        });
    }
    if !lines.is_empty() {
        out.push('\n');
    }
    out.push_str(&format!("\t{count}\n}};\n"));
    out
}
