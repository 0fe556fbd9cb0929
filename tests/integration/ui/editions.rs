//! Every case in every edition: a mistake is one error, and what is right compiles without a word, under the strictest lints, and runs.
//!
//! The cases are the targets of one generated workspace, a package for each folder and edition, so that one run of cargo has them all
//! and what they depend on is built once. A case without a `main` is a library. `//# errors: 2` at its head says how many mistakes are
//! in it, where that is not one.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::tell;

const EDITIONS: [&str; 2] = ["2021", "2024"];

/// A folder of cases.
struct Folder {
    path: &'static str,
    is_valid: bool,
    registry: Option<&'static str>,
    /// What the cases call the crate in Cargo.toml.
    krate: &'static str,
}

const FOLDERS: [Folder; 7] = [
    Folder { path: "pass", is_valid: true, registry: None, krate: "drpc" },
    Folder { path: "fail", is_valid: false, registry: None, krate: "drpc" },
    Folder { path: "registry/pass", is_valid: true, registry: Some("registry.toml"), krate: "drpc" },
    Folder { path: "registry/fail", is_valid: false, registry: Some("registry.toml"), krate: "drpc" },
    Folder { path: "broken_registry", is_valid: false, registry: Some("broken.toml"), krate: "drpc" },
    Folder { path: "renamed/pass", is_valid: true, registry: None, krate: "rpc" },
    Folder { path: "renamed/fail", is_valid: false, registry: None, krate: "rpc" },
];

/// What valid cases are compiled under. They are short, and do less than their signatures say.
const LINTS: &str = r#"
[lints.rust]
warnings = { level = "deny", priority = -2 }
missing_docs = "deny"

[lints.clippy]
pedantic = { level = "deny", priority = -1 }
"#;

#[test]
fn a_mistake_is_one_error() {
    let compiled = compile("check", false);
    let wrong: Vec<_> = compiled.iter().filter(|case| case.errors.len() != case.mistakes()).collect();
    let said: String = wrong.iter().map(|case| case.report()).collect();
    assert!(wrong.is_empty(), "{} of {} have another number of errors:\n{said}", wrong.len(), compiled.len());
}

#[test]
fn valid_code_compiles_without_a_warning() {
    let compiled = compile("clippy", true);
    let wrong: Vec<_> = compiled.iter().filter(|case| !case.is_clean()).collect();
    let said: String = wrong.iter().map(|case| case.report()).collect();
    assert!(wrong.is_empty(), "{} of {} do not compile as they are:\n{said}", wrong.len(), compiled.len());
}

#[test]
fn valid_code_runs() {
    let workspace = Workspace::new(true);
    tell("and runs the cases that compile");
    let messages = workspace.cargo("build");
    let programs: Vec<_> =
        messages.filter_map(|message| Some(message["executable"].as_str()?.to_owned())).collect();
    assert!(!programs.is_empty(), "nothing was built:\n{}", workspace.said());
    for program in programs {
        let output = Command::new(&program).output().expect("was just built");
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Compiles the cases that are valid, or those that are not.
fn compile(command: &str, valid: bool) -> Vec<Compiled> {
    let workspace = Workspace::new(valid);
    let count = workspace.cases.len();
    let what = if valid { "that compile" } else { "with a mistake" };
    tell(&format!("{count} cases {what}, half of them for each edition: a minute or so"));
    let mut compiled = workspace.cases.clone();
    let mut seen = 0;
    for message in workspace.cargo(command) {
        let target = (text(&message["manifest_path"]), text(&message["target"]["src_path"]));
        let Some(case) = compiled.get_mut(&target) else { continue };
        let was_seen = case.was_seen();
        let said = text(&message["message"]["rendered"]);
        match message["message"]["level"].as_str() {
            None => case.has_ended = message["reason"] == "compiler-artifact",
            Some("error") if !is_summary(&message) => case.errors.push(said),
            Some("warning") if !is_summary(&message) => case.warnings.push(said),
            Some(_) => {}
        }
        if case.was_seen() && !was_seen {
            seen += 1;
            if seen % 50 == 0 {
                tell(&format!("{seen} of {count} cases {what}"));
            }
        }
    }
    assert!(seen > 0, "no case was compiled:\n{}", workspace.said());
    compiled.into_values().collect()
}

/// Whether a message only counts the others.
fn is_summary(message: &Value) -> bool {
    let said = text(&message["message"]["message"]);
    said.starts_with("aborting due to")
        || said.contains("warning emitted")
        || said.contains("warnings emitted")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A case in an edition, and what the compiler said of it.
#[derive(Clone)]
struct Compiled {
    path: PathBuf,
    edition: &'static str,
    errors: Vec<String>,
    warnings: Vec<String>,
    has_ended: bool,
}

impl Compiled {
    /// How many mistakes are in it.
    fn mistakes(&self) -> usize {
        let source = source(&self.path);
        let count = source.lines().find_map(|line| line.strip_prefix("//# errors: "));
        count.map_or(1, |count| count.parse().expect("a number"))
    }

    /// Whether the compiler had it.
    fn was_seen(&self) -> bool {
        self.has_ended || !self.errors.is_empty()
    }

    fn is_clean(&self) -> bool {
        self.has_ended && self.errors.is_empty() && self.warnings.is_empty()
    }

    fn report(&self) -> String {
        let Compiled { path, edition, errors, warnings, .. } = self;
        let said = [errors.concat(), warnings.concat()].concat();
        format!("== {}, edition {edition}: {} errors\n{said}\n", path.display(), errors.len())
    }
}

pub(super) fn source(case: &Path) -> String {
    fs::read_to_string(case).unwrap_or_else(|error| panic!("{}: {error}", case.display()))
}

/// The generated workspace.
struct Workspace {
    root: PathBuf,
    /// By their package's manifest and their own path, as cargo names them.
    cases: BTreeMap<(String, String), Compiled>,
}

impl Workspace {
    /// Of the cases that are valid, or of those that are not.
    fn new(valid: bool) -> Self {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let root = target.join(if valid { "valid" } else { "mistakes" });
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut cases = BTreeMap::new();
        let mut members = Vec::new();
        let folders = FOLDERS.iter().filter(|folder| folder.is_valid == valid);
        let packages = folders.flat_map(|folder| EDITIONS.map(|edition| (folder, edition)));
        for (folder, edition) in packages {
            let name = format!("{}-{edition}", folder.path.replace('/', "-"));
            let package = root.join(&name);
            fs::create_dir_all(&package).expect("a folder for the package");
            let paths = cases_in(&tests.join("ui").join(folder.path));
            write(&package.join("Cargo.toml"), &manifest(&name, folder, edition, &paths));
            if let Some(registry) = folder.registry {
                write(&package.join("build.rs"), &build_script(&tests.join("ui").join(registry)));
            }
            for path in paths {
                let key = (package.join("Cargo.toml").display().to_string(), path.display().to_string());
                let (errors, warnings) = (Vec::new(), Vec::new());
                cases.insert(key, Compiled { path, edition, errors, warnings, has_ended: false });
            }
            members.push(name);
        }
        // What the cases ask for is whether they compile.
        let workspace =
            format!("[workspace]\nresolver = \"3\"\nmembers = {members:?}\n\n[profile.dev]\ndebug = false\n");
        write(&root.join("Cargo.toml"), &workspace);
        fs::copy(tests.join("../Cargo.lock"), root.join("Cargo.lock")).expect("the versions that are tested");
        Workspace { root, cases }
    }

    /// Runs cargo for all cases, and gives its messages.
    fn cargo(&self, command: &str) -> impl Iterator<Item = Value> {
        let stderr = File::create(self.root.join(STDERR)).expect("a file for what cargo says");
        let mut child = Command::new(env!("CARGO"))
            .args([command, "--bins", "--examples", "--offline", "--keep-going", "--message-format=json"])
            .arg("--workspace")
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", self.root.with_file_name("editions"))
            // As users have it; the compiler says some mistakes twice that are one without.
            .env("CARGO_INCREMENTAL", "1")
            .env_remove("RUSTFLAGS")
            .env_remove("DRPC_BUILD_REGISTRY")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("runs cargo");
        let lines = BufReader::new(child.stdout.take().expect("is piped")).lines();
        let messages = lines.map(|line| {
            serde_json::from_str(&line.expect("a line of cargo's")).expect("a message of cargo's")
        });
        // What became of the cases, the messages say.
        messages.chain(std::iter::from_fn(move || {
            child.wait().expect("cargo ends");
            None
        }))
    }

    /// What cargo said of itself.
    fn said(&self) -> String {
        fs::read_to_string(self.root.join(STDERR)).unwrap_or_default()
    }
}

/// Where cargo's standard error goes, in the workspace.
const STDERR: &str = "cargo.stderr";

/// The cases in a folder, and none of what is expected of them.
pub(super) fn cases_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut cases: Vec<_> = paths.filter(|path| path.extension().is_some_and(|is| is == "rs")).collect();
    cases.sort();
    assert!(!cases.is_empty(), "{} has no cases", folder.display());
    cases
}

/// What the cases depend on, with `drpc` by this name.
pub(super) fn dependencies(krate: &str) -> String {
    let tests = env!("CARGO_MANIFEST_DIR");
    let mut dependencies = format!(
        "[dependencies]\n{krate} = {{ package = \"drpc-uds\", path = \"{tests}/../drpc\" }}\ndrpc-tests = {{ path = \"{tests}\" }}\n"
    );
    // Those of the copied Cargo.lock, so that all of them are there.
    let lock = source(&Path::new(tests).join("../Cargo.lock"));
    for dependency in ["anyhow", "bytes", "eyre", "prost", "thiserror", "tokio", "tracing"] {
        dependencies += &format!("{dependency} = \"={}\"\n", locked(&lock, dependency));
    }
    let futures = locked(&lock, "futures-util");
    dependencies += &format!("futures-util = {{ version = \"={futures}\", default-features = false }}\n");
    dependencies
}

/// The version of a package in a Cargo.lock; of several, the newest, which is last.
fn locked<'a>(lock: &'a str, package: &str) -> &'a str {
    let (_, entry) = lock
        .rsplit_once(&format!("name = \"{package}\"\nversion = \""))
        .unwrap_or_else(|| panic!("{package} is not in Cargo.lock"));
    entry.split('"').next().expect("a version")
}

fn manifest(name: &str, folder: &Folder, edition: &str, cases: &[PathBuf]) -> String {
    let mut manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"{edition}\"\n\n{}",
        dependencies(folder.krate)
    );
    for case in cases {
        let name = case.file_stem().expect("a file").display();
        let kind = if source(case).contains("fn main()") { "bin" } else { "example" };
        manifest += &format!("\n[[{kind}]]\nname = \"{name}\"\npath = \"{}\"\n", case.display());
        if kind == "example" {
            manifest += "crate-type = [\"lib\"]\n";
        }
    }
    if folder.is_valid {
        manifest += LINTS;
    }
    manifest
}

/// What `drpc_build` does, for the package that the registry knows.
fn build_script(registry: &Path) -> String {
    let registry = registry.display();
    format!(
        "//! Names the registry.\nfn main() {{\n    println!(\"cargo::rustc-env=DRPC_BUILD_REGISTRY={registry}\");\n    \
         println!(\"cargo::rustc-env=CARGO_PKG_NAME=drpc-tests-tests\");\n}}\n"
    )
}

/// Writes a file, unless it is as it should be, for cargo to see no change.
pub(super) fn write(path: &Path, content: &str) {
    if fs::read_to_string(path).is_ok_and(|present| present == content) {
        return;
    }
    fs::write(path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
