//! The documentation of generated code: rustdoc has nothing to say of it, and each example in it is tested once.
//!
//! `//# doctests: 2` at a case's head says how many there are.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::editions::{cases_in, dependencies, source, write};
use super::tell;

#[test]
fn rustdoc_has_nothing_to_say_and_examples_run_once() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    for case in cases_in(&tests.join("ui/doc")) {
        tell(&format!("the documentation of {}", case.display()));
        let package = package(&case);
        cargo(&package, &["doc", "--no-deps"]);
        let examples =
            source(&case).lines().find_map(|line| line.strip_prefix("//# doctests: ").map(str::to_owned));
        let ran = format!("running {} test", examples.expect("says how many examples it has"));
        let said = cargo(&package, &["test", "--doc"]);
        assert!(said.contains(&ran), "{} should be {ran}s:\n{said}", case.display());
    }
}

/// A package with the case as its library.
fn package(case: &Path) -> PathBuf {
    let name = case.file_stem().expect("a file").display().to_string();
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docs").join(&name);
    fs::create_dir_all(&package).expect("a folder for the package");
    let (path, dependencies) = (case.display(), dependencies("drpc"));
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[lib]\npath = \"{path}\"\n\n{dependencies}\n[workspace]\n"
    );
    write(&package.join("Cargo.toml"), &manifest);
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock"), package.join("Cargo.lock"))
        .expect("the versions that are tested");
    package
}

/// What cargo says, which is content.
fn cargo(package: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .arg("--offline")
        .current_dir(package)
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("docs/target"))
        .env("RUSTDOCFLAGS", "-D warnings")
        .env_remove("RUSTFLAGS")
        .env_remove("DRPC_BUILD_REGISTRY")
        .output()
        .expect("runs cargo");
    let said =
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    assert!(output.status.success(), "cargo {arguments:?} of {}:\n{said}", package.display());
    said
}
