//! `drpc health` as a user sees it: stdout, stderr and exit code.

use std::path::Path;
use std::process::Command;

use drpc::Server;
use drpc::health::Health;

fn drpc(socket: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_drpc")).arg("health").arg(socket).args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn seen(code: i32, stdout: &str, stderr: &str) -> (Option<i32>, String, String) {
    (Some(code), stdout.to_owned(), stderr.to_owned())
}

#[test]
fn the_exit_code_says_whether_it_serves() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s.sock");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let health = Health::new();
    health.set_module("disks", true);
    runtime.spawn(Server::builder().health(&health).bind(&socket).unwrap().serve());

    assert_eq!(drpc(&socket, &[]), seen(0, "SERVING\n", ""));
    assert_eq!(drpc(&socket, &["disks"]), seen(0, "SERVING\n", ""));
    assert_eq!(drpc(&socket, &["--json"]), seen(0, "{\"module\":null,\"status\":\"SERVING\"}\n", ""));
    health.set_module("disks", false);
    let told = "{\"module\":\"disks\",\"status\":\"NOT_SERVING\"}\n";
    assert_eq!(drpc(&socket, &["disks", "--json"]), seen(1, told, ""));
    assert_eq!(drpc(&socket, &["disks"]), seen(1, "NOT_SERVING\n", ""));
    let hint = "hint: the server has no module `pools`\n";
    assert_eq!(drpc(&socket, &["pools", "--wire", "plain"]), seen(1, "SERVICE_UNKNOWN\n", hint));
}

#[test]
fn who_cannot_be_asked_exits_3_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s.sock");
    let (code, stdout, stderr) = drpc(&socket, &[]);
    assert_eq!((code, stdout.as_str()), (Some(3), ""));
    assert!(stderr.contains("is the server started, and the path right?"), "{stderr}");

    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.spawn(Server::builder().bind(&socket).unwrap().serve());
    assert_eq!(
        drpc(&socket, &[]),
        seen(
            3,
            "",
            "drpc: the server answered UNKNOWN_MODULE: unrecognized module ID\n\
             hint: the server has no health check; it needs `.health(…)` where it is built\n"
        )
    );
}
