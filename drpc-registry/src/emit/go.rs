//! Constants for Go.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use crate::emit::{methods, modules, one_line};
use crate::names;
use crate::registry::Registry;

/// The name of a Go package.
///
/// ```
/// use drpc_registry::GoPackage;
///
/// assert!("drpc_ids".parse::<GoPackage>().is_ok());
/// let error = "my pkg".parse::<GoPackage>().unwrap_err();
/// assert_eq!(error.to_string(), "`my pkg` can't be the name of a Go package: write letters, digits and underscores");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoPackage(String);

impl FromStr for GoPackage {
    type Err = InvalidGoPackage;

    fn from_str(name: &str) -> Result<Self, InvalidGoPackage> {
        let begins_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let is_word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if begins_well && is_word && name != "_" && !KEYWORDS.contains(&name) {
            Ok(GoPackage(name.to_owned()))
        } else {
            Err(InvalidGoPackage(name.to_owned()))
        }
    }
}

impl fmt::Display for GoPackage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that can't be the name of a [`GoPackage`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidGoPackage(String);

impl fmt::Display for InvalidGoPackage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.escape_debug();
        let help = match KEYWORDS.contains(&self.0.as_str()) {
            true => "it is a keyword",
            false => "write letters, digits and underscores",
        };
        write!(f, "`{name}` can't be the name of a Go package: {help}")
    }
}

impl Error for InvalidGoPackage {}

pub(super) fn write(registry: &Registry, package: &GoPackage) -> String {
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

const KEYWORDS: [&str; 25] = [
    "break",
    "case",
    "chan",
    "const",
    "continue",
    "default",
    "defer",
    "else",
    "fallthrough",
    "for",
    "func",
    "go",
    "goto",
    "if",
    "import",
    "interface",
    "map",
    "package",
    "range",
    "return",
    "select",
    "struct",
    "switch",
    "type",
    "var",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_has_a_name_that_go_takes() {
        for good in ["drpc", "_ids", "v2", "main"] {
            assert_eq!(good.parse(), Ok(GoPackage(good.to_owned())));
        }
        for bad in ["", "_", "my pkg", "2v", "my-pkg", "a.b", "type", "drpc\nfunc"] {
            assert!(bad.parse::<GoPackage>().is_err(), "{bad}");
        }
    }
}
