use snapbox::str;

use crate::support::Folder;

const REGISTRY: &str = r#"
[[module]]
id = 5
name = "greeter"
owners = ["greeterd"]
method = [{ number = 1, name = "hello" }, { number = 2, name = "bye" }]

[[module]]
id = 6
name = "mailer"
owners = ["other"]

[[module]]
id = 7
name = "far_away"
"#;

/// A workspace of two packages that need nothing, so that cargo asks nobody.
fn workspace(greeterd: &str, other: &str) -> Folder {
    let folder = Folder::new();
    folder.write("modules.toml", REGISTRY);
    folder.write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"greeterd\", \"other\"]\n");
    for (name, source) in [("greeterd", greeterd), ("other", other)] {
        let manifest = format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
        folder.write(&format!("{name}/Cargo.toml"), &manifest);
        folder.write(&format!("{name}/src/lib.rs"), source);
    }
    folder
}

const GREETER: &str = r#"
struct Greeter;

#[drpc_module(id = 5, register)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}
    #[method]
    fn bye(&self) {}
}
"#;

const MAILER: &str = "#[drpc::drpc_module(id = registry::mailer::ID)]\nimpl Mailer {}\n";

#[test]
fn a_workspace_that_keeps_to_its_registry() {
    let folder = workspace(
        "mod service;\n#[cfg(test)] mod tests { #[drpc_module(id = 99)] impl Fixture {} }\n",
        MAILER,
    );
    folder.write("greeterd/src/service/mod.rs", "mod inner;\n");
    folder.write("greeterd/src/service/inner.rs", GREETER);
    folder.write("greeterd/tests/it.rs", "#[drpc_module(id = 98)]\nimpl Other {}\n");
    folder.drpc("registry check modules.toml --workspace").assert().code(0).stdout_eq("").stderr_eq(str![[
        r#"
warning: module 7, `far_away`, is implemented nowhere in this workspace
--> modules.toml:13:1
 = help: nothing is wrong if its server is not of this workspace

2 modules in the workspace, 0 errors, 1 warning

"#
    ]]);
}

#[test]
fn what_is_unlisted_unimplemented_or_anothers_is_told() {
    let other = "#[drpc_module(id = 5)]\nimpl Greeter {\n    #[method(1)]\n    fn hi(&self) {}\n    #[method(id = 509)]\n    fn wave(&self) {}\n}\n\n#[drpc_module(id = 9)]\nimpl Clock {}\n\n#[drpc_module(id = 6, client_only)]\ntrait Mailer {}\n";
    let folder = workspace("", other);
    folder.drpc("registry check modules.toml --workspace").assert().code(1).stdout_eq("").stderr_eq(str![[
        r#"
error: module 5, `greeter`, is implemented by `other`, which is none of its owners
 --> other/src/lib.rs:1:1
  |
1 | #[drpc_module(id = 5)]
  | ^^^^^^^^^^^^^^^^^^^^^^ in package `other`
  |
  = help: its owners are `greeterd`: add `other` to them, or write `client_only` if it only calls

error: method ID 501 is `hello` in the registry, and `hi` here
 --> other/src/lib.rs:3:5
  |
3 |     #[method(1)]
  |     ^^^^^^^^^^^^ 501 is `hello` of `greeter`
  |
  = help: write `name = "hello"` if it is that method, or list `hi` under an ID of its own

error: method 509, `wave` of `greeter`, is not in the registry
 --> other/src/lib.rs:5:5
  |
5 |     #[method(id = 509)]
  |     ^^^^^^^^^^^^^^^^^^^ not listed
  |
  = help: list it under module `greeter`

error: module 9, `clock`, is not in the registry
 --> other/src/lib.rs:9:1
  |
9 | #[drpc_module(id = 9)]
  | ^^^^^^^^^^^^^^^^^^^^^^ not listed
  |
  = help: list it in modules.toml, or write `unlisted` if it is for tests

warning: method 502, `bye` of `greeter`, is implemented nowhere in this workspace
--> modules.toml:6:43
 = help: callers are answered UNKNOWN_METHOD: implement it, or reserve its ID if it is gone

error: module 6, `mailer`, is implemented nowhere in this workspace
--> modules.toml:8:1
 = help: implement it in `other`, which is its owner, or correct `owners`

warning: module 7, `far_away`, is implemented nowhere in this workspace
--> modules.toml:13:1
 = help: nothing is wrong if its server is not of this workspace

3 modules in the workspace, 5 errors, 2 warnings

"#
    ]]);
    folder
        .drpc("registry check modules.toml --workspace --exclude other")
        .assert()
        .code(1)
        .stdout_eq("")
        .stderr_eq(str![[r#"
error: module 5, `greeter`, is implemented nowhere in this workspace
--> modules.toml:2:1
 = help: implement it in `greeterd`, which is its owner, or correct `owners`

warning: module 6, `mailer`, is implemented nowhere in this workspace
--> modules.toml:8:1
 = help: nothing is wrong if its server is not of this workspace

warning: module 7, `far_away`, is implemented nowhere in this workspace
--> modules.toml:13:1
 = help: nothing is wrong if its server is not of this workspace

0 modules in the workspace, 1 error, 2 warnings

"#]]);
    folder.drpc("registry check modules.toml --workspace --json").assert().code(1).stdout_eq(str![[r#"
{"registry":"modules.toml","modules":3,"findings":[{"severity":"error","message":"module 5, `greeter`, is implemented by `other`, which is none of its owners","file":"other/src/lib.rs","line":1,"help":"its owners are `greeterd`: add `other` to them, or write `client_only` if it only calls"},{"severity":"error","message":"method ID 501 is `hello` in the registry, and `hi` here","file":"other/src/lib.rs","line":3,"help":"write `name = /"hello/"` if it is that method, or list `hi` under an ID of its own"},{"severity":"error","message":"method 509, `wave` of `greeter`, is not in the registry","file":"other/src/lib.rs","line":5,"help":"list it under module `greeter`"},{"severity":"error","message":"module 9, `clock`, is not in the registry","file":"other/src/lib.rs","line":9,"help":"list it in modules.toml, or write `unlisted` if it is for tests"},{"severity":"warning","message":"method 502, `bye` of `greeter`, is implemented nowhere in this workspace","file":"modules.toml","line":6,"help":"callers are answered UNKNOWN_METHOD: implement it, or reserve its ID if it is gone"},{"severity":"error","message":"module 6, `mailer`, is implemented nowhere in this workspace","file":"modules.toml","line":8,"help":"implement it in `other`, which is its owner, or correct `owners`"},{"severity":"warning","message":"module 7, `far_away`, is implemented nowhere in this workspace","file":"modules.toml","line":13,"help":"nothing is wrong if its server is not of this workspace"}]}

"#]]);
}

#[test]
fn a_workspace_that_can_not_be_read_is_told() {
    let folder = workspace("fn broken(\n", MAILER);
    folder.drpc("registry check modules.toml --workspace").assert().code(2).stdout_eq("").stderr_eq(str![[
        r#"
drpc: [..]/greeterd/src/lib.rs:1: cannot parse string into token stream

"#
    ]]);
    folder
        .drpc("registry check modules.toml --workspace --manifest-path none/Cargo.toml")
        .assert()
        .code(2)
        .stdout_eq("")
        .stderr_eq(str![[r#"
drpc: cargo does not say what the workspace consists of: `cargo metadata` exited with an error: error: manifest path `none/Cargo.toml` does not exist

"#]]);
    folder.drpc("registry check modules.toml --manifest-path Cargo.toml").assert().code(2).stdout_eq("");
}

#[test]
fn a_module_has_the_name_of_its_type_whatever_its_items_are_called() {
    let folder = workspace(&GREETER.replace("register", "prefix = Rpc"), MAILER);
    folder.drpc("registry check modules.toml --workspace").assert().code(0);
}

#[test]
fn what_is_there_in_tests_alone_is_passed_over() {
    let conditions = ["test", "all(test, unix)", "all(unix, any(test, all(test, windows)))"];
    let fixtures = conditions.map(|condition| {
        format!("#[cfg({condition})] mod fixtures {{ #[drpc_module(id = 99)] impl Fixture {{}} }}\n")
    });
    let folder = workspace(&format!("{GREETER}{}", fixtures.concat()), MAILER);
    folder.drpc("registry check modules.toml --workspace").assert().code(0);

    let others = ["any(test, unix)", "not(test)"].map(|condition| {
        format!("#[cfg({condition})] mod others {{ #[drpc_module(id = 98)] impl Other {{}} }}\n")
    });
    let folder = workspace(&format!("{GREETER}{}", others.concat()), MAILER);
    folder.drpc("registry check modules.toml --workspace").assert().code(1).stderr_eq(str![[r#"
error: module 98, `other`, is not in the registry
  --> greeterd/src/lib.rs:11:38
   |
11 | #[cfg(any(test, unix))] mod others { #[drpc_module(id = 98)] impl Other {} }
   |                                      ^^^^^^^^^^^^^^^^^^^^^^^ not listed
   |
   = help: list it in modules.toml, or write `unlisted` if it is for tests

error: module 98, `other`, is not in the registry
  --> greeterd/src/lib.rs:12:32
   |
12 | #[cfg(not(test))] mod others { #[drpc_module(id = 98)] impl Other {} }
   |                                ^^^^^^^^^^^^^^^^^^^^^^^ not listed
   |
   = help: list it in modules.toml, or write `unlisted` if it is for tests

warning: module 7, `far_away`, is implemented nowhere in this workspace
--> modules.toml:13:1
 = help: nothing is wrong if its server is not of this workspace

4 modules in the workspace, 2 errors, 1 warning

"#]]);
}

#[test]
fn places_are_right_behind_a_byte_order_mark_and_a_line_for_the_shell() {
    let source = "\u{feff}#!/usr/bin/env run\n// Caf\u{e9}\n#[drpc_module(id = 9)]\nimpl Clock {}\n";
    let folder = workspace(source, MAILER);
    folder.drpc("registry check modules.toml --workspace").assert().code(1).stderr_eq(str![[r#"
error: module 9, `clock`, is not in the registry
 --> greeterd/src/lib.rs:3:1
  |
3 | #[drpc_module(id = 9)]
  | ^^^^^^^^^^^^^^^^^^^^^^ not listed
  |
  = help: list it in modules.toml, or write `unlisted` if it is for tests

error: module 5, `greeter`, is implemented nowhere in this workspace
--> modules.toml:2:1
 = help: implement it in `greeterd`, which is its owner, or correct `owners`

warning: module 7, `far_away`, is implemented nowhere in this workspace
--> modules.toml:13:1
 = help: nothing is wrong if its server is not of this workspace

2 modules in the workspace, 2 errors, 1 warning

"#]]);
}
