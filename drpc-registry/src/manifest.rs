//! What a package calls the `drpc` crate.

use toml::de::{DeTable, DeValue};

/// The library's own name, and that of its package.
const LIBRARY: &str = "drpc";
const PACKAGE: &str = "drpc-uds";

/// What a package calls the `drpc` crate in its code: `drpc`, unless Cargo.toml gives it another name. Nothing if the package does not
/// depend on it, or if the text is no manifest.
///
/// ```
/// let name = drpc_registry::name_of_drpc("[dependencies]\nrpc = { package = \"drpc-uds\", version = \"0.1\" }");
/// assert_eq!(name.as_deref(), Some("rpc"));
/// ```
#[must_use]
pub fn name_of_drpc(manifest: &str) -> Option<String> {
    let manifest = DeTable::parse(manifest).ok()?;
    let manifest = manifest.get_ref();
    let targets = table(manifest, "target").into_iter().flat_map(|targets| targets.values());
    let owners = targets.filter_map(|target| target.get_ref().as_table()).chain([manifest]);
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    let dependencies = owners.flat_map(|owner| kinds.iter().filter_map(|kind| table(owner, kind))).flatten();
    let names = dependencies.filter_map(|(key, value)| name_in(key.get_ref(), value.get_ref()));
    // Where it has two names, its own will do.
    names.reduce(|one, other| if one == LIBRARY { one } else { other })
}

/// What the crate is called, if the dependency is on it.
fn name_in(key: &str, value: &DeValue<'_>) -> Option<String> {
    let package = value.as_table().and_then(|value| value.get("package")?.get_ref().as_str());
    match package {
        Some(PACKAGE) => Some(key.replace('-', "_")),
        Some(_) => None,
        // A workspace may say the package for all of its members.
        None => [LIBRARY, PACKAGE].contains(&key).then(|| LIBRARY.to_owned()),
    }
}

fn table<'t>(owner: &'t DeTable<'t>, key: &str) -> Option<&'t DeTable<'t>> {
    owner.get(key)?.get_ref().as_table()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crate_is_found_wherever_it_stands() {
        for (manifest, name) in [
            ("[dependencies]\ndrpc-uds = \"1\"", Some("drpc")),
            ("[dependencies]\ndrpc = { package = \"drpc-uds\", version = \"1\" }", Some("drpc")),
            ("[dependencies]\ndrpc.workspace = true", Some("drpc")),
            ("[dependencies]\nother = { package = \"else\", version = \"1\" }", None),
            ("[dependencies]\ndrpc = { package = \"else\", version = \"1\" }", None),
            ("[dependencies]\nrpc = { package = \"drpc-uds\", version = \"1\" }", Some("rpc")),
            ("[dependencies.my-rpc]\npackage = \"drpc-uds\"\npath = \"x\"", Some("my_rpc")),
            (
                "[target.'cfg(unix)'.dependencies]\nrpc = { package = \"drpc-uds\", version = \"1\" }",
                Some("rpc"),
            ),
            (
                "[dependencies]\ndrpc-uds = \"1\"\n[dev-dependencies]\nrpc = { package = \"drpc-uds\", version = \"1\" }",
                Some("drpc"),
            ),
            ("not a manifest", None),
        ] {
            assert_eq!(name_of_drpc(manifest).as_deref(), name, "{manifest}");
        }
    }
}
