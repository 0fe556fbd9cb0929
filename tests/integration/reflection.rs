//! Reflection: a module that the crate brings along.

use std::any::type_name;
use std::path::Path;
use std::time::SystemTime;

use drpc::health::Health;
use drpc::reflection::{
    BodyInfo, BodyKind, CATALOGUE, MethodInfo, ModuleInfo, ReflectionClient, SessionInfo,
};
use drpc::testing::{InMemoryServer, server_of};
use drpc::wire::Response;
use drpc::{
    Allow, Client, Order, PeerCredentials, Server, Status, Submitted, Wire, WithFds, blocking, drpc_module,
};

use crate::support::{
    Gate, Hello, RawPeer, WIRES, echo, gated, in_order, interop, patiently, with_every_server,
};

struct Disks;

/// A message of a `.proto`, as drpc-build makes them.
#[derive(Clone, PartialEq, prost::Message)]
struct Disk {}

impl prost::Name for Disk {
    const NAME: &'static str = "Disk";
    const PACKAGE: &'static str = "disks.v1";
}

/// The disks of this host.
///
///     as they are
#[drpc_module(id = 6, allow = "users", unlisted)]
impl Disks {
    /// Finds one.
    #[method(1, idempotent, timeout = "5s", request_limit = "64KiB")]
    fn find(&self, _: Hello) -> Disk {
        Disk {}
    }

    #[method(2, allow = "admin")]
    async fn format(&self, gate: bytes::Bytes) {
        drop(gate);
    }

    #[method(4)]
    #[doc = concat!("Puts one ", "into the drawer.")]
    fn eject(&self) -> Submitted {
        Submitted
    }

    #[method(5, fds)]
    fn open(&self) -> WithFds<Disk> {
        WithFds::default()
    }
}

fn client(path: &Path) -> ReflectionClient<blocking::Client> {
    ReflectionClient::new(blocking::Client::connect(path).unwrap())
}

/// A client of a server in memory, as another user's.
fn client_as(server: &InMemoryServer, uid: u32) -> ReflectionClient<Client> {
    ReflectionClient::new(server.clone().peer(PeerCredentials::new(uid, uid)).client())
}

/// A user who is neither root nor whoever runs the tests.
fn stranger() -> u32 {
    PeerCredentials::this_process().uid() + 1
}

fn message(type_name: &str) -> BodyInfo {
    BodyInfo { kind: BodyKind::Message.into(), type_name: type_name.into() }
}

fn nothing() -> BodyInfo {
    BodyInfo { kind: BodyKind::Nothing.into(), ..Default::default() }
}

#[test]
fn a_server_tells_what_it_serves() {
    with_every_server(|driver| {
        let before = SystemTime::now();
        let builder = Server::builder()
            .module(Disks)
            .module(echo())
            .rule("users", Allow::anyone())
            .rule("admin", Allow::same_user())
            .health(&Health::new())
            .allow_unlisted()
            .reflection(true);
        let server = driver.start(builder);
        let catalogue = client(server.path()).catalogue().unwrap();
        let since = catalogue.serving_since().unwrap();
        assert!(
            since <= SystemTime::now() && before.duration_since(since).unwrap_or_default().as_secs() == 0
        );

        let [disks, interop, health, reflection] = &catalogue.modules[..] else {
            panic!("{:?}", catalogue.modules)
        };
        let declared_in_rust =
            BodyInfo { kind: BodyKind::RustMessage.into(), type_name: type_name::<Hello>().into() };
        let expected = ModuleInfo {
            id: 6,
            name: "disks".into(),
            docs: "The disks of this host.\n\n    as they are".into(),
            rule: Some("users".into()),
            is_remote: false,
            methods: vec![
                MethodInfo {
                    id: 601,
                    name: "find".into(),
                    docs: "Finds one.".into(),
                    is_idempotent: true,
                    timeout_ms: Some(5000),
                    request_limit: Some(64 << 10),
                    request: declared_in_rust,
                    reply: message("disks.v1.Disk"),
                    ..Default::default()
                },
                MethodInfo {
                    id: 602,
                    name: "format".into(),
                    rule: Some("admin".into()),
                    request: BodyInfo { kind: BodyKind::Raw.into(), ..Default::default() },
                    reply: nothing(),
                    ..Default::default()
                },
                MethodInfo {
                    id: 604,
                    name: "eject".into(),
                    docs: "Puts one into the drawer.".into(),
                    request: nothing(),
                    reply: nothing(),
                    ..Default::default()
                },
                MethodInfo {
                    id: 605,
                    name: "open".into(),
                    request: nothing(),
                    reply: message("disks.v1.Disk"),
                    has_fds: true,
                    ..Default::default()
                },
            ],
        };
        assert_eq!(*disks, expected);

        // Of a module written by hand, it is not known what it carries.
        let scripted = MethodInfo { id: 700, name: "scripted".into(), ..Default::default() };
        let by_hand =
            ModuleInfo { id: 7, name: "interop".into(), methods: vec![scripted], ..Default::default() };
        assert_eq!(*interop, by_hand);
        let names = |module: &ModuleInfo| {
            let methods: Vec<_> = module.methods.iter().map(|method| method.name.clone()).collect();
            (module.id, methods.join(" "))
        };
        assert_eq!(names(health), (21_474_800, "check watch".into()));
        assert_eq!(names(reflection), (21_474_801, "catalogue descriptors sessions".into()));
    });
}

#[test]
fn nobody_learns_of_what_they_may_not_call() {
    in_order(async {
        let (me, stranger) = (PeerCredentials::this_process().uid(), stranger());
        let builder = Server::builder()
            .explicit_modules_only()
            .module(Disks)
            .module(echo())
            .rule("users", Allow::uids([me, stranger]))
            .rule("admin", Allow::uid(me))
            .reflection(true)
            .message_descriptors(b"no set");
        let server = server_of(builder).unwrap();
        let told = async |uid| {
            let catalogue = client_as(&server, uid).catalogue().await.unwrap();
            let modules = catalogue.modules.iter().filter(|module| module.id < 1000);
            modules.flat_map(|module| &module.methods).map(|method| method.id).collect::<Vec<_>>()
        };
        assert_eq!(told(me).await, [601, 602, 604, 605, 700]);
        assert_eq!(told(stranger).await, [601, 604, 605, 700]);
        let catalogue = client_as(&server, stranger + 1).catalogue().await.unwrap();
        let modules: Vec<_> = catalogue.modules.iter().map(|module| module.id).collect();
        assert_eq!(modules, [7, 21_474_801]);
        // What can't be read can't be looked through for what is hidden from them.
        assert_eq!(client_as(&server, me).descriptors().await.unwrap(), "no set");
        assert_eq!(client_as(&server, stranger).descriptors().await.unwrap(), "");
    });
}

#[test]
fn a_server_tells_what_it_is_doing() {
    with_every_server(|driver| {
        let gate = Gate::new();
        let builder = Server::builder().order(Order::Concurrent(4)).module(gated(&gate)).reflection(true);
        let server = driver.start(builder);
        let client = client(server.path());
        let peer = RawPeer::connect(server.path());
        peer.assert_served(Wire::Chunked);
        peer.send_call(Wire::Chunked, 7, 705, 9, b"");
        in_order(gate.arrived(1));

        let others = || -> Vec<SessionInfo> {
            let page = client.sessions(0).unwrap();
            assert!(!page.has_more);
            let (own, others): (Vec<_>, _) = page.sessions.into_iter().partition(|session| session.is_own);
            assert_eq!(own.len(), 1);
            others
        };
        // Its handler may still be on its way to where it waits.
        let waiting = loop {
            let [session] = &others()[..] else { panic!() };
            if session.calls_running == 1 {
                break session.clone();
            }
        };
        let me = PeerCredentials::this_process();
        assert_eq!((waiting.uid, waiting.gid, waiting.pid), (me.uid(), me.gid(), me.pid()));
        assert!(!waiting.process.is_empty());
        assert!(waiting.opened_at().unwrap() <= SystemTime::now());
        assert_eq!(waiting.calls_done, 1);
        let [call] = &waiting.running[..] else { panic!("{waiting:?}") };
        assert_eq!((call.module, call.method, call.sequence), (7, 705, 9));
        assert_eq!((&*call.module_name, &*call.method_name), ("interop", "scripted"));
        assert!(client.sessions(waiting.id).unwrap().sessions.iter().all(|session| session.id > waiting.id));

        gate.open(1);
        assert_eq!(peer.recv_response(Wire::Chunked).sequence, 9);
        while others()[0].calls_done != 2 {}
        assert_eq!(others()[0].calls_running, 0);
        // A session that has ended is not told of.
        drop(peer);
        while !others().is_empty() {}
    });
}

#[test]
fn a_user_sees_their_own_sessions_and_those_who_run_the_server_see_all() {
    in_order(async {
        let stranger = stranger();
        let server = server_of(Server::builder().module(echo()).reflection(true)).unwrap();
        let clients = [0, PeerCredentials::this_process().uid(), stranger, stranger, stranger + 1];
        let clients = clients.map(|uid| (uid, client_as(&server, uid)));
        for (_, client) in &clients {
            client.catalogue().await.unwrap();
        }
        for (uid, client) in &clients {
            let seen = client.sessions(0).await.unwrap().sessions;
            assert_eq!(seen.iter().filter(|session| session.is_own).count(), 1);
            match clients.iter().filter(|(other, _)| other == uid).count() {
                _ if *uid < stranger => assert_eq!(seen.len(), clients.len()),
                own => assert_eq!((seen.len(), seen[0].uid), (own, *uid)),
            }
        }
    });
}

#[test]
fn a_call_is_counted_for_those_who_may_not_know_what_it_does() {
    in_order(async {
        let (me, stranger) = (PeerCredentials::this_process().uid(), stranger());
        let gate = Gate::new();
        struct Held(Gate);
        #[drpc_module(id = 8, unlisted)]
        impl Held {
            #[method(1, allow = "once")]
            async fn hold(&self) {
                self.0.pass().await;
            }
        }
        struct MayNot;
        let builder = Server::builder()
            .module(Held(gate.clone()))
            .rule("once", Allow::when(|session| session.extensions().get::<MayNot>().is_none()))
            // What a user may do may be up to the session.
            .on_open(|session| {
                if session.id() > 1 {
                    session.extensions().insert(MayNot);
                }
                Ok(())
            })
            .reflection(true);
        let server = server_of(builder).unwrap();
        let holding = server.clone().peer(PeerCredentials::new(stranger, stranger)).client();
        let held = tokio::spawn(async move { HeldClient::new(holding).hold().await });
        gate.arrived(1).await;

        for uid in [stranger, me] {
            let client = client_as(&server, uid);
            let page = patiently("the call", async {
                loop {
                    let page = client.sessions(0).await.unwrap();
                    if page.sessions[0].calls_running == 1 {
                        return page;
                    }
                }
            });
            let session = &page.await.sessions[0];
            assert_eq!((session.uid, &session.running[..]), (stranger, &[][..]));
        }
        gate.open(1);
        held.await.unwrap().unwrap();
    });
}

#[test]
fn sessions_come_in_pages() {
    in_order(async {
        let server = server_of(Server::builder().module(interop()).reflection(true)).unwrap();
        let mut clients = Vec::new();
        for _ in 0..300 {
            let client = ReflectionClient::new(server.client());
            client.sessions(u64::MAX).await.unwrap();
            clients.push(client);
        }
        let first = clients[0].sessions(0).await.unwrap();
        assert_eq!((first.sessions.len(), first.has_more), (256, true));
        let second = clients[0].sessions(first.sessions[255].id).await.unwrap();
        assert_eq!((second.sessions.len(), second.has_more), (44, false));
        assert!(first.sessions[255].id < second.sessions[0].id);
    });
}

#[test]
fn the_descriptors_are_what_the_server_was_given() {
    with_every_server(|driver| {
        let server = driver.start(Server::builder().module(echo()).reflection(true));
        assert_eq!(client(server.path()).descriptors().unwrap(), "");
        let builder = Server::builder().module(echo()).reflection(true);
        let server = driver.start(builder.message_descriptors(b"one").message_descriptors(b"two"));
        assert_eq!(client(server.path()).descriptors().unwrap(), "onetwo");
    });
}

#[test]
fn it_is_a_module_like_another_on_both_wires() {
    with_every_server(|driver| {
        let server =
            driver.start(Server::builder().module(echo()).reflection(true).message_descriptors(b"set"));
        for wire in WIRES {
            let peer = RawPeer::connect(server.path());
            peer.send_call(wire, 21_474_801, 2_147_480_102, 1, b"");
            assert_eq!(peer.recv_response(wire).body, &b"set"[..]);
            peer.send_call(wire, 21_474_801, 2_147_480_103, 2, b"\xff");
            let unreadable = Response::failure(2, Status::FAILED_UNMARSHAL_PAYLOAD);
            assert_eq!(peer.recv_response(wire), unreadable);
            peer.send_call(wire, 21_474_801, 2_147_480_104, 3, b"");
            assert_eq!(peer.recv_response(wire), Response::failure(3, Status::UNKNOWN_METHOD));
        }
    });
}

#[test]
fn a_server_that_is_not_told_to_tells_nothing() {
    // D2.
    with_every_server(|driver| {
        for builder in [Server::builder(), Server::builder().reflection(true).reflection(false)] {
            let server = driver.start(builder.module(echo()));
            let error = client(server.path()).catalogue().unwrap_err();
            assert_eq!(error.status(), Some(Status::UNKNOWN_MODULE));
            assert_eq!(CATALOGUE.id(), 2_147_480_101);
        }
    });
}
