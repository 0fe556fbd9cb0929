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
        self.name_of_drpc_with(|_| true)
    }

    /// The same in a build that has these features: nothing if the dependency is optional, and none of them brings it along.
    #[must_use]
    pub fn name_of_drpc_with(&self, has_feature: impl Fn(&str) -> bool) -> Option<String> {
        let workspace = self.workspace.as_ref().map(|workspace| &*workspace.text);
        name_among(&self.package.text, workspace, has_feature)
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
    name_among(manifest, None, |_| true)
}

/// The same, of a package that may inherit dependencies of a workspace.
fn name_among(manifest: &str, workspace: Option<&str>, has_feature: impl Fn(&str) -> bool) -> Option<String> {
    let workspace = workspace.and_then(|workspace| DeTable::parse(workspace).ok());
    let inheritable = workspace.as_ref().and_then(|workspace| inheritable(workspace.get_ref()));
    let manifest = DeTable::parse(manifest).ok()?;
    // The library knows the first kind alone, so a name that tests have beside its own is none.
    let name = KINDS.into_iter().find_map(|kind| {
        let names = dependencies(manifest.get_ref(), kind).filter_map(|(key, value)| {
            let inherited = inheritable.filter(|_| is_inherited(value)).and_then(|all| all.get(key));
            let name = name_in(key, inherited.map_or(value, |inherited| inherited.get_ref()))?;
            Some((name, !is_optional(value) || is_brought(manifest.get_ref(), key, &has_feature)))
        });
        // Where it has two names, its own will do.
        names.reduce(|one, other| if one.0 == LIBRARY { one } else { other })
    });
    name.filter(|(_, is_there)| *is_there).map(|(name, _)| name)
}

/// Whether a dependency is there only where a feature brings it along.
fn is_optional(value: &DeValue<'_>) -> bool {
    value.as_table().and_then(|value| value.get("optional")?.get_ref().as_bool()) == Some(true)
}

/// Whether one of a build's features brings an optional dependency along: that of its own name, or one that lists it.
fn is_brought(manifest: &DeTable<'_>, key: &str, has_feature: impl Fn(&str) -> bool) -> bool {
    let lists_it = |listed: &str| {
        listed == key
            || listed.strip_prefix("dep:") == Some(key)
            || listed.strip_prefix(key).is_some_and(|rest| rest.starts_with('/'))
    };
    let features = table(manifest, "features").into_iter().flatten();
    let mut bringing = features.filter(|(_, lists)| {
        let lists = lists.get_ref().as_array();
        lists.is_some_and(|lists| lists.iter().any(|listed| listed.get_ref().as_str().is_some_and(lists_it)))
    });
    has_feature(key) || bringing.any(|(feature, _)| has_feature(feature.get_ref()))
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
    fn an_optional_crate_is_there_where_a_feature_brings_it_along() {
        let optional = "[dependencies]\nprost = \"1\"\ndrpc-uds = { version = \"1\", optional = true }\n";
        for (features, on) in [
            ("", "drpc-uds"),
            ("[features]\nserve = [\"dep:drpc-uds\"]", "serve"),
            ("[features]\nserve = [\"other\", \"drpc-uds/contract\"]", "serve"),
        ] {
            let manifest = format!("{optional}{features}");
            let name = |on: &str| name_among(&manifest, None, |feature| feature == on);
            assert_eq!(name(on).as_deref(), Some("drpc"), "{features}");
            assert_eq!(name("other"), None, "{features}");
        }
        let weak = format!("{optional}[features]\nserve = [\"drpc-uds?/contract\"]");
        assert_eq!(name_among(&weak, None, |feature| feature == "serve"), None);
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
            assert_eq!(name_among(manifest, Some(workspace), |_| true).as_deref(), name, "{manifest}");
        }
    }
}
