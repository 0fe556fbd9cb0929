//! What a package calls the `drpc` crate.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

/// The library's own name, and that of its package.
const LIBRARY: &str = "drpc";
const PACKAGE: &str = "drpc-uds";

/// The manifests that say what a package depends on: its own, and its workspace's if it may inherit the `drpc` crate from it.
#[derive(Clone, Debug)]
pub struct Manifests {
    package: Manifest,
    /// If it names the crate.
    workspace: Option<Manifest>,
}

#[derive(Clone, Debug)]
struct Manifest {
    path: PathBuf,
    text: String,
}

impl Manifests {
    /// Reads those of the package in a folder. Its workspace's is the nearest that has `[workspace.dependencies]`.
    ///
    /// # Errors
    ///
    /// If the folder has no Cargo.toml that can be read.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let package = Manifest::read(folder)?;
        let workspace =
            package.inherits().then(|| folder.ancestors().find_map(Manifest::of_workspace)).flatten();
        let workspace = workspace.filter(|workspace| workspace.text.contains(PACKAGE));
        Ok(Manifests { package, workspace })
    }

    /// Where they stand.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        [Some(&self.package), self.workspace.as_ref()].into_iter().flatten().map(|manifest| &*manifest.path)
    }

    /// The text of the package's own.
    #[must_use]
    pub fn of_package(&self) -> &str {
        &self.package.text
    }

    /// What the package calls the `drpc` crate in its code, as [`name_of_drpc`] says it.
    #[must_use]
    pub fn name_of_drpc(&self) -> Option<String> {
        name_among(&self.package.text, self.workspace.as_ref().map(|workspace| &*workspace.text))
    }
}

impl Manifest {
    fn read(folder: &Path) -> io::Result<Self> {
        let path = folder.join("Cargo.toml");
        Ok(Manifest { text: fs::read_to_string(&path)?, path })
    }

    /// Whether there are dependencies that the workspace says.
    fn inherits(&self) -> bool {
        DeTable::parse(&self.text).is_ok_and(|manifest| {
            let mut all = KINDS.into_iter().flat_map(|kind| dependencies(manifest.get_ref(), kind));
            all.any(|(_, value)| is_inherited(value))
        })
    }

    /// The manifest in a folder, if it has dependencies to inherit.
    fn of_workspace(folder: &Path) -> Option<Self> {
        let manifest = Manifest::read(folder).ok()?;
        let has_dependencies =
            DeTable::parse(&manifest.text).is_ok_and(|manifest| inheritable(manifest.get_ref()).is_some());
        has_dependencies.then_some(manifest)
    }
}

/// What a package calls the `drpc` crate in its code: `drpc`, unless Cargo.toml gives it another name. Nothing if the package does not
/// depend on it, or if the text is no manifest. What a workspace says of its members' dependencies, [`Manifests`] knows.
///
/// ```
/// let name = drpc_registry::name_of_drpc("[dependencies]\nrpc = { package = \"drpc-uds\", version = \"0.1\" }");
/// assert_eq!(name.as_deref(), Some("rpc"));
/// ```
#[must_use]
pub fn name_of_drpc(manifest: &str) -> Option<String> {
    name_among(manifest, None)
}

/// The same, of a package that may inherit dependencies of a workspace.
fn name_among(manifest: &str, workspace: Option<&str>) -> Option<String> {
    let workspace = workspace.and_then(|workspace| DeTable::parse(workspace).ok());
    let inheritable = workspace.as_ref().and_then(|workspace| inheritable(workspace.get_ref()));
    let manifest = DeTable::parse(manifest).ok()?;
    // The library knows the first kind alone, so a name that tests have beside its own is none.
    KINDS.into_iter().find_map(|kind| {
        let names = dependencies(manifest.get_ref(), kind).filter_map(|(key, value)| {
            let inherited = inheritable.filter(|_| is_inherited(value)).and_then(|all| all.get(key));
            name_in(key, inherited.map_or(value, |inherited| inherited.get_ref()))
        });
        // Where it has two names, its own will do.
        names.reduce(|one, other| if one == LIBRARY { one } else { other })
    })
}

/// Where a manifest names what a package depends on.
const KINDS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// Every dependency of a kind: its key, and what is said of it.
fn dependencies<'t>(
    manifest: &'t DeTable<'t>,
    kind: &'static str,
) -> impl Iterator<Item = (&'t str, &'t DeValue<'t>)> {
    let targets = table(manifest, "target").into_iter().flat_map(|targets| targets.values());
    let owners = targets.filter_map(|target| target.get_ref().as_table()).chain([manifest]);
    let tables = owners.filter_map(move |owner| table(owner, kind));
    tables.flatten().map(|(key, value)| (&**key.get_ref(), value.get_ref()))
}

/// What the crate is called, if the dependency is on it.
fn name_in(key: &str, value: &DeValue<'_>) -> Option<String> {
    let package = value.as_table().and_then(|value| value.get("package")?.get_ref().as_str());
    match package {
        Some(PACKAGE) => Some(key.replace('-', "_")),
        Some(_) => None,
        None => [LIBRARY, PACKAGE].contains(&key).then(|| LIBRARY.to_owned()),
    }
}

/// Whether a dependency is said by the workspace: `rpc.workspace = true`.
fn is_inherited(value: &DeValue<'_>) -> bool {
    value.as_table().and_then(|value| value.get("workspace")?.get_ref().as_bool()) == Some(true)
}

/// The dependencies that a workspace's members may inherit.
fn inheritable<'t>(manifest: &'t DeTable<'t>) -> Option<&'t DeTable<'t>> {
    table(table(manifest, "workspace")?, "dependencies")
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
            (
                "[dependencies]\nrpc = { package = \"drpc-uds\", version = \"1\" }\n[dev-dependencies]\ndrpc-uds = \"1\"",
                Some("rpc"),
            ),
            (
                "[target.'cfg(unix)'.dependencies]\nrpc = { package = \"drpc-uds\", version = \"1\" }\n[build-dependencies]\ndrpc-uds = \"1\"",
                Some("rpc"),
            ),
            ("[build-dependencies]\nrpc = { package = \"drpc-uds\", version = \"1\" }", Some("rpc")),
            ("not a manifest", None),
        ] {
            assert_eq!(name_of_drpc(manifest).as_deref(), name, "{manifest}");
        }
    }

    #[test]
    fn what_a_workspace_says_is_inherited() {
        let workspace = "[workspace.dependencies]\nmy-rpc = { package = \"drpc-uds\", version = \"1\" }\nother = \"1\"\ndrpc-uds = \"1\"";
        for (manifest, name) in [
            ("[dependencies]\nmy-rpc.workspace = true", Some("my_rpc")),
            ("[build-dependencies]\nmy-rpc = { workspace = true, features = [] }", Some("my_rpc")),
            ("[dependencies]\nmy-rpc = \"1\"", None),
            ("[dependencies]\nother.workspace = true", None),
            ("[dependencies]\ndrpc-uds.workspace = true", Some("drpc")),
            ("[dependencies]\ndrpc.workspace = true", Some("drpc")),
        ] {
            assert_eq!(name_among(manifest, Some(workspace)).as_deref(), name, "{manifest}");
        }
    }
}
