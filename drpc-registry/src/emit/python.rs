//! Constants for Python.

use crate::emit::{methods, modules, one_line};
use crate::names;
use crate::registry::Registry;

/// ```text
/// class Module(IntEnum):
///     """The IDs of the modules."""
///
///     GREETER = 5  # The greeter of the quick start.
///
///
/// class GreeterMethod(IntEnum):
///     """The IDs of the methods of module greeter."""
///
///     HELLO = 501  # Greets a person by name.
/// ```
pub(super) fn write(registry: &Registry) -> String {
    let mut out = String::from(
        "# Generated from the dRPC registry: change that instead.\n\nfrom enum import IntEnum\n",
    );
    let modules = modules(registry);
    let entries: Vec<_> =
        modules.iter().map(|module| (module.name.as_str(), module.id, module.doc.as_str())).collect();
    out.push_str(&class("Module", "The IDs of the modules.", &entries));
    for module in modules {
        let entries: Vec<_> = methods(module)
            .into_iter()
            .map(|method| (method.name.as_str(), method.id, method.doc.as_str()))
            .collect();
        let doc = format!("The IDs of the methods of module {}.", module.name);
        out.push_str(&class(&names::python_methods(&module.name), &doc, &entries));
    }
    out
}

/// A class of constants. (One without any is no mistake: its docstring is a body.)
fn class(name: &str, doc: &str, constants: &[(&str, i32, &str)]) -> String {
    let mut out = format!("\n\nclass {name}(IntEnum):\n    \"\"\"{doc}\"\"\"\n");
    if !constants.is_empty() {
        out.push('\n');
    }
    for (name, id, doc) in constants {
        let line = format!("    {} = {id}  # {}", name.to_uppercase(), one_line(doc));
        out.push_str(line.trim_end_matches("  # "));
        out.push('\n');
    }
    out
}
