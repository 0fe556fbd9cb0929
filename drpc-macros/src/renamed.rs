//! What a package calls the `drpc` crate, where Cargo.toml gives it another name.

use std::fs;
use std::path::Path;

use proc_macro2::{Ident, Span, TokenStream};
use syn::parse_quote;
use toml::de::{DeTable, DeValue};

use crate::mistake::mistake;

/// The crate's own name.
const NAME: &str = "drpc";

/// The other name; nothing if there is none, or it can't be known.
pub(crate) fn renamed() -> Option<String> {
    let folder = std::env::var_os("CARGO_MANIFEST_DIR")?;
    let manifest = fs::read_to_string(Path::new(&folder).join("Cargo.toml")).ok()?;
    // Most manifests that rename anything do not rename this.
    if manifest.contains("package") { other_name(&manifest) } else { None }
}

fn other_name(manifest: &str) -> Option<String> {
    let manifest = DeTable::parse(manifest).ok()?;
    let manifest = manifest.get_ref();
    let targets = table(manifest, "target").into_iter().flat_map(|targets| targets.values());
    let owners = targets.filter_map(|target| target.get_ref().as_table()).chain([manifest]);
    let mut other = None;
    for owner in owners {
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (key, value) in table(owner, kind).into_iter().flatten() {
                let package = match value.get_ref() {
                    DeValue::Table(value) => {
                        value.get("package").and_then(|package| package.get_ref().as_str())
                    }
                    _ => None,
                };
                let key: &str = key.get_ref();
                match package {
                    None if key == NAME => return None,
                    Some(package) if package == NAME && key == NAME => return None,
                    Some(package) if package == NAME => other = Some(key.replace('-', "_")),
                    _ => {}
                }
            }
        }
    }
    other
}

fn table<'t>(owner: &'t DeTable<'t>, key: &str) -> Option<&'t DeTable<'t>> {
    owner.get(key)?.get_ref().as_table()
}

/// That the name is not said.
pub(crate) fn mistake_of(name: &str, help: &str) -> syn::Error {
    let what = format!("Cargo.toml calls the crate `{NAME}` `{name}`, which the generated code must be told");
    mistake(TokenStream::new(), what, format_args!("write `{help}`"))
}

/// The crate by that name.
pub(crate) fn path(name: &str) -> syn::Path {
    let name = Ident::new(name, Span::call_site());
    parse_quote!(::#name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renamed_dependency_is_found_wherever_it_stands() {
        for (manifest, name) in [
            ("[dependencies]\ndrpc = \"1\"", None),
            ("[dependencies]\nother = { package = \"else\", version = \"1\" }", None),
            ("[dependencies]\nrpc = { package = \"drpc\", version = \"1\" }", Some("rpc")),
            ("[dependencies.my-rpc]\npackage = \"drpc\"\npath = \"x\"", Some("my_rpc")),
            ("[target.'cfg(unix)'.dependencies]\nrpc = { package = \"drpc\", version = \"1\" }", Some("rpc")),
            (
                "[dependencies]\ndrpc = \"1\"\n[dev-dependencies]\nrpc = { package = \"drpc\", version = \"1\" }",
                None,
            ),
            ("not a manifest", None),
        ] {
            assert_eq!(other_name(manifest).as_deref(), name, "{manifest}");
        }
    }
}
