//! What the compiler says of `#[drpc_module]` and `#[derive(Failure)]`: every mistake, with the error that it gives, and what must compile.
//!
//! Here is what the errors say. Each folder is compiled in an environment of its own, by this binary run anew. After a change that is
//! meant, `TRYBUILD=overwrite cargo test ui` writes the expected errors.

mod docs;
mod editions;

use std::env;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

#[test]
fn without_a_registry() {
    with_registry("ui::without_a_registry", None, "ui/fail/*.rs");
}

#[test]
fn with_a_registry() {
    with_registry("ui::with_a_registry", Some("ui/registry.toml"), "ui/registry/fail/*.rs");
}

#[test]
fn with_a_broken_registry() {
    with_registry("ui::with_a_broken_registry", Some("ui/broken.toml"), "ui/broken_registry/*.rs");
}

/// Compares errors in a process of its own, where the build scripts of a user would have left `DRPC_BUILD_REGISTRY` like this.
fn with_registry(test: &str, registry: Option<&str>, cases: &str) {
    const MARK: &str = "DRPC_UI_TEST";
    if env::var(MARK).is_ok_and(|marked| marked == test) {
        return trybuild::TestCases::new().compile_fail(cases);
    }
    // They share a generated project, which one of them would take from under another where the machine is slow.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    tell(&format!("what the compiler says of {cases}: a minute at most"));
    let mut again = Command::new(env::current_exe().expect("this binary"));
    again.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(MARK, test);
    match registry {
        Some(registry) => {
            again.env("DRPC_BUILD_REGISTRY", Path::new(env!("CARGO_MANIFEST_DIR")).join(registry))
        }
        None => again.env_remove("DRPC_BUILD_REGISTRY"),
    };
    let output = again.output().expect("runs this binary anew");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    print!("{stdout}{stderr}");
    assert!(output.status.success(), "failed in its own process: {}", output.status);
    assert!(stdout.contains("1 passed"), "there is no test of the name `{test}`");
}

/// Says what goes on, so that nobody thinks that nothing does: past the tests' capture of what is printed.
fn tell(what: &str) {
    let _ = writeln!(io::stderr(), "ui: {what}");
}
