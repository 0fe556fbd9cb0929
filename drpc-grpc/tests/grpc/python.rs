//! gRPC's own client, in Python, which learns by reflection what it is served.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use drpc_grpc::GrpcServer;

use crate::Running;
use crate::certificates::Authority;
use crate::modules::modules;

/// Where Python or its packages can't be had, it says so and proves nothing.
#[tokio::test(flavor = "multi_thread")]
async fn grpcs_own_client_lists_calls_and_is_refused() {
    let python = match tokio::task::spawn_blocking(python).await.unwrap() {
        Ok(python) => python,
        Err(why) => return eprintln!("skipped: gRPC's own client can't be had: {why}"),
    };
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let admin = authority.caller("admin");
    for (name, text) in
        [("ca.pem", &authority.certificate), ("admin.pem", &admin.certificate), ("admin.key", &admin.key)]
    {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let descriptors = protox::compile(["hello.proto"], [proto()]).unwrap();
    let descriptors = prost::Message::encode_to_vec(&descriptors);
    let (modules, _hears) = modules();
    let settings = GrpcServer::builder(modules).tls(authority.tls(&authority.host()));
    let server = Running::of(settings.descriptors(&descriptors)).await;
    let mut client = Command::new(python);
    client.arg(here("client.py")).arg(server.address.port().to_string()).arg(folder.path());
    let output = tokio::task::spawn_blocking(move || client.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", text_of(&output));
}

/// An interpreter that has gRPC's packages, made once for all runs.
fn python() -> Result<PathBuf, String> {
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

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(name)
}

fn proto() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto")
}
