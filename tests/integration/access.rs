//! Who may connect, and who may call what (D8).

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use drpc::{
    Allow, Bytes, CallErrorKind, Client, Context, Failure, PeerCredentials, Server, ServerBuilder, Status,
    Wire, drpc_module,
};

use crate::support::{
    Logs, RawPeer, WIRES, in_order, interop, is_isolated, isolated_by, with_descriptors_left,
    with_every_server,
};

struct Pools;

#[drpc_module(id = 5)]
impl Pools {
    #[method(0)]
    fn list(&self) {}

    #[method(1, allow = "admin")]
    fn destroy(&self) {}

    /// Refused before its body is looked at.
    #[method(2, allow = "no one")]
    fn never(&self, _body: Bytes) -> Result<(), Failure> {
        panic!("it was refused")
    }

    #[method(3)]
    fn log_in(&self, context: &Context) {
        context.session().extensions().insert(LoggedIn);
    }

    #[method(4, allow = "logged in")]
    fn secret(&self) {}
}

struct LoggedIn;

struct Tanks;

#[drpc_module(id = 6, allow = "users")]
impl Tanks {
    #[method(0)]
    fn fill(&self) {}

    #[method(1, allow = "admin")]
    fn empty(&self) {}
}

const ADMIN: u32 = 27;

/// Users are all but 1001; administrators are root and the group.
fn server() -> ServerBuilder {
    Server::builder()
        .explicit_modules_only()
        .module(Pools)
        .module(Tanks)
        .rule("users", Allow::anyone().except(Allow::uid(1001)))
        .rule("admin", Allow::root().or(Allow::gid(ADMIN)))
        .rule("no one", Allow::no_one())
        .rule("logged in", Allow::when(|session| session.extensions().get::<LoggedIn>().is_some()))
}

fn client_as(server: ServerBuilder, uid: u32, groups: &[u32]) -> Client {
    let peer = PeerCredentials::new(uid, uid).with_groups(groups.iter().copied());
    drpc::testing::client_as(server, peer).unwrap()
}

#[test]
fn whom_the_rule_does_not_allow_is_closed_and_logged_and_those_within_stay() {
    with_every_server(|driver| {
        // D8: asked once, when the connection is accepted.
        let (logs, _guard) = Logs::of_this_thread();
        let open = Arc::new(AtomicBool::new(true));
        let rule = Allow::when({
            let open = open.clone();
            move |session| session.peer().pid().is_some() && open.load(Ordering::SeqCst)
        });
        let server = driver.start(Server::builder().module(interop()).allow(rule));
        let within = RawPeer::connect(server.path());
        within.assert_served(Wire::Chunked);
        open.store(false, Ordering::SeqCst);
        let without = RawPeer::connect(server.path());
        without.assert_closed();
        logs.assert_contain("connection refused: the server's rule does not allow this peer");
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        let this = format!("peer=uid={uid} gid={gid} pid={}", std::process::id());
        logs.assert_contain(&this);
        within.assert_served(Wire::Chunked);
        open.store(true, Ordering::SeqCst);
        RawPeer::connect(server.path()).assert_served(Wire::Plain);
    });
}

#[test]
fn the_kernel_says_who_connects() {
    with_every_server(|driver| {
        // D8: SO_PEERCRED and SO_PEERGROUPS.
        let us = PeerCredentials::this_process();
        for (rule, allowed) in [
            (Allow::same_user(), true),
            (Allow::uids([us.uid().wrapping_add(1), us.uid()]), true),
            (Allow::uid(us.uid().wrapping_add(1)), false),
            (Allow::gid(us.gid()), true),
            (Allow::anyone().except(Allow::same_user()), false),
            (Allow::same_user().except(Allow::gids(us.groups().iter().copied().chain([us.gid()]))), false),
            (Allow::when(move |session| session.peer().groups() == us.groups()), true),
        ] {
            let server = driver.start(Server::builder().module(interop()).allow(rule.clone()));
            let peer = RawPeer::connect(server.path());
            match allowed {
                true => peer.assert_served(Wire::Chunked),
                false => peer.assert_closed(),
            }
        }
    });
}

#[test]
fn who_has_no_number_in_the_servers_namespace_is_no_user_of_it() {
    // D8: there, all users without a number have the same one.
    in_a_namespace("who_has_no_number_in_the_servers_namespace_is_no_user_of_it", || {
        let us = PeerCredentials::this_process();
        assert!(us.is_unmapped(), "{us}");
        with_every_server(|driver| {
            let anybody_known = Allow::same_user().or(Allow::uid(us.uid())).or(Allow::gid(us.gid()));
            let server = driver.start(Server::builder().module(interop()).allow(anybody_known));
            RawPeer::connect(server.path()).assert_closed();
            let server = driver.start(Server::builder().module(interop()).allow(Allow::anyone()));
            RawPeer::connect(server.path()).assert_served(Wire::Chunked);
        });
    });
}

#[test]
fn who_has_no_number_is_nobody_though_the_server_can_open_no_file() {
    // D8: what tells that these users have no number is a file.
    in_a_namespace("who_has_no_number_is_nobody_though_the_server_can_open_no_file", || {
        with_every_server(|driver| {
            let overflow = rustix::process::geteuid().as_raw();
            let server = Server::builder()
                .module(interop())
                .module(Pools)
                .module(Tanks)
                .rule("users", Allow::gid(overflow))
                .rule("admin", Allow::uid(overflow))
                .rule("no one", Allow::no_one())
                .rule("logged in", Allow::no_one());
            let server = driver.start(server);
            let peer = RawPeer::connect(server.path());
            peer.assert_served(Wire::Chunked);
            let call = |module, method| {
                peer.send_call(Wire::Chunked, module, method, 1, b"");
                peer.recv_response(Wire::Chunked).status
            };
            let refused = with_descriptors_left(0, || [call(5, 501), call(6, 600)]);
            assert_eq!(refused, [Status::FAILURE; 2]);
            assert_eq!([call(5, 501), call(6, 600)], [Status::FAILURE; 2]);
        });
    });
}

/// Runs a test in a process that is in a namespace of users of its own, in which nobody has a number.
fn in_a_namespace(name: &str, test: impl FnOnce()) {
    let unshared = || {
        let mut command = Command::new("unshare");
        command.arg("-U");
        command
    };
    // In there, no further one can be made.
    if !is_isolated() && !unshared().arg("true").status().is_ok_and(|status| status.success()) {
        println!("skipped: this host lets nobody make a namespace of users");
        return;
    }
    let start = |binary: PathBuf| {
        let mut command = unshared();
        command.arg(binary);
        command
    };
    isolated_by(&format!("access::{name}"), start, test);
}

#[test]
fn a_rule_that_panics_refuses_and_the_server_goes_on() {
    with_every_server(|driver| {
        // S1, S10.
        let first = AtomicBool::new(true);
        let rule = Allow::when(move |_| {
            assert!(!first.swap(false, Ordering::SeqCst), "the first");
            true
        });
        let server = driver.start(Server::builder().module(interop()).allow(rule));
        RawPeer::connect(server.path()).assert_closed();
        RawPeer::connect(server.path()).assert_served(Wire::Chunked);
    });
}

#[test]
fn a_client_that_may_not_connect_is_told_that_the_server_closed() {
    in_order(async {
        let pools = PoolsClient::new(client_as(server().allow(Allow::root()), 1000, &[]));
        let error = pools.list().await.unwrap_err();
        // C3: before anything was sent.
        assert_eq!(error.kind(), CallErrorKind::NotConnected, "{error}");
    });
}

#[test]
fn a_call_that_is_refused_answers_failure_is_logged_and_the_session_goes_on() {
    with_every_server(|driver| {
        // D3, D4: FAILURE, without a body.
        let (logs, _guard) = Logs::of_this_thread();
        let server = driver.start(server().module(interop()));
        for wire in WIRES {
            let peer = RawPeer::connect(server.path());
            peer.send_call(wire, 5, 502, 9, b"not looked at");
            let response = peer.recv_response(wire);
            assert_eq!((response.sequence, response.status, response.body.len()), (9, Status::FAILURE, 0));
            peer.assert_served(wire);
        }
        logs.assert_contain("call failed: refused: rule `no one` does not allow this caller");
        let us = PeerCredentials::this_process();
        logs.assert_contain(&format!("uid={} pid={}", us.uid(), std::process::id()));
        logs.assert_contain(r#"method_name="never""#);
    });
}

#[test]
fn module_and_method_must_both_allow_and_denying_wins() {
    in_order(async {
        for (uid, groups, destroy, fill, empty) in [
            (0, &[][..], true, true, true),
            (1000, &[], false, true, false),
            (1000, &[ADMIN], true, true, true),
            // Denied by the module's rule, though the method's allows.
            (1001, &[ADMIN], true, false, false),
            (1001, &[], false, false, false),
        ] {
            let pools = PoolsClient::new(client_as(server(), uid, groups));
            let tanks = TanksClient::new(client_as(server(), uid, groups));
            pools.list().await.unwrap();
            for (called, allowed) in
                [(pools.destroy().await, destroy), (tanks.fill().await, fill), (tanks.empty().await, empty)]
            {
                let status = called.map_or_else(|error| error.status().unwrap(), |()| Status::SUCCESS);
                let expected = if allowed { Status::SUCCESS } else { Status::FAILURE };
                assert_eq!(status, expected, "uid {uid}, groups {groups:?}");
            }
        }
    });
}

#[test]
fn a_rule_may_follow_what_the_session_has_done() {
    in_order(async {
        let pools = PoolsClient::new(client_as(server(), 1000, &[]));
        assert_eq!(pools.secret().await.unwrap_err().status(), Some(Status::FAILURE));
        pools.log_in().await.unwrap();
        pools.secret().await.unwrap();
        // Another session has not.
        let other = PoolsClient::new(client_as(server(), 1000, &[]));
        assert_eq!(other.secret().await.unwrap_err().status(), Some(Status::FAILURE));
    });
}

#[test]
fn a_server_does_not_start_with_rules_that_it_does_not_define() {
    // All of them are named, with what to do.
    let directory = tempfile::tempdir().unwrap();
    let server = Server::builder()
        .explicit_modules_only()
        .module(Pools)
        .module(Tanks)
        .rule("admins", Allow::root())
        .rule("no one", Allow::no_one());
    let error = server.bind(directory.path().join("s")).unwrap_err();
    assert!(error.is_module_error());
    let text = error.to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    for (line, beginning) in lines.iter().zip([
        "method 501 (destroy) of module 5 (pools) is for those whom rule `admin` allows, and the server defines no such \
         rule: add `.rule(\"admin\", …)` to the server, or change `allow` in ",
        "method 504 (secret) of module 5 (pools) is for those whom rule `logged in` allows",
        "module 6 (tanks) is for those whom rule `users` allows",
        "method 601 (empty) of module 6 (tanks) is for those whom rule `admin` allows",
    ]) {
        assert!(line.starts_with(beginning), "{line}");
        assert!(line.ends_with("; defined are `admins`, `no one`"), "{line}");
    }
    assert!(std::fs::read_dir(directory.path()).unwrap().next().is_none(), "no socket was made");
}

#[test]
fn a_group_may_be_named() {
    // D8: every system has that of root.
    let server = || {
        Server::builder()
            .explicit_modules_only()
            .module(Tanks)
            .rule("users", Allow::group("root"))
            .rule("admin", Allow::no_one())
    };
    let call = |uid, gid| {
        in_order(async {
            let peer = PeerCredentials::new(uid, gid);
            let client = drpc::testing::client_as(server(), peer).unwrap();
            TanksClient::new(client).fill().await.map_err(|error| error.status().unwrap())
        })
    };
    assert_eq!(call(1000, 0), Ok(()));
    assert_eq!(call(0, 1000), Err(Status::FAILURE));
}

#[test]
fn a_server_does_not_start_with_a_group_that_the_system_does_not_know() {
    // Ours. Also where the rule denies it, which would let its members in.
    let typo = || Allow::group("no_such_group");
    let server = || Server::builder().explicit_modules_only().module(interop());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let why = "names group `no_such_group`: there is no such group; make it (`groupadd`), or correct `Allow::group(…)`";
    for (server, rule) in [
        (server().allow(typo()), "the rule of who may connect"),
        (server().allow(Allow::anyone().except(typo())), "the rule of who may connect"),
        (server().rule("admin", Allow::root().or(typo())), "rule `admin`"),
    ] {
        let error = server.bind(&path).unwrap_err();
        assert_eq!(error.to_string(), format!("{rule} {why}"));
    }
    server().allow(typo()).bind_blocking(&path).unwrap_err();
    server().allow(typo()).bind_progress(&path).unwrap_err();
    assert!(!path.exists());
    // Outside of a server it fails closed.
    let session = drpc::Session::new(1, PeerCredentials::new(0, 0));
    assert!(!Allow::anyone().except(typo()).allows(&session));
    assert!(!Allow::root().or(typo()).allows(&session));
}
