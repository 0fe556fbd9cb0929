//! The registry as text in other forms. Everything is written in the order of the IDs, whatever order the file has.

mod c_header;
mod go;
mod markdown;
mod rust;
mod toml;

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

    /// The registry as a C header, the form that DAOS keeps (M). It has no place for owners.
    pub fn to_c_header(&self) -> String {
        c_header::write(self)
    }

    /// The registry as the constants of a Go package, laid out as `gofmt` would.
    pub fn to_go(&self, package: &str) -> String {
        go::write(self, package)
    }

    /// The registry as a Markdown table.
    pub fn to_markdown(&self) -> String {
        markdown::write(self)
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

/// A doc text in one line, with nothing in it that can end or disturb a comment.
fn one_line(text: &str) -> String {
    let visible = text.replace(is_disturbing, " ");
    let words: Vec<_> = visible.split_whitespace().collect();
    words.join(" ").replace("*/", "* /").replace("/*", "/ *")
}

/// Control characters, and those that reorder the text around them.
fn is_disturbing(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
