//! The modules of a cargo workspace, held against the registry.
//!
//! The attribute checks one package as it is built, if its build script names the registry. This sees all packages, so it also sees what
//! nobody implements; and it compiles nothing.

mod findings;
mod source;

use std::path::{Path, PathBuf};

use cargo_metadata::{MetadataCommand, TargetKind};
use drpc_registry::Registry;

pub(crate) use findings::{Finding, Severity};
pub(crate) use source::Unreadable;

/// What the workspace of a manifest and the registry have to say to each other. Only libraries and programs are looked at: modules of
/// tests, examples and benchmarks need no place in a registry.
pub(crate) fn check(
    registry: &Registry,
    manifest: Option<&Path>,
    exclude: &[String],
) -> Result<Workspace, WorkspaceError> {
    let mut command = MetadataCommand::new();
    command.no_deps();
    if let Some(manifest) = manifest {
        command.manifest_path(manifest);
    }
    let metadata = command.exec()?;
    let mut packages = Vec::new();
    let mut modules = Vec::new();
    let is_wanted = |name: &str| !exclude.iter().any(|excluded| excluded == name);
    for package in metadata.workspace_packages().into_iter().filter(|package| is_wanted(&package.name)) {
        packages.push(package.name.to_string());
        let targets = package.targets.iter().filter(|target| !target.kind.iter().any(is_for_development));
        let mut seen = Vec::new();
        for target in targets {
            source::modules_of(target.src_path.as_std_path(), &package.name, &mut seen, &mut modules)?;
        }
    }
    let findings = findings::compare(registry, &packages, &modules);
    Ok(Workspace { root: metadata.workspace_root.into_std_path_buf(), modules: modules.len(), findings })
}

/// What was found in a workspace.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// How many modules it has.
    pub(crate) modules: usize,
    pub(crate) findings: Vec<Finding>,
}

/// Why a workspace can't be checked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkspaceError {
    #[error("cargo does not say what the workspace consists of: {}", .0.to_string().trim_end())]
    Metadata(#[from] cargo_metadata::Error),
    #[error(transparent)]
    Source(#[from] Unreadable),
}

fn is_for_development(kind: &TargetKind) -> bool {
    matches!(kind, TargetKind::Bench | TargetKind::Example | TargetKind::Test | TargetKind::CustomBuild)
}
