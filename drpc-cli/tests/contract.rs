//! `drpc registry diff` of contracts as a user sees it: stdout, stderr and exit code.

use std::fs;
use std::process::Command;

const CONTRACT: &str = "drpc contract 1

module 5 greeter
    method 501 hello
        request hello.Hello
        reply ()

message hello.Hello
    1 name: string
";

/// What the command says of two files of these texts.
fn diff(old: &str, new: &str) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let mut command = Command::new(env!("CARGO_BIN_EXE_drpc"));
    command.args(["registry", "diff"]).arg(path("old", old)).arg(path("new", new));
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap().replace(folder.path().to_str().unwrap(), "FOLDER");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_field_of_another_type_breaks_and_a_new_one_does_not() {
    let (code, stdout, stderr) = diff(CONTRACT, &CONTRACT.replace("string", "uint32"));
    assert_eq!(code, Some(1));
    assert_eq!(
        stdout,
        "breaking: field 1, `name` of `hello.Hello`, was `string` and is now `uint32` (greeter.hello's request)\n"
    );
    assert!(stderr.starts_with("1 change, 1 breaking\nhint: "), "{stderr}");

    let (code, stdout, stderr) = diff(CONTRACT, &format!("{CONTRACT}    2 title: string\n"));
    assert_eq!((code, stderr.as_str()), (Some(0), "1 change, 0 breaking\n"));
    assert_eq!(stdout, "compatible: field 2, `title` of `hello.Hello`, is new (greeter.hello's request)\n");
}

#[test]
fn the_first_contract_of_all_is_compared_with_an_empty_one() {
    let (code, stdout, _) = diff("drpc contract 1\n", CONTRACT);
    assert_eq!((code, stdout.as_str()), (Some(0), "compatible: module 5, `greeter`, is new\n"));
}

#[test]
fn what_is_no_contract_is_told_with_its_place() {
    let registry = "[[module]]\nid = 5\nname = \"greeter\"\n";
    let (code, stdout, stderr) = diff(registry, CONTRACT);
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert_eq!(stderr, "drpc: FOLDER/old:1: expected `drpc contract 1`: this is no contract\n");
}
