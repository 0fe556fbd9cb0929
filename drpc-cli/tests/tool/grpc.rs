//! `drpc grpc serve`: a server on a socket, reached from other hosts.

use snapbox::str;

use crate::support::Folder;

const SERVE: &str = "grpc serve --socket s.sock --listen 127.0.0.1:0";

/// What is said of the command line is said by every build.
#[test]
fn certificates_are_asked_for_unless_it_is_said_that_there_are_none() {
    let folder = Folder::new();
    folder.drpc(SERVE).assert().code(2).stdout_eq("").stderr_eq(str![[r#""#]]);
    folder
        .drpc(&format!("{SERVE} --insecure-loopback --cert host.pem"))
        .assert()
        .code(2)
        .stdout_eq("")
        .stderr_eq(str![[r#""#]]);
    folder
        .drpc(&format!("{SERVE} --insecure-loopback --rule admin"))
        .assert()
        .code(2)
        .stdout_eq("")
        .stderr_eq(str![[r#""#]]);
}

#[cfg(not(feature = "grpc"))]
#[test]
fn a_tool_without_grpc_says_how_to_get_it() {
    let folder = Folder::new();
    folder
        .drpc(&format!("{SERVE} --insecure-loopback"))
        .assert()
        .code(2)
        .stdout_eq("")
        .stderr_eq(str![[r#""#]]);
}

#[cfg(feature = "grpc")]
mod gateway {
    use std::process::Command;

    use drpc::{Allow, Bytes, CallError, FailureCause, Server, ServerBuilder, WithFds, drpc_module};
    use drpc_grpc::{GrpcCaller, Tls};
    use snapbox::str;

    use super::SERVE;
    use crate::shop::{Serving, plain_shop, serve, shop};
    use crate::support::{Folder, Running};

    struct Clock;

    #[drpc_module(id = 13, remote)]
    impl Clock {
        #[method(1)]
        fn echo(&self, body: Bytes) -> Bytes {
            body
        }

        #[method(2, allow = "admin")]
        fn set(&self) {}

        #[method(3, fds)]
        fn open(&self) -> WithFds<()> {
            WithFds::default()
        }
    }

    struct Local;

    #[drpc_module(id = 14)]
    impl Local {
        #[method(1)]
        fn ping(&self) {}
    }

    /// A server of a module for other hosts, and of one for this.
    fn clock() -> ServerBuilder {
        let server = Server::builder().explicit_modules_only().module(Clock).module(Local);
        server.rule("admin", Allow::anyone()).reflection(true)
    }

    /// The certificates of the README of drpc-grpc, made by the commands that stand there; nothing where there is no openssl.
    fn certificates(folder: &Folder) -> Option<()> {
        if Command::new("openssl").arg("version").output().is_err() {
            eprintln!("skipped: there is no openssl");
            return None;
        }
        let readme = include_str!("../../../drpc-grpc/README.md");
        let commands = readme.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let made =
            Command::new("sh").args(["-e", "-c", commands]).current_dir(folder.path(".")).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Some(())
    }

    const CERTIFICATES: &str = "--cert host.pem --key host.key --client-ca ca.pem";

    /// The clock on a socket, and a gateway to it.
    fn gateway(folder: &Folder, options: &str) -> (Serving, Running) {
        let server = serve(clock(), &folder.path("s.sock"));
        let gateway = folder.spawn(&format!("{SERVE} {options}"));
        (server, gateway)
    }

    /// Calls as whoever has that certificate.
    fn calling<T>(
        folder: &Folder,
        gateway: &Running,
        who: &str,
        calls: impl AsyncFnOnce(ClockClient<GrpcCaller>) -> T,
    ) -> T {
        let path = |name: String| folder.path(&name);
        let tls =
            Tls::from_files(path(format!("{who}.pem")), path(format!("{who}.key")), path("ca.pem".into()));
        let port = gateway.said.split([':', ',']).nth(1).unwrap();
        let caller =
            GrpcCaller::builder(format!("https://127.0.0.1:{port}")).server_name("host-3").tls(tls.unwrap());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async { calls(ClockClient::new(caller.connect().await.unwrap())).await })
    }

    #[test]
    fn other_hosts_call_what_is_for_them_as_their_certificates_allow() {
        let folder = Folder::new();
        let Some(()) = certificates(&folder) else { return };
        let (_server, gateway) = gateway(&folder, &format!("{CERTIFICATES} --rule admin=CN=admin"));
        let refused = calling(&folder, &gateway, "admin", async |clock| -> Result<_, CallError> {
            assert_eq!(clock.echo("tick".into()).await?, "tick");
            clock.set().await?;
            Ok(())
        });
        refused.unwrap();
        let refused = calling(&folder, &gateway, "host", async |clock| clock.set().await);
        assert_eq!(refused.unwrap_err().failure_cause(), Some(FailureCause::Denied));
        let said = String::from_utf8(gateway.interrupt().stdout).unwrap();
        assert_eq!(said, "");
    }

    #[test]
    fn a_gateway_that_can_not_begin_says_why() {
        let folder = Folder::new();
        let loopback = format!("{SERVE} --insecure-loopback");
        folder.drpc(&loopback).assert().code(3).stdout_eq("").stderr_eq(str![[r#""#]]);
        let server = serve(plain_shop(), &folder.path("s.sock"));
        folder.drpc(&loopback).assert().code(3).stdout_eq("").stderr_eq(str![[r#""#]]);
        drop(server);
        let server = serve(shop(), &folder.path("s.sock"));
        folder.drpc(&loopback).assert().code(2).stdout_eq("").stderr_eq(str![[r#""#]]);
        drop(server);

        let _server = serve(clock(), &folder.path("s.sock"));
        folder
            .drpc(&format!("{loopback} --module local"))
            .assert()
            .code(2)
            .stdout_eq("")
            .stderr_eq(str![[r#""#]]);
        folder
            .drpc(&format!("{loopback} --module clack"))
            .assert()
            .code(2)
            .stdout_eq("")
            .stderr_eq(str![[r#""#]]);
        let open = "grpc serve --socket s.sock --listen 0.0.0.0:0 --insecure-loopback";
        folder.drpc(open).assert().code(2).stdout_eq("").stderr_eq(str![[r#""#]]);
        let open = "grpc serve --socket s.sock --listen 127.0.0.1 --insecure-loopback";
        folder.drpc(open).assert().code(3).stdout_eq("").stderr_eq(str![[r#""#]]);

        let secured = format!("{SERVE} {CERTIFICATES}");
        folder.drpc(&secured).assert().code(2).stdout_eq("").stderr_eq(str![[r#""#]]);
        let secured = format!("{secured} --rule admin=CN=admin");
        folder.drpc(&secured).assert().code(2).stdout_eq("").stderr_eq(str![[r#""#]]);
        for file in ["host.pem", "host.key", "ca.pem"] {
            folder.write(file, "no certificate");
        }
        folder.drpc(&secured).assert().code(3).stdout_eq("").stderr_eq(str![[r#""#]]);
    }

    /// A registry says as well which modules are for other hosts.
    #[test]
    fn modules_may_come_from_a_registry() {
        let folder = Folder::new();
        let Some(()) = certificates(&folder) else { return };
        folder.write(
            "modules.toml",
            "[[module]]\nid = 13\nname = \"clock\"\nremote = true\nmethod = [{ number = 1, name = \"echo\" }]\n",
        );
        let (_server, gateway) = gateway(&folder, &format!("{CERTIFICATES} --registry modules.toml"));
        let echoed = calling(&folder, &gateway, "admin", async |clock| clock.echo("tick".into()).await);
        assert_eq!(echoed.unwrap(), "tick");
    }
}
