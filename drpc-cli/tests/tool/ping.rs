use std::io::Read;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use drpc::health::Health;
use drpc::{Server, Wire};
use rustix::net::{self, RecvFlags, SendFlags};
use snapbox::str;

use crate::support::{Folder, interrupt};

#[test]
fn a_server_tells_what_it_is() {
    let folder = Folder::new();
    let _server = folder.serve(Server::builder().health(&Health::new()).reflection(true));
    folder.drpc("ping s.sock").assert().code(0).stderr_eq("").stdout_eq(str![[r#"
it is up
  wire        chunked (DAOS 2.8)
  served by   uid=[..] gid=[..] pid=[..] (tool-[..])
  since       [..]Z, [..] ago
  health      SERVING
  modules     2, by its reflection
  connecting  [..]
  5 pings     min [..], median [..], max [..]

"#]]);
}

/// As DAOS's servers are, which have neither: the probe alone is asked of them.
#[test]
fn a_server_without_health_and_reflection_is_up_too() {
    let folder = Folder::new();
    let _server = folder.serve(Server::builder().wire(Wire::Plain));
    folder.drpc("ping s.sock -n 1").assert().code(0).stderr_eq("").stdout_eq(str![[r#"
it is up
  wire        plain (DAOS 2.6)
  served by   uid=[..] gid=[..] pid=[..] (tool-[..])
  since       [..]Z, [..] ago: the age of its socket file
  health      unknown: it has no health check
  modules     unknown: it has no reflection
  connecting  [..]
  1 ping      min [..], median [..], max [..]

"#]]);
}

#[test]
fn what_is_told_comes_as_json() {
    let folder = Folder::new();
    let health = Health::new();
    let _server = folder.serve(Server::builder().health(&health).reflection(true));
    health.set(false);
    let output = folder.drpc("ping s.sock --json --wire chunked -n 3").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["wire"], "chunked");
    assert_eq!(told["pid"], std::process::id());
    assert_eq!(told["health"], "NOT_SERVING");
    assert_eq!((&told["modules"], &told["pings"]), (&2.into(), &3.into()));
    assert_eq!(told["since_is_of_socket_file"], false);
    assert!(told["min_us"].as_f64() <= told["median_us"].as_f64(), "{told}");
    assert!(told["median_us"].as_f64() <= told["max_us"].as_f64(), "{told}");
}

#[test]
fn who_does_not_answer_exits_3_and_says_why() {
    let folder = Folder::new();
    folder.drpc("ping s.sock").assert().code(3).stdout_eq("").stderr_eq(str![[r#"
drpc: can't connect to s.sock: No such file or directory (os error 2); is the server started, and the path right?

"#]]);
    drop(folder.listen());
    folder.drpc("ping s.sock").assert().code(3).stdout_eq("").stderr_eq(str![[r#"
drpc: can't connect to s.sock: Connection refused (os error 111); nobody listens there: the socket file is stale, start the server again

"#]]);

    let folder = Folder::new();
    let _stream = UnixListener::bind(folder.path("s.sock")).unwrap();
    folder.drpc("ping s.sock").assert().code(3).stdout_eq("").stderr_eq(str![[r#"
drpc: can't connect to s.sock: Protocol wrong type for socket (os error 91); a stream socket is there, not dRPC's SOCK_SEQPACKET

"#]]);

    let folder = Folder::new();
    let _silent = folder.listen();
    folder.drpc("ping s.sock --timeout 50ms").assert().code(3).stdout_eq("").stderr_eq(str![[r#"
drpc: can't connect to s.sock: the server did not take the connection within 50ms; it may be stuck or overloaded

"#]]);
    folder.drpc("ping s.sock --timeout 50ms --wire plain").assert().code(3).stdout_eq("").stderr_eq(str![[
        r#"
drpc: no reply came within 50ms; the call may have been executed

"#
    ]]);

    let folder = Folder::new();
    let _server = folder.serve(Server::builder());
    folder.drpc_as_stranger("ping s.sock").assert().code(3).stdout_eq("").stderr_eq(str![[r#"
drpc: can't connect to s.sock: Permission denied (os error 13); run as a user whom the socket's mode lets in, or open its mode at the server

"#]]);
    folder.drpc("ping s.sock -n 0").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
error: invalid value '0' for '--count <PINGS>': 0 is not in 1..=4294967295

For more information, try '--help'.

"#]]);
}

/// It said that it is chunked, and speaks plain.
#[test]
fn a_server_of_the_other_wire_is_told_of() {
    let folder = Folder::new();
    let _server = folder.serve(Server::builder().wire(Wire::Plain));
    folder.drpc("ping s.sock --wire chunked").assert().code(3).stdout_eq("").stderr_eq(str![[r#"
drpc: the server broke the wire's rules: peer speaks the plain wire of DAOS 2.6, and this end was set to the other wire; set it with `.wire(…)`, or to WireMode::Auto; the call may have been executed

"#]]);
}

/// Ctrl-c ends it at once, whatever is being waited for, and what was measured is told.
#[test]
fn what_was_measured_is_told_though_the_server_has_stopped_answering() {
    let folder = Folder::new();
    let listener = folder.listen();
    let mut ping = Command::new(snapbox::cmd::cargo_bin!("drpc"))
        .args(["ping", "s.sock", "-n", "2", "--wire", "plain", "--timeout", "10m"])
        .current_dir(folder.path(""))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let peer = net::accept(&listener).unwrap();
    let mut packet = [0; 1024];
    for sequence in 1..=2 {
        net::recv(&peer, &mut packet[..], RecvFlags::empty()).unwrap();
        net::send(&peer, &[8, sequence, 16, 3], SendFlags::empty()).unwrap();
    }
    // It asks for the health, and gets no answer.
    net::recv(&peer, &mut packet[..], RecvFlags::empty()).unwrap();
    interrupt(&ping);
    let mut said = String::new();
    ping.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(ping.wait().unwrap().code(), Some(0), "{said}");
    snapbox::assert_data_eq!(
        said,
        str![[r#"
it is up
  wire        plain (DAOS 2.6)
  served by   uid=[..] gid=[..] pid=[..] (tool-[..])
  since       [..]Z, [..] ago: the age of its socket file
  health      unknown: it did not say in time
  modules     unknown: it did not say in time
  connecting  [..]
  2 pings     min [..], median [..], max [..]

"#]]
    );
}
