//! Three hosts, each with a network of its own, behind a bridge.

use std::env;
use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use drpc::{Bytes, CallError, CallErrorKind, CallOptions, ConnectError};
use drpc_grpc::{GrpcCaller, GrpcServer, Tls, call_each};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Pid, gettid};
use tokio::sync::oneshot;

use crate::PATIENCE;
use crate::certificates::{Authority, Signed};
use crate::modules::{GreeterClient, Hello, modules};

const TEST: &str = "network::three_hosts_call_and_part_and_meet_again";

/// Set for the process that has a network to itself.
const INSIDE: &str = "DRPC_TEST_HAS_A_NETWORK";

/// It goes on in a process that is root of its own network. Where none can be had, it says so and proves nothing.
#[test]
fn three_hosts_call_and_part_and_meet_again() {
    if env::var_os(INSIDE).is_some() {
        return inside();
    }
    let own = |program: &OsStr, arguments: &[&str]| {
        let mut own = Command::new("unshare");
        own.args(["--user", "--map-root-user", "--net"]).arg(program).args(arguments).env(INSIDE, "yes");
        own.output()
    };
    let reason = match own("ip".as_ref(), &["link", "add", "one", "type", "veth", "peer", "name", "other"]) {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Some(error.to_string()),
    };
    if let Some(reason) = reason {
        return eprintln!("skipped: no network can be made for each host: {reason}");
    }
    let program = env::current_exe().unwrap();
    let output = own(program.as_ref(), &[TEST, "--exact", "--nocapture"]).unwrap();
    let said = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// A host, on a thread that has a network of its own.
struct Host {
    number: u8,
    leave: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

const PORT: u16 = 7443;

impl Host {
    /// Starts one, whose network has an address and a port of the bridge.
    fn start(number: u8, tls: Tls) -> Self {
        let (tell_thread, thread_told) = mpsc::channel();
        let (tell_ready, ready_told) = mpsc::channel();
        let (tell_wired, wired_told) = mpsc::channel();
        let (leave, left) = oneshot::channel();
        let thread = thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            tell_thread.send(gettid()).unwrap();
            wired_told.recv().unwrap();
            ip(&format!("address add {}/24 dev eth0", address(number)));
            ip("link set eth0 up");
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let all = SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT));
                let (modules, _hears) = modules();
                let server = GrpcServer::builder(modules).tls(tls).bind(all).await.unwrap();
                tell_ready.send(()).unwrap();
                tokio::select! {
                    served = server.serve() => served.unwrap(),
                    _ = left => {}
                }
            });
        });
        wire(number, thread_told.recv().unwrap());
        tell_wired.send(()).unwrap();
        ready_told.recv().unwrap();
        Host { number, leave, thread }
    }

    /// Goes away, as a process that is killed does: the connections end, and the network is no more.
    fn leave(self) {
        drop(self.leave);
        self.thread.join().unwrap();
        // The kernel takes it down some time later by itself.
        let _ = Command::new("ip").args(["link", "delete", &format!("port{}", self.number)]).output();
    }
}

fn address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 97, 0, number)
}

/// A cable from a port of the bridge to the network of a thread.
fn wire(number: u8, thread: Pid) {
    ip(&format!("link add port{number} type veth peer name eth0 netns {thread}"));
    ip(&format!("link set port{number} master bridge up"));
    // An earlier host of this address had another card.
    ip("neighbour flush dev bridge");
}

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

async fn caller(number: u8, tls: Tls) -> Result<GrpcCaller, ConnectError> {
    let settings = GrpcCaller::builder(format!("https://{}:{PORT}", address(number)));
    settings.tls(tls).server_name("localhost").connect().await
}

/// Calls a host that must not answer.
async fn refusal(number: u8, tls: Tls) -> CallError {
    let called = async {
        // TLS 1.3 tells a caller only with its first answer.
        GreeterClient::new(caller(number, tls).await?).hello(Hello::default()).await
    };
    called.await.unwrap_err()
}

/// Calls all three; a host's name comes back from each that answers.
async fn call_all(tls: &Tls, time: Duration) -> Vec<Result<String, CallError>> {
    let outcomes = call_each([1, 2, 3], 3, async |number| {
        let settings = GrpcCaller::builder(format!("https://{}:{PORT}", address(number)));
        let caller = settings.tls(tls.clone()).server_name("localhost").timeout(time).connect_lazy()?;
        Ok(GreeterClient::new(caller).hello(Hello { name: number.to_string() }).await?.greeting)
    });
    outcomes.await.into_iter().map(|(_, outcome)| outcome).collect()
}

/// As long as nobody waits who knows that nothing comes.
const SOON: Duration = Duration::from_secs(1);

fn inside() {
    ip("link add bridge type bridge");
    ip("link set bridge up");
    ip(&format!("address add {}/24 dev bridge", address(254)));
    let authority = Authority::new();
    let of_host = |signed: &Signed| authority.tls(signed);
    let mut hosts = (1..=3).map(|number| Host::start(number, of_host(&authority.host()))).collect::<Vec<_>>();
    let admin = authority.tls(&authority.caller("admin"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();

    // All three answer.
    let replies = runtime.block_on(call_all(&admin, PATIENCE));
    let replies: Vec<_> = replies.into_iter().map(Result::unwrap).collect();
    assert_eq!(replies, ["Hello 1", "Hello 2", "Hello 3"]);

    // A host goes away in mid call.
    let greeter = GreeterClient::new(runtime.block_on(caller(3, admin.clone())).unwrap());
    let call = runtime.spawn(greeter.wait());
    // It is answered after the other has come: they are on one connection.
    runtime.block_on(greeter.hello(Hello::default())).unwrap();
    hosts.pop().unwrap().leave();
    let error = runtime.block_on(call).unwrap().unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (CallErrorKind::Disconnected, false), "{error}");

    // Two replies and one error, and nobody waits for longer than was said.
    let outcomes = runtime.block_on(call_all(&admin, SOON));
    let replies: Vec<_> = outcomes.iter().map(|outcome| outcome.as_deref().ok()).collect();
    assert_eq!(replies, [Some("Hello 1"), Some("Hello 2"), None]);
    let error = outcomes[2].as_ref().unwrap_err();
    assert!(error.is_timeout() || error.is_connect(), "{error}");

    // A partition, which heals: calls and streams of the same connection go on.
    let greeter = GreeterClient::new(runtime.block_on(caller(2, admin.clone())).unwrap());
    let mut items = runtime.block_on(greeter.endless(Bytes::from(vec![7; 1000]))).unwrap();
    runtime.block_on(items.next()).unwrap().unwrap();
    ip("link set port2 down");
    let hello = greeter.clone().with(CallOptions::new().timeout(SOON)).hello(Hello::default());
    let error = runtime.block_on(hello).unwrap_err();
    assert_eq!(error.kind(), CallErrorKind::Timeout, "{error}");
    ip("link set port2 up");
    let hello = greeter.with(CallOptions::new().timeout(PATIENCE)).hello(Hello::default());
    runtime.block_on(hello).unwrap();
    for _ in 0..10_000 {
        runtime.block_on(items.next()).unwrap().unwrap();
    }

    // Callers whose certificates have expired, or are of a stranger.
    let stranger = Authority::new();
    let of_stranger = stranger.caller("admin");
    let of_stranger =
        Tls::from_pem(&of_stranger.certificate, &of_stranger.key, &authority.certificate).unwrap();
    for tls in [authority.tls(&authority.expired("admin")), of_stranger] {
        let error = runtime.block_on(refusal(1, tls));
        let kinds = [CallErrorKind::Connect, CallErrorKind::Disconnected];
        assert!(kinds.contains(&error.kind()), "{error:?}");
    }

    // Hosts whose certificates are so; and one that comes back.
    let of_stranger = stranger.host();
    let of_stranger =
        Tls::from_pem(&of_stranger.certificate, &of_stranger.key, &authority.certificate).unwrap();
    for tls in [of_host(&authority.expired_host()), of_stranger] {
        let host = Host::start(3, tls);
        let error = runtime.block_on(refusal(3, admin.clone()));
        assert_eq!(error.kind(), CallErrorKind::Connect, "{error:?}");
        assert!(error.to_string().contains("certificate"), "{error}");
        host.leave();
    }
    hosts.push(Host::start(3, of_host(&authority.host())));
    let replies = runtime.block_on(call_all(&admin, PATIENCE));
    assert!(replies.iter().all(Result::is_ok), "{replies:?}");
    hosts.into_iter().for_each(Host::leave);
}
