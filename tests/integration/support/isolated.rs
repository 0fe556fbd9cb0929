use std::env;
use std::path::PathBuf;
use std::process::Command;

/// Says, in a process of its own, which test that is for.
const MARK: &str = "DRPC_TEST_ISOLATED";

/// Whether this process is a test's own.
pub(crate) fn is_isolated() -> bool {
    env::var_os(MARK).is_some()
}

/// Runs a test in a process of its own, for what belongs to a whole process: its umask, its descriptors, its memory.
///
/// `name` is the test's path in this binary, which is run anew for that one test.
pub(crate) fn isolated(name: &str, test: impl FnOnce()) {
    isolated_by(name, Command::new, test);
}

/// As [`isolated`], with a command that starts the binary it is given, with the arguments that are appended.
pub(crate) fn isolated_by(name: &str, start: impl FnOnce(PathBuf) -> Command, test: impl FnOnce()) {
    if env::var(MARK).is_ok_and(|marked| marked == name) {
        return test();
    }
    let this_binary = env::current_exe().expect("this binary");
    let output = start(this_binary)
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(MARK, name)
        // What is large is mapped by itself, and goes back to the kernel when it is freed: resident memory is what is held.
        .env("MALLOC_MMAP_THRESHOLD_", "65536")
        .output()
        .expect("runs this binary anew");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    print!("{stdout}{stderr}");
    assert!(output.status.success(), "failed in its own process: {}", output.status);
    let passed = [stdout, stderr].iter().any(|printed| printed.contains("1 passed"));
    assert!(passed, "there is no test of the name `{name}`");
}
