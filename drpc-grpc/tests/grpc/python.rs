//! gRPC's own client and server, in Python. The client learns by reflection what it is served.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use drpc::{CallErrorKind, FailureCause, Status};
use drpc_grpc::{GrpcCaller, GrpcServer};

use crate::Running;
use crate::certificates::Authority;
use crate::modules::{GreeterClient, Hello, modules};
use crate::uploads::{self, StoreClient};

/// Where Python or its packages can't be had, it says so and proves nothing.
#[tokio::test(flavor = "multi_thread")]
async fn grpcs_own_client_lists_calls_and_is_refused() {
    let Some(python) = python().await else { return };
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let admin = authority.caller("admin");
    for (name, text) in
        [("ca.pem", &authority.certificate), ("admin.pem", &admin.certificate), ("admin.key", &admin.key)]
    {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let (mut modules, _hears) = modules();
    let mut stopped = uploads::register(&mut modules);
    let settings = GrpcServer::builder(modules).tls(authority.tls(&authority.host()));
    let server = Running::of(settings.descriptors(&descriptors())).await;
    let mut client = Command::new(python);
    client.arg(here("client.py")).arg(server.address.port().to_string()).arg(folder.path());
    succeeds(client).await;
    // One call was cancelled before all of its items had come.
    let stopped = stopped.recv().await.unwrap();
    assert!(stopped.contains("items"), "{stopped}");
}

/// Likewise.
#[tokio::test(flavor = "multi_thread")]
async fn a_stub_understands_grpcs_own_server() {
    let Some(python) = python().await else { return };
    let mut server = Command::new(python);
    server.arg(here("server.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
    // It ends with its input, which ends with this.
    let mut server = server.spawn().unwrap();
    let mut port = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let address = format!("http://127.0.0.1:{}", port.trim());
    let caller = GrpcCaller::builder(address).insecure_loopback().timeout(Duration::from_secs(60));
    let caller = caller.connect().await.unwrap();
    let greeter = GreeterClient::new(caller.clone());
    let named = |name: &str| Hello { name: name.into() };

    assert_eq!(greeter.hello(named("you")).await.unwrap().greeting, "Hello you");
    for (code, status, cause) in [
        ("UNIMPLEMENTED", Status::UNKNOWN_METHOD, None),
        ("INVALID_ARGUMENT", Status::FAILED_UNMARSHAL_PAYLOAD, None),
        ("OUT_OF_RANGE", Status::FAILED_UNMARSHAL_CALL, None),
        ("RESOURCE_EXHAUSTED", Status::FAILED_UNMARSHAL_CALL, None),
        ("PERMISSION_DENIED", Status::FAILURE, Some(FailureCause::Denied)),
        ("UNAUTHENTICATED", Status::FAILURE, Some(FailureCause::Denied)),
        ("NOT_FOUND", Status::FAILURE, None),
        ("INTERNAL", Status::FAILURE, None),
        ("BAD_DETAILS", Status::FAILURE, None),
    ] {
        let error = greeter.hello(named(code)).await.unwrap_err();
        assert_eq!((error.status(), error.failure_cause()), (Some(status), cause), "{code}: {error}");
        assert_eq!(error.peer_text(), Some("as you asked"), "{code}");
    }
    for (code, kind) in [
        ("DEADLINE_EXCEEDED", CallErrorKind::Timeout),
        ("CANCELLED", CallErrorKind::Timeout),
        ("UNAVAILABLE", CallErrorKind::Disconnected),
    ] {
        assert_eq!(greeter.hello(named(code)).await.unwrap_err().kind(), kind, "{code}");
    }

    let mut greetings = greeter.greet_each(named("a,b")).await.unwrap();
    for name in ["a", "b"] {
        assert_eq!(greetings.next().await.unwrap().unwrap().greeting, format!("Hello {name}"));
    }
    assert!(greetings.next().await.is_none());
    let mut greetings = greeter.greet_each(named("a,NOT_FOUND")).await.unwrap();
    greetings.next().await.unwrap().unwrap();
    let error = greetings.next().await.unwrap().unwrap_err();
    assert_eq!((error.status(), error.peer_text()), (Some(Status::FAILURE), Some("as you asked")));

    let store = StoreClient::new(caller);
    let mut upload = store.put(named("to")).await.unwrap();
    for name in ["a", "b"] {
        upload.send(named(name)).await.unwrap();
    }
    assert_eq!(upload.finish().await.unwrap().greeting, "Hello to a b");
    let mut upload = store.put(named("to")).await.unwrap();
    upload.send(named("NOT_FOUND")).await.unwrap();
    let error = upload.finish().await.unwrap_err();
    assert_eq!((error.status(), error.peer_text()), (Some(Status::FAILURE), Some("as you asked")));
    let (mut names, mut greetings) = store.greet(named("")).await.unwrap();
    for name in ["a", "b"] {
        names.send(named(name)).await.unwrap();
        assert_eq!(greetings.next().await.unwrap().unwrap().greeting, format!("Hello {name}"));
    }
    names.finish();
    assert!(greetings.next().await.is_none());
    drop(server.stdin.take());
    assert!(tokio::task::spawn_blocking(move || server.wait()).await.unwrap().unwrap().success());
}

/// An interpreter that has gRPC's packages, made once for all runs; nothing where it can't be had, which is told.
pub(crate) async fn python() -> Option<PathBuf> {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let python = tokio::task::spawn_blocking(|| PYTHON.get_or_init(made_python)).await.unwrap();
    python.as_ref().map_err(|why| eprintln!("skipped: gRPC's own packages can't be had: {why}")).ok().cloned()
}

pub(crate) async fn succeeds(mut script: Command) {
    let output = tokio::task::spawn_blocking(move || script.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", text_of(&output));
}

/// The messages of the greeter.
pub(crate) fn descriptors() -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto");
    prost::Message::encode_to_vec(&protox::compile(["hello.proto"], [folder]).unwrap())
}

pub(crate) fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(name)
}

fn made_python() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("grpcio");
    let python = folder.join("bin/python");
    let has_grpc = || Command::new(&python).args(["-c", "import grpc_status"]).output();
    if has_grpc().is_ok_and(|output| output.status.success()) {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    let requirements = here("requirements.txt");
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(requirements))?;
    Ok(python)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{command:?}: {}", text_of(&output))),
    }
}

fn text_of(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}
