use std::fs;
use std::process::Command;

use snapbox::str;

use crate::support::{Folder, GREETER};

fn drpc(args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_drpc")).arg("registry").args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

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
        ("python", "class Module(IntEnum):"),
        ("rust", "pub mod greeter"),
    ] {
        let (code, stdout, _) = drpc(&["emit", path.to_str().unwrap(), form]);
        assert_eq!(code, Some(0));
        assert!(stdout.contains(part), "{form}: {stdout}");
    }
}

const DRPC_H: &str = "enum drpc_module {\n\tDRPC_MODULE_GREETER = 5,\n\n\tNUM_DRPC_MODULES\n};\n\n\
    enum drpc_greeter_method {\n\tDRPC_METHOD_GREETER_HELLO = 501, /* Greets. */\n\tDRPC_METHOD_GREETER_BYE = 503,\n\n\
    \tNUM_DRPC_GREETER_METHODS\n};\n";

#[test]
fn a_header_is_imported_with_the_owners_of_the_registry_before() {
    let folder = Folder::new();
    folder.write("drpc.h", DRPC_H);
    folder.write("old.toml", &GREETER.replace("\n\n", "\nowners = [\"greeterd\"]\nremote = true\n\n"));
    folder.drpc("registry import drpc.h --owners-of old.toml").assert().code(0).stderr_eq("").stdout_eq(
        str![[r#"
[[module]]
id = 5
name = "greeter"
owners = ["greeterd"]
remote = true

[[module.method]]
number = 1
name = "hello"
doc = "Greets."

[[module.method]]
number = 3
name = "bye"

[[module.reserved]]
number = 2
reason = "used by an earlier release"

"#]],
    );
    folder.write("bad.h", &DRPC_H.replace("= 503", "= X"));
    folder.drpc("registry import bad.h").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
the registry bad.h has 1 mistake

error: expected an integer, found `X`
 --> bad.h:9:28
  |
9 |     DRPC_METHOD_GREETER_BYE = X,
  |                               ^ not expected here
  |
  = help: write the number out

"#]]);
}

#[test]
fn the_next_free_ids() {
    let folder = Folder::with_registry();
    folder.drpc("registry next modules.toml").assert().code(0).stderr_eq("").stdout_eq("6\n");
    folder.drpc("registry next modules.toml greeter").assert().code(0).stderr_eq("").stdout_eq("502\n");
    folder.drpc("registry next modules.toml 5 --json").assert().code(0).stderr_eq("").stdout_eq(str![[r#"
{"module":5,"method":502,"number":2}

"#]]);
    folder.drpc("registry next modules.toml greter").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: module `greter` is not in modules.toml: did you mean `greeter`?

"#]]);
    let all: String =
        (0..100).map(|number| format!("{{ number = {number}, name = \"m{number}\" }}, ")).collect();
    folder.write("full.toml", &format!("[[module]]\nid = 5\nname = \"full\"\nmethod = [{all}]\n"));
    folder.drpc("registry next full.toml full").assert().code(1).stdout_eq("").stderr_eq(str![[r#"
drpc: all hundred IDs of `full` are used or reserved

"#]]);
}

#[test]
fn mistakes_are_drawn_where_they_are() {
    let folder = Folder::new();
    folder.write("modules.toml", &format!("{GREETER}\n[[module]]\nid = 5\nname = \"Other\"\n"));
    folder.drpc("registry check modules.toml").assert().code(1).stdout_eq("").stderr_eq(str![[r#"
the registry modules.toml has 2 mistakes

error: module ID 5 is listed twice
  --> modules.toml:10:6
   |
 2 | id = 5
   |      - `greeter` has it
...
10 | id = 5
   |      ^ `Other` takes it again
   |
   = help: the next free module ID is 6

error: `Other` can't be the name of a module
  --> modules.toml:11:8
   |
11 | name = "Other"
   |        ^^^^^^^ not lower_snake_case
   |
   = help: write `other`

"#]]);
    folder.drpc("registry check modules.toml --json").assert().code(1).stdout_eq(str![[r#"
{"registry":"modules.toml","mistakes":[{"message":"module ID 5 is listed twice","line":10,"column":6,"help":"the next free module ID is 6"},{"message":"`Other` can't be the name of a module","line":11,"column":8,"help":"write `other`"}]}

"#]]);
    folder.drpc("registry check none.toml").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
the registry none.toml can't be read: No such file or directory (os error 2)
  = help: create the file, or correct the path

"#]]);
    folder.write("modules.toml", GREETER);
    folder
        .drpc("registry check modules.toml --json")
        .assert()
        .code(0)
        .stdout_eq(str![[r#"
{"registry":"modules.toml","modules":1,"methods":1,"mistakes":[]}

"#]])
        .stderr_eq(str![[r#"
modules.toml: 1 module, 1 method, no mistakes

"#]]);
}

#[test]
fn a_registry_and_a_contract_are_compared_with_those_of_a_git_revision() {
    let folder = Folder::new();
    let git = |line: &str| {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main"];
        let done =
            Command::new("git").args(identity).args(line.split(' ')).current_dir(folder.path("")).output();
        done.is_ok_and(|output| output.status.success())
    };
    if !git("init -q") {
        eprintln!("skipped: there is no git");
        return;
    }
    let contract = "drpc contract 1\n\nmodule 5 greeter\n    method 501 hello\n        request hello.Hello\n        reply ()\n\n\
                    message hello.Hello\n    1 name: string\n";
    folder.write("proto/modules.toml", GREETER);
    folder.write("contract.txt", contract);
    assert!(git("add .") && git("commit -q -m first"));
    folder.write("proto/modules.toml", &GREETER.replace("hello", "greet"));
    folder.write("contract.txt", &contract.replace("1 name", "2 name"));
    folder
        .drpc("registry diff main:proto/modules.toml proto/modules.toml")
        .assert()
        .code(1)
        .stdout_eq(str![[r#"
breaking: method ID 501 of `greeter` was `hello` and is now `greet` (proto/modules.toml:5:1)

"#]])
        .stderr_eq(str![[r#"
1 change, 1 breaking
hint: keep an ID with its name; list a removed method's ID under `reserved`

"#]]);
    folder.write("less.toml", "");
    folder.drpc("registry diff main:proto/modules.toml less.toml").assert().code(1).stderr_eq(str![[r#"
1 change, 1 breaking
hint: keep a module that went in the list, without methods, so that nobody else gets its ID

"#]]);
    folder.drpc("registry diff main:contract.txt contract.txt --json").assert().code(1).stdout_eq(str![[r#"
{"breaking":true,"change":"breaking: field `name` of `hello.Hello` had number 1 and now has 2 (greeter.hello's request)"}

"#]]).stderr_eq(str![[r#"
1 change, 1 breaking
hint: keep what peers know as it was; add the new beside it, under a number of its own

"#]]);
    folder.drpc("registry diff main:none.toml proto/modules.toml").assert().code(2).stdout_eq("").stderr_eq(
        str![[r#"
drpc: can't read main:none.toml from git: path 'none.toml' does not exist in 'main'

"#]],
    );
    folder
        .drpc("registry diff none:modules.toml proto/modules.toml")
        .assert()
        .code(2)
        .stdout_eq("")
        .stderr_eq(str![[r#"
drpc: can't read none:modules.toml from git: invalid object name 'none'.

"#]]);
}

#[test]
fn a_registry_is_json_for_programs() {
    let folder = Folder::new();
    folder.write(
        "modules.toml",
        "[[module]]\nid = 5\nname = \"greeter\"\ndoc = \"Greets.\"\nowners = [\"greeterd\"]\n\
         method = [{ number = 1, name = \"hello\" }]\nreserved = [{ number = 2, reason = \"was bye\" }]\n",
    );
    folder.drpc("registry emit modules.toml json").assert().code(0).stderr_eq("").stdout_eq(str![[r#"
{
  "modules": [
    {
      "id": 5,
      "name": "greeter",
      "doc": "Greets.",
      "owners": [
        "greeterd"
      ],
      "remote": false,
      "methods": [
        {
          "id": 501,
          "number": 1,
          "name": "hello",
          "doc": ""
        }
      ],
      "reserved": [
        {
          "id": 502,
          "number": 2,
          "reason": "was bye"
        }
      ]
    }
  ]
}

"#]]);
}

#[test]
fn a_path_need_not_be_a_text() {
    use std::os::unix::ffi::OsStrExt;

    let folder = Folder::new();
    let name = std::ffi::OsStr::from_bytes(b"m\xff.toml");
    std::fs::write(folder.path("").join(name), crate::support::GREETER).unwrap();
    folder
        .drpc("registry check --json")
        .arg(name)
        .assert()
        .code(0)
        .stdout_eq("{\"registry\":\"m\u{fffd}.toml\",\"modules\":1,\"methods\":1,\"mistakes\":[]}\n");
}
