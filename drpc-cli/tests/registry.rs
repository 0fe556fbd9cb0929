//! `drpc registry` as a user sees it: stdout, stderr and exit code.

use std::fs;
use std::process::Command;

fn drpc(args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_drpc")).arg("registry").args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

const GREETER: &str =
    "[[module]]\nid = 5\nname = \"greeter\"\n\n[[module.method]]\nnumber = 1\nname = \"hello\"\n";

#[test]
fn a_removed_method_breaks_and_an_added_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (old, new) = (path("old.toml"), path("new.toml"));
    fs::write(&old, GREETER).unwrap();
    fs::write(&new, format!("{GREETER}\n[[module.method]]\nnumber = 2\nname = \"bye\"\n")).unwrap();

    let (code, stdout, stderr) = drpc(&["diff", &old, &new]);
    assert_eq!((code, stderr.as_str()), (Some(0), "1 change, 0 breaking\n"));
    assert!(stdout.starts_with("compatible: ") && stdout.contains("`bye`"), "{stdout}");

    let (code, stdout, stderr) = drpc(&["diff", &new, &old]);
    assert_eq!(code, Some(1));
    assert!(stdout.starts_with("breaking: ") && stdout.contains("`bye`"), "{stdout}");
    assert!(stderr.contains("hint: "), "{stderr}");
}

#[test]
fn a_registry_with_mistakes_is_shown_with_their_places() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("modules.toml");
    fs::write(&path, format!("{GREETER}\n[[module]]\nid = 5\nname = \"other\"\n")).unwrap();
    let (code, stdout, stderr) = drpc(&["check", path.to_str().unwrap()]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.contains("modules.toml:10:"), "{stderr}");

    fs::write(&path, GREETER).unwrap();
    let (code, _, stderr) = drpc(&["check", path.to_str().unwrap()]);
    assert_eq!(code, Some(0));
    assert!(stderr.ends_with("modules.toml: 1 module, 1 method, no mistakes\n"), "{stderr}");
}

/// A change that breaks programs is told from a registry that can't be used by the exit code.
#[test]
fn what_can_not_be_used_is_no_breaking_change() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (good, bad) = (path("good.toml"), path("bad.toml"));
    fs::write(&good, GREETER).unwrap();
    fs::write(&bad, "[[module]]\nid = 5\n").unwrap();
    let nowhere = "/nowhere/modules.toml";
    let commands: [&[&str]; 5] = [
        &["check", nowhere],
        &["diff", &good, nowhere],
        &["diff", &bad, &good],
        &["emit", &bad, "c"],
        &["emit", &good, "go", "--go-package", "my pkg"],
    ];
    for command in commands {
        let (code, stdout, stderr) = drpc(command);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{command:?}");
        assert!(!stderr.is_empty(), "{command:?}");
    }
}

#[test]
fn a_changed_doc_is_told_only_to_who_asks() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (old, new) = (path("old.toml"), path("new.toml"));
    fs::write(&old, GREETER).unwrap();
    fs::write(&new, format!("{GREETER}doc = \"Greets.\"\n")).unwrap();
    let (code, stdout, stderr) = drpc(&["diff", &old, &new]);
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (Some(0), "", "0 changes, 0 breaking\n"));
    let (code, stdout, _) = drpc(&["diff", "--docs", &old, &new]);
    assert_eq!(code, Some(0));
    assert!(stdout.starts_with("compatible: method 501, `hello` of `greeter`, has another doc"), "{stdout}");
}

#[test]
fn a_registry_is_printed_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("modules.toml");
    fs::write(&path, GREETER).unwrap();
    for (form, part) in [
        ("toml", "name = \"hello\""),
        ("c", "DRPC_METHOD_GREETER_HELLO"),
        ("go", "501"),
        ("markdown", "| "),
        ("rust", "pub mod greeter"),
    ] {
        let (code, stdout, _) = drpc(&["emit", path.to_str().unwrap(), form]);
        assert_eq!(code, Some(0));
        assert!(stdout.contains(part), "{form}: {stdout}");
    }
}
