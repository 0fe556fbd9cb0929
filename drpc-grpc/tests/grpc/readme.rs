//! The certificates of the README, made by its own commands.

use std::process::Command;

use drpc_grpc::{GrpcCaller, GrpcServer, Tls};

use crate::Running;
use crate::modules::{GreeterClient, modules};

/// Where there is no openssl, it says so and proves nothing.
#[tokio::test]
async fn its_commands_make_certificates_that_let_an_admin_in() {
    let commands = include_str!("../../README.md").split("```").find(|block| block.contains("openssl req"));
    let commands = commands.and_then(|block| block.strip_prefix("sh\n")).expect("the README shows commands");
    if let Err(error) = Command::new("openssl").arg("version").output() {
        return eprintln!("skipped: there is no openssl: {error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("sh").args(["-ec", commands]).current_dir(&folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let tls = |who: &str| {
        let file = |name: &str| folder.path().join(name);
        Tls::from_files(file(&format!("{who}.pem")), file(&format!("{who}.key")), file("ca.pem")).unwrap()
    };
    let server = Running::of(GrpcServer::builder(modules().0).tls(tls("host"))).await;
    let as_shown = GrpcCaller::builder(server.https()).server_name("host-3");
    let admin = as_shown.clone().tls(tls("admin")).connect().await.unwrap();
    GreeterClient::new(admin).destroy().await.unwrap();
}
