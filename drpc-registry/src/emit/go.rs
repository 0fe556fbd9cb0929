//! Constants for Go.

use crate::emit::{methods, modules, one_line};
use crate::names;
use crate::registry::Registry;

pub(super) fn write(registry: &Registry, package: &str) -> String {
    let mut out = format!("// Code generated from the dRPC registry. DO NOT EDIT.\n\npackage {package}\n");
    let modules = modules(registry);
    let entries =
        modules.iter().map(|module| Constant::new(names::go_module(&module.name), module.id, &module.doc));
    out.push_str(&block("The IDs of the modules.", entries.collect()));
    for module in modules {
        let entries = methods(module).into_iter().map(|method| {
            Constant::new(names::go_method(&module.name, &method.name), method.id, &method.doc)
        });
        out.push_str(&block(
            &format!("The IDs of the methods of module {}.", module.name),
            entries.collect(),
        ));
    }
    out
}

struct Constant {
    name: String,
    value: String,
    comment: String,
}

impl Constant {
    fn new(name: String, id: i32, doc: &str) -> Self {
        Self { name, value: id.to_string(), comment: one_line(doc) }
    }
}

/// A block of constants. `gofmt` aligns all values of a block, but comments only over the lines that follow one another
/// and all have one.
fn block(comment: &str, constants: Vec<Constant>) -> String {
    if constants.is_empty() {
        return String::new();
    }
    let names = constants.iter().map(|constant| constant.name.len()).max().unwrap_or_default();
    let mut out = format!("\n// {comment}\nconst (\n");
    for run in constants.chunk_by(|a, b| a.comment.is_empty() == b.comment.is_empty()) {
        let values = run.iter().map(|constant| constant.value.len()).max().unwrap_or_default();
        for Constant { name, value, comment } in run {
            out.push_str(&if comment.is_empty() {
                format!("\t{name:names$} = {value}\n")
            } else {
                format!("\t{name:names$} = {value:values$} // {comment}\n")
            });
        }
    }
    out.push_str(")\n");
    out
}
