use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::Arc;

use drpc::blocking::Client;
use drpc::reflection::ReflectionClient;
use drpc::{Bytes, CallOptions, Context, Failure, Method, Module, Order, Reply, Server, ServerBuilder};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use snapbox::str;

use crate::support::{Folder, Serving, interrupt};

/// Module 7: `hold` ends when its caller leaves.
struct Holder;

const HOLD: Method = Method::new(7, 701, "hold\x1b[2J");

#[drpc::async_trait]
impl Module for Holder {
    fn id(&self) -> i32 {
        7
    }

    fn name(&self) -> &str {
        "holder"
    }

    fn get_method(&self, id: i32) -> Option<Method> {
        (id == HOLD.id()).then_some(HOLD)
    }

    async fn handle_call(self: Arc<Self>, context: Context, _: Method, _: Bytes) -> Result<Reply, Failure> {
        context.cancelled().await;
        Ok(Bytes::new().into())
    }
}

fn reflecting() -> ServerBuilder {
    Server::builder().order(Order::Concurrent(4)).module(Holder).reflection(true)
}

/// A server that holds a call, once it can be seen.
fn holding(folder: &Folder) -> (Serving, std::thread::JoinHandle<()>) {
    let server = folder.serve(reflecting());
    let client = Client::connect(folder.path("s.sock")).unwrap();
    let holding = std::thread::spawn(move || {
        // It ends with its server.
        let _ = client.call_raw(HOLD, "", &CallOptions::new().timeout(std::time::Duration::MAX));
    });
    let reflection = ReflectionClient::new(Client::connect(folder.path("s.sock")).unwrap());
    while reflection
        .sessions(0)
        .unwrap()
        .sessions
        .iter()
        .all(|session| session.is_own || session.running.is_empty())
    {}
    (server, holding)
}

#[test]
fn sessions_and_calls_come_as_a_table() {
    let folder = Folder::new();
    let (server, holding) = holding(&folder);
    folder.drpc("top s.sock --once --interval 10ms").assert().code(0).stderr_eq("").stdout_eq(str![[r#"
s.sock  up [..]  sessions 1  calls running 1  calls/s 0.0

 SESSION      PID PROCESS               UID  OPEN FOR      CALLS   CALLS/S RUNNING
       1 [..] tool-[..] [..] [..]s          0       0.0       1

 SESSION  RUNS FOR METHOD
       1 [..]s holder.hold�[2J

"#]]);
    drop(server);
    holding.join().unwrap();
}

#[test]
fn a_line_of_json_comes_for_each_look() {
    let folder = Folder::new();
    let (server, holding) = holding(&folder);
    let mut top = Command::new(snapbox::cmd::cargo_bin!("drpc"))
        .args(["top", "--interval", "10ms", "--sort", "age"])
        .arg(folder.path("s.sock"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(top.stdout.take().unwrap()).lines();
    let mut look = || serde_json::from_str::<serde_json::Value>(&lines.next().unwrap().unwrap()).unwrap();
    let (first, second) = (look(), look());
    assert_eq!(first["calls_per_second"], serde_json::Value::Null);
    assert_eq!(second["calls_per_second"], 0.0);
    assert_eq!(second["calls_running"], 1);
    let session = &second["sessions"][0];
    assert_eq!((&session["pid"], &session["calls_running"]), (&std::process::id().into(), &1.into()));
    let call = &session["running"][0];
    assert_eq!((&call["module_id"], &call["method_id"]), (&7.into(), &701.into()));
    assert!(call["age_us"].as_u64().unwrap() > 0);
    interrupt(&top);
    assert_eq!(top.wait().unwrap().code(), Some(0));
    drop(server);
    holding.join().unwrap();
}

#[test]
fn a_terminal_is_drawn_on_in_place_and_given_back() {
    let folder = Folder::new();
    let (server, holding) = holding(&folder);
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    tcsetwinsize(&terminal, Winsize { ws_row: 12, ws_col: 60, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let ours = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let mut top = Command::new(snapbox::cmd::cargo_bin!("drpc"))
        .args(["top", "--interval", "10ms"])
        .arg(folder.path("s.sock"))
        .stdout(ours.try_clone().unwrap())
        .spawn()
        .unwrap();
    let mut terminal = File::from(terminal);
    let mut drawn = Vec::new();
    let mut read_until = |wanted: &str, times: usize| {
        let count = |drawn: &[u8]| String::from_utf8_lossy(drawn).matches(wanted).count();
        while count(&drawn) < times {
            let mut bytes = [0; 4096];
            let read = terminal.read(&mut bytes).unwrap();
            drawn.extend_from_slice(&bytes[..read]);
        }
        String::from_utf8_lossy(&drawn).into_owned()
    };
    let text = read_until("RUNS FOR METHOD", 3);
    assert!(text.starts_with("\x1b[?1049h"), "{text:?}");
    // A method's name drives no terminal.
    assert!(text.contains("holder.hold\u{fffd}[2J") && !text.contains("\x1b[2J"), "{text:?}");
    interrupt(&top);
    let text = read_until("\x1b[?1049l", 1);
    assert!(text.contains("\x1b[?25h"), "{text:?}");
    assert_eq!(top.wait().unwrap().code(), Some(0));
    drop((ours, server));
    holding.join().unwrap();
}

#[test]
fn who_can_not_be_asked_exits_3_and_says_why() {
    let folder = Folder::new();
    folder.drpc("top s.sock --once").assert().code(3).stdout_eq("").stderr_eq(str![[r#"
drpc: can't connect to s.sock: No such file or directory (os error 2); is the server started, and the path right?

"#]]);
    let server = folder.serve(Server::builder().module(Holder));
    folder.drpc("top s.sock --once").assert().code(3).stdout_eq("").stderr_eq(str![[r#"
drpc: the server has no reflection; it needs `.reflection(true)` where it is built

"#]]);
    drop(server);
    let _silent = Folder::listen(&folder);
    folder.drpc("top s.sock --once --timeout 50ms").assert().code(3).stdout_eq("").stderr_eq(str![[r#"
drpc: can't connect to s.sock: the server did not take the connection within 50ms; it may be stuck or overloaded

"#]]);
    folder.drpc("top s.sock --interval 0s").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
error: invalid value '0s' for '--interval <INTERVAL>': expected a time above 0, such as 500ms

For more information, try '--help'.

"#]]);
    folder.drpc("top s.sock --sort pid").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
error: invalid value 'pid' for '--sort <SORT>'
  [possible values: rate, calls, running, age, opened]

For more information, try '--help'.

"#]]);
}

/// What a server is called, or calls what it has, is no command to a terminal.
#[test]
fn a_servers_texts_are_shown_without_what_a_terminal_obeys() {
    let folder = Folder::new();
    let _server = folder.serve(reflecting());
    for line in ["list s.sock", "describe s.sock", "list s.sock --json"] {
        let said = folder.drpc(line).assert().code(0).get_output().stdout.clone();
        assert!(!said.contains(&0x1b), "{line}");
        assert!(String::from_utf8(said).unwrap().contains("hold\u{fffd}[2J"), "{line}");
    }
}
