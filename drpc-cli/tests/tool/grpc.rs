//! `drpc grpc serve`: a server on a socket, reached from other hosts.

use snapbox::str;

use crate::support::Folder;

const SERVE: &str = "grpc serve --socket s.sock --listen 127.0.0.1:0";

/// What is said of the command line is said by every build.
#[test]
fn certificates_are_asked_for_unless_it_is_said_that_there_are_none() {
    let folder = Folder::new();
    folder.drpc(SERVE).assert().code(2).stdout_eq("").stderr_eq(str![[r#"
error: the following required arguments were not provided:
  --cert <FILE>
  --key <FILE>
  --client-ca <FILE>

Usage: drpc grpc serve --socket <SOCKET> --listen <ADDRESS> --cert <FILE> --key <FILE> --client-ca <FILE>

For more information, try '--help'.

"#]]);
    folder
        .drpc(&format!("{SERVE} --insecure-loopback --cert host.pem"))
        .assert()
        .code(2)
        .stdout_eq("")
        .stderr_eq(str![[r#"
error: the argument '--insecure-loopback' cannot be used with '--cert <FILE>'

Usage: drpc grpc serve --socket <SOCKET> --listen <ADDRESS> --insecure-loopback

For more information, try '--help'.

"#]]);
    folder
        .drpc(&format!("{SERVE} --insecure-loopback --rule admin"))
        .assert()
        .code(2)
        .stdout_eq("")
        .stderr_eq(str![[r#"
error: invalid value 'admin' for '--rule <RULE=NAME>': expected a rule and a name, such as admin=CN=admin

For more information, try '--help'.

"#]]);
}

#[test]
fn an_address_has_a_port() {
    let folder = Folder::new();
    let serve = "grpc serve --socket s.sock --listen 127.0.0.1 --insecure-loopback";
    folder.drpc(serve).assert().code(2).stdout_eq("").stderr_eq(str![[r#"
error: invalid value '127.0.0.1' for '--listen <ADDRESS>': expected an address and a port, such as 0.0.0.0:7443

For more information, try '--help'.

"#]]);
}

#[cfg(not(feature = "grpc"))]
#[test]
fn a_tool_without_grpc_says_how_to_get_it() {
    let folder = Folder::new();
    folder.drpc(&format!("{SERVE} --insecure-loopback")).assert().code(2).stdout_eq("").stderr_eq(str![[
        r#"
drpc: this `drpc` is built without gRPC: `cargo install --path drpc-cli --features grpc` gives one that has it

"#
    ]]);
}

#[cfg(feature = "grpc")]
mod gateway {
    use std::process::Command;

    use drpc::{
        Allow, Bytes, CallError, Failure, FailureCause, Incoming, Server, ServerBuilder, WithFds, drpc_module,
    };
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

        #[method(4, stream)]
        async fn count(&self, mut ticks: Incoming<Bytes>) -> Result<Bytes, Failure> {
            let mut count = 0;
            while ticks.next().await.transpose()?.is_some() {
                count += 1;
            }
            Ok(count.to_string().into())
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
            let mut ticks = clock.count().await?;
            for tick in ["tick", "tack"] {
                ticks.send(tick.into()).await?;
            }
            assert_eq!(ticks.finish().await?, "2");
            Ok(())
        });
        refused.unwrap();
        // It reads its certificates again, and goes on.
        gateway.hang_up();
        let refused = calling(&folder, &gateway, "host", async |clock| clock.set().await);
        assert_eq!(refused.unwrap_err().failure_cause(), Some(FailureCause::Denied));
        let said = String::from_utf8(gateway.interrupt().stdout).unwrap();
        assert_eq!(said, "");
    }

    #[test]
    fn a_gateway_that_can_not_begin_says_why() {
        let folder = Folder::new();
        let loopback = format!("{SERVE} --insecure-loopback");
        folder.drpc(&loopback).assert().code(3).stdout_eq("").stderr_eq(str![[r#"
drpc: can't connect to s.sock: No such file or directory (os error 2); is the server started, and the path right?

"#]]);
        let server = serve(plain_shop(), &folder.path("s.sock"));
        folder.drpc(&loopback).assert().code(3).stdout_eq("").stderr_eq(str![[r#"
drpc: the server has no reflection; it needs `.reflection(true)` where it is built, or name its modules by --registry

"#]]);
        drop(server);
        let server = serve(shop(), &folder.path("s.sock"));
        folder.drpc(&loopback).assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: no module is for other hosts: write `remote = true` in its entry of the registry, or `remote` in its attribute where it is unlisted

"#]]);
        drop(server);

        let _server = serve(clock(), &folder.path("s.sock"));
        folder
            .drpc(&format!("{loopback} --module local"))
            .assert()
            .code(2)
            .stdout_eq("")
            .stderr_eq(str![[r#"
drpc: module `local` is not for other hosts: write `remote = true` in its entry of the registry, or `remote` in its attribute where it is unlisted

"#]]);
        folder.drpc(&format!("{loopback} --module clack")).assert().code(2).stdout_eq("").stderr_eq(str![[
            r#"
drpc: there is no module `clack`: did you mean `clock`?

"#
        ]]);
        let open = "grpc serve --socket s.sock --listen 0.0.0.0:0 --insecure-loopback";
        folder.drpc(open).assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: other hosts would reach 0.0.0.0:0 without TLS: --insecure-loopback is for 127.0.0.1 or [::1]; give --cert, --key and --client-ca for any other address

"#]]);

        let secured = format!("{SERVE} {CERTIFICATES}");
        folder.drpc(&secured).assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: module `clock` is for those whom rule `admin` allows: say who of other hosts that is, such as --rule admin=CN=admin

"#]]);
        let secured = format!("{secured} --rule admin=CN=admin");
        folder.drpc(&secured).assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: can't read host.pem: No such file or directory (os error 2)

"#]]);
        for file in ["host.pem", "host.key", "ca.pem"] {
            folder.write(file, "no certificate");
        }
        let refused = folder.drpc(&secured).output().unwrap();
        assert!(!refused.status.success());
        assert!(String::from_utf8_lossy(&refused.stderr).starts_with("drpc: "), "{refused:?}");
    }

    const REGISTRY: &str = "[[module]]\nid = 13\nname = \"clock\"\nremote = true\n\
        method = [{ number = 1, name = \"echo\" }, { number = 2, name = \"set\" }, { number = 9, name = \"chime\" }]\n";

    /// What a server guards is guarded here, whatever tells of its methods: a registry knows no rules.
    #[test]
    fn the_servers_rules_hold_whatever_files_name() {
        let folder = Folder::new();
        folder.write("modules.toml", REGISTRY);
        let secured = format!("{SERVE} {CERTIFICATES}");
        let server = serve(clock(), &folder.path("s.sock"));
        let refused = str![[r#"
drpc: warning: clock.chime is left out: the server's reflection does not tell of it
drpc: module `clock` is for those whom rule `admin` allows: say who of other hosts that is, such as --rule admin=CN=admin

"#]];
        let named = format!("{secured} --registry modules.toml");
        folder.drpc(&named).assert().code(2).stdout_eq("").stderr_eq(refused.clone());
        // Named by the environment, or for the socket, likewise.
        folder
            .drpc(&secured)
            .env("DRPC_REGISTRY", "modules.toml")
            .assert()
            .code(2)
            .stdout_eq("")
            .stderr_eq(refused.clone());
        folder.write(
            "config/drpc/config.toml",
            "[socket.clock]\npath = \"../../s.sock\"\nregistry = \"../../modules.toml\"\n",
        );
        let short = secured.replace("s.sock", "clock");
        folder.drpc(&short).assert().code(2).stdout_eq("").stderr_eq(refused);
        drop(server);

        let silent = Server::builder().explicit_modules_only().module(Clock).rule("admin", Allow::anyone());
        let _server = serve(silent, &folder.path("s.sock"));
        folder.drpc(&named).assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: the server has no reflection, so nobody tells which rule guards `clock.echo`: name its --contract, or say by --no-rules that none does

"#]]);
        let unread = str![[r#"
drpc: can't read host.pem: No such file or directory (os error 2)

"#]];
        folder.drpc(&format!("{named} --no-rules")).assert().code(2).stdout_eq("").stderr_eq(unread.clone());
        let contract = "drpc contract 1\n\nmodule 13 clock\n    method 1301 echo\n        request bytes::Bytes\n        reply bytes::Bytes\n    \
            method 1302 set\n        rule admin\n        request ()\n        reply ()\n";
        folder.write("contract.txt", contract);
        folder.write("modules.toml", &REGISTRY.replace(", { number = 9, name = \"chime\" }", ""));
        let promised = format!("{named} --contract contract.txt");
        folder.drpc(&promised).assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: module `clock` is for those whom rule `admin` allows: say who of other hosts that is, such as --rule admin=CN=admin

"#]]);
        let told = format!("{promised} --rule admin=CN=admin");
        folder.drpc(&told).assert().code(2).stdout_eq("").stderr_eq(unread);
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
