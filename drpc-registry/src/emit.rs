//! The registry as text in other forms. Everything is written in the order of the IDs, whatever order the file has.

mod c_header;
mod go;
mod markdown;
mod python;
mod rust;
mod toml;

pub use self::go::{GoPackage, InvalidGoPackage};
use crate::registry::{MethodEntry, ModuleEntry, Registry, ReservedEntry};

/// # The registry in other forms
///
/// All are written in the order of the IDs.
impl Registry {
    /// The registry as TOML, without the comments of its file.
    ///
    /// ```
    /// # use drpc_registry::Registry;
    /// let header = "enum drpc_module { DRPC_MODULE_TEST = 0, NUM_DRPC_MODULES };";
    /// let toml = Registry::parse("modules.h", header)?.to_toml();
    /// assert_eq!(toml, "[[module]]\nid = 0\nname = \"test\"\n");
    /// # Ok::<(), drpc_registry::RegistryError>(())
    /// ```
    pub fn to_toml(&self) -> String {
        toml::write(self)
    }

    /// The registry as a C header, the form that DAOS keeps (M). It has no place for owners, nor for `remote`.
    pub fn to_c_header(&self) -> String {
        c_header::write(self)
    }

    /// The registry as the constants of a Go package, laid out as `gofmt` would.
    ///
    /// ```
    /// # use drpc_registry::Registry;
    /// let registry = Registry::parse("modules.toml", "[[module]]\nid = 5\nname = \"greeter\"")?;
    /// assert!(registry.to_go(&"modules".parse()?).contains("ModuleGreeter = 5"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_go(&self, package: &GoPackage) -> String {
        go::write(self, package)
    }

    /// The registry as a Markdown table.
    pub fn to_markdown(&self) -> String {
        markdown::write(self)
    }

    /// The registry as a Python module of enums, of Python 3.4 and later.
    ///
    /// ```
    /// # use drpc_registry::Registry;
    /// let registry = Registry::parse("modules.toml", "[[module]]\nid = 5\nname = \"greeter\"")?;
    /// assert!(registry.to_python().contains("class Module(IntEnum):"));
    /// # Ok::<(), drpc_registry::RegistryError>(())
    /// ```
    pub fn to_python(&self) -> String {
        python::write(self)
    }

    /// The registry as Rust constants, to be included in a module of its own.
    pub fn to_rust(&self) -> String {
        rust::write(self)
    }
}

fn modules(registry: &Registry) -> Vec<&ModuleEntry> {
    let mut modules: Vec<_> = registry.modules().iter().collect();
    modules.sort_by_key(|module| module.id);
    modules
}

fn methods(module: &ModuleEntry) -> Vec<&MethodEntry> {
    let mut methods: Vec<_> = module.methods.iter().collect();
    methods.sort_by_key(|method| method.id);
    methods
}

fn reserved(module: &ModuleEntry) -> Vec<&ReservedEntry> {
    let mut reserved: Vec<_> = module.reserved.iter().collect();
    reserved.sort_by_key(|reserved| reserved.id);
    reserved
}

/// A text of somebody else as the text of a Rust doc comment: what Markdown takes for code stands in a block of plain text,
/// so that nothing in it becomes a doctest, and what disturbs a comment is left out.
///
/// ```
/// assert_eq!(drpc_registry::doc_text("Greets:\n\n    greet()"), "Greets:\n\n```text\n    greet()\n```");
/// assert_eq!(drpc_registry::doc_text("Greets a *person*."), "Greets a *person*.");
/// ```
pub fn doc_text(text: &str) -> String {
    let lines: Vec<String> = text
        .lines()
        .map(|line| line.replace('\t', "    ").replace(is_disturbing, " ").trim_end().to_owned())
        .collect();
    let Some(code) = lines.iter().position(|line| may_be_code(line)) else { return lines.join("\n") };
    let ticks =
        lines.iter().flat_map(|line| line.split(|c| c != '`')).map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(ticks.max(2) + 1);
    let (before, block) = lines.split_at(code);
    let opening = format!("{fence}text");
    let parts = before.iter().map(String::as_str).chain([opening.as_str()]);
    parts.chain(block.iter().map(String::as_str)).chain([fence.as_str()]).collect::<Vec<_>>().join("\n")
}

/// Whether Markdown may take the line, or what follows it, for code: it is indented, also behind the mark of a list or a
/// quotation, or has a fence.
fn may_be_code(line: &str) -> bool {
    let marks = &line[..line.find(char::is_alphabetic).unwrap_or(line.len())];
    marks.contains("    ") || line.contains("```") || line.contains("~~~")
}

/// A doc text in one line, with nothing in it that can end or disturb a comment.
fn one_line(text: &str) -> String {
    let visible = text.replace(is_disturbing, " ");
    let words: Vec<_> = visible.split_whitespace().collect();
    words.join(" ").replace("*/", "* /").replace("/*", "/ *")
}

/// Control characters, those that reorder the text around them, other ends of lines, and the byte-order mark, which Go refuses.
fn is_disturbing(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
        || matches!(c, '\u{061c}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_in_a_doc_is_plain_text() {
        for (text, doc) in [
            ("", ""),
            ("a\n b\n  - c", "a\n b\n  - c"),
            ("\ta", "```text\n    a\n```"),
            ("-     a", "```text\n-     a\n```"),
            ("> 1.     a", "```text\n> 1.     a\n```"),
            ("a\n```rust\nb\n```\nc", "a\n````text\n```rust\nb\n```\nc\n````"),
            ("a\n~~~\nb", "a\n```text\n~~~\nb\n```"),
            ("a\n\n    `` ` b", "a\n\n```text\n    `` ` b\n```"),
            ("a\r\nb\rc\u{202e}", "a\nb c"),
            ("a\u{feff}b\u{2028}c\u{2029}", "a b c"),
        ] {
            assert_eq!(doc_text(text), doc, "{text:?}");
        }
    }
}
