//! Constants for Rust.

use crate::emit::{doc_text, methods, modules};
use crate::registry::Registry;

/// ```text
/// /// The greeter of the quick start.
/// pub mod greeter {
///     pub const ID: i32 = 5;
///     pub const NAME: &str = "greeter";
///     pub mod method {
///         pub const HELLO: i32 = 501;
///     }
/// }
/// ```
///
/// The constants must raise no lint in a crate that uses only some of them, whatever the docs say.
pub(super) fn write(registry: &Registry) -> String {
    let modules = modules(registry);
    let mut out = String::from("// Generated from the dRPC registry: change that instead.\n\n");

    out.push_str("/// The ID and the name of every module, in the order of the IDs.\n");
    out.push_str("#[allow(dead_code, unreachable_pub)]\npub const MODULES: &[(i32, &str)] = &[");
    let pairs: Vec<_> =
        modules.iter().map(|module| format!("({}, \"{}\")", module.id, module.name)).collect();
    out.push_str(&pairs.join(", "));
    out.push_str("];\n");

    for module in modules {
        let name = &module.name;
        out.push('\n');
        out.push_str(&doc("", &module.doc, || format!("Module `{name}`.")));
        out.push_str("#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic, rustdoc::all)]\n");
        out.push_str(&format!("pub mod {} {{\n", identifier(name)));
        out.push_str(&format!("    /// The module ID.\n    pub const ID: i32 = {};\n\n", module.id));
        out.push_str(&format!(
            "    /// The name in the registry.\n    pub const NAME: &str = \"{name}\";\n\n"
        ));
        out.push_str("    /// The global IDs of the methods.\n    pub mod method {");
        for method in methods(module) {
            out.push('\n');
            out.push_str(&doc("        ", &method.doc, || format!("Method `{}`.", method.name)));
            let name = method.name.to_uppercase();
            out.push_str(&format!("        pub const {name}: i32 = {};\n", method.id));
        }
        out.push_str(if module.methods.is_empty() { "}\n}\n" } else { "    }\n}\n" });
    }
    out
}

/// A doc comment, with a text in reserve so that no item goes without.
fn doc(indent: &str, text: &str, default: impl FnOnce() -> String) -> String {
    let text = if text.is_empty() { default() } else { text.to_owned() };
    let text = doc_text(&text);
    let lines = text.lines().map(|line| format!("{indent}/// {line}"));
    lines.map(|line| format!("{}\n", line.trim_end())).collect()
}

/// A module's name, raw if it is a keyword.
fn identifier(name: &str) -> String {
    if KEYWORDS.contains(&name) { format!("r#{name}") } else { name.to_owned() }
}

/// The keywords that a name can be, in any edition; `self`, `super` and `crate` are no names.
const KEYWORDS: [&str; 48] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro",
    "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "static", "struct", "trait",
    "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];
