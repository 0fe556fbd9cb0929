//! `drpc call` as a user sees it: stdout, stderr and exit code.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use drpc::{Bytes, Context, Failure, Method, Module, Reply, Server, Wire, WireMode};

/// Module 7: 700 echoes, 701 fails.
struct Echo;

#[drpc::async_trait]
impl Module for Echo {
    fn id(&self) -> i32 {
        7
    }

    fn name(&self) -> &str {
        "echo"
    }

    fn get_method(&self, id: i32) -> Option<Method> {
        (700..=701).contains(&id).then(|| Method::new(7, id, "method"))
    }

    async fn handle_call(self: Arc<Self>, _: Context, method: Method, body: Bytes) -> Result<Reply, Failure> {
        match method.id() {
            700 => Ok(body.into()),
            _ => Err("asked to fail".into()),
        }
    }
}

/// A server in this process, until dropped.
struct Serving {
    _runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
    socket: PathBuf,
}

fn serve(wire: impl Into<WireMode>) -> Serving {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s.sock");
    let server = Server::builder().wire(wire).module(Echo).bind(&socket).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.spawn(server.serve());
    Serving { _runtime: runtime, _folder: folder, socket }
}

fn drpc(socket: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_drpc")).arg("call").arg(socket).args(args).output().unwrap();
    let Output { status, stdout, stderr } = output;
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn seen(code: i32, stdout: &str, stderr: &str) -> (Option<i32>, String, String) {
    (Some(code), stdout.to_owned(), stderr.to_owned())
}

#[test]
fn success_prints_the_body_and_exits_0() {
    let server = serve(WireMode::Auto);
    let args = ["700", "00ff0a", "--hex", "--wire", "chunked"];
    assert_eq!(drpc(&server.socket, &args), seen(0, "00ff0a\n", ""));
}

#[test]
fn the_wire_is_found_out_unless_told() {
    // W8.
    for wire in [Wire::Chunked, Wire::Plain] {
        let server = serve(wire);
        assert_eq!(drpc(&server.socket, &["700", "61", "--hex"]), seen(0, "61\n", ""));
    }
}

#[test]
fn another_status_exits_1() {
    let server = serve(WireMode::Auto);
    let call = |args: &[&str]| drpc(&server.socket, &[args, &["--wire", "chunked"]].concat());
    assert_eq!(call(&["701"]), seen(1, "", "status=FAILURE cause=handler\nerror: asked to fail\n"));
    assert_eq!(
        call(&["-3.1"]),
        seen(
            1,
            "",
            "status=UNKNOWN_MODULE\nerror: unrecognized module ID\nhint: the server does not serve module -3\n"
        )
    );
    assert_eq!(
        call(&["7.7"]),
        seen(
            1,
            "",
            "status=UNKNOWN_METHOD\nerror: unrecognized method ID\nhint: module 7 of the server has no method 7\n\
             hint: method IDs are system-wide: number 7 of module 7 is 707\n"
        )
    );
}

#[test]
fn the_text_and_the_cause_of_an_error_are_shown_unless_they_are_not_asked_for() {
    // E5.
    for wire in ["chunked", "plain"] {
        let server = serve(WireMode::Auto);
        let call = |args: &[&str]| drpc(&server.socket, &[&["--wire", wire], args].concat());
        let told = "status=FAILURE cause=handler\nerror: asked to fail\n";
        assert_eq!(call(&["701"]), seen(1, "", told));
        assert_eq!(call(&["700"]), seen(0, "\n", ""));
        assert_eq!(call(&["701", "--no-added-fields"]), seen(1, "", "status=FAILURE\n"));
    }
}

#[test]
fn a_wrong_command_line_exits_2() {
    let server = serve(WireMode::Auto);
    let wrong: [&[&str]; 5] =
        [&["seven.hundred"], &["700", "0", "--hex"], &["700", "--wire", "fast"], &["700", "{}"], &[]];
    for args in wrong {
        let (code, stdout, stderr) = drpc(&server.socket, args);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{args:?}: {stderr}");
        assert!(stderr.starts_with("error: ") || stderr.starts_with("drpc: "), "{stderr}");
    }
}

#[test]
fn a_call_that_cannot_be_made_exits_3_and_says_why() {
    // C8.
    let (code, stdout, stderr) = drpc(Path::new("/nowhere/s.sock"), &["700"]);
    assert_eq!((code, stdout.as_str()), (Some(3), ""));
    assert!(
        stderr.starts_with("drpc: can't connect to /nowhere/s.sock: No such file or directory"),
        "{stderr}"
    );
    assert!(stderr.contains("is the server started, and the path right?"), "{stderr}");

    let (code, _, stderr) = drpc(Path::new("/dev/null"), &["700"]);
    assert_eq!(code, Some(3));
    assert_eq!(
        stderr,
        "drpc: can't connect to /dev/null: Connection refused (os error 111); what is there is not a socket\n"
    );

    // W8: the mismatch has a name.
    let plain = serve(Wire::Plain);
    let (code, _, stderr) = drpc(&plain.socket, &["700", "--wire", "chunked"]);
    assert_eq!(code, Some(3));
    assert!(stderr.contains("peer speaks the plain wire of DAOS 2.6"), "{stderr}");
}
