use std::fs::File;
use std::io::{BufRead, IoSlice, IoSliceMut, Read, Seek, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::thread;

use drpc::blocking::Client;
use drpc::testing::MockModule;
use drpc::{AddedFields, Bytes, CallOptions, Method, Wire};
use rustix::net::{
    self, AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};
use rustix::process::{Pid, Signal, kill_process};
use snapbox::str;

use crate::shop;
use crate::support::{CONTRACT, Folder, Running, call, client, interrupt};

const REPLIES: &str = r#"
[[reply]]
method = "greeter.hello"
when = "ff"
status = "FAILURE"
error = "nobody of that name"

[[reply]]
method = "greeter.hello"
reply = "0a05"
"#;

/// A server of canned replies behind a trace.
fn traced(options: &str) -> (Folder, Running, Running) {
    let folder = Folder::with_registry();
    folder.write("replies.toml", REPLIES);
    let server = folder.spawn("serve s.sock --registry modules.toml --replies replies.toml");
    let trace = folder.spawn(&format!("trace t.sock s.sock --registry modules.toml{options}"));
    (folder, server, trace)
}

/// Three calls, of which one fails and one is of a method that is not there.
fn three_calls(socket: &Path) {
    let client = client(socket);
    call(&client, 501, b"\x0a\x01x").unwrap();
    call(&client, 501, b"\xff").unwrap();
    call(&client, 509, b"").unwrap();
}

fn stdout_of(trace: Running) -> String {
    let ended = trace.interrupt();
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).unwrap()
}

#[test]
fn calls_and_replies_are_shown_as_they_pass() {
    let (folder, _server, trace) = traced("");
    assert_eq!(trace.said, "listening on t.sock, for s.sock; ctrl-c ends it\n");
    three_calls(&folder.path("t.sock"));
    snapbox::assert_data_eq!(
        stdout_of(trace),
        str![[r#"
[..] #1 tool-[..] connected
[..] #1 tool-[..] > greeter.hello seq=1 3 bytes 0a0178
[..] #1 tool-[..] < greeter.hello seq=1 SUCCESS in [..] 2 bytes 0a05
[..] #1 tool-[..] > greeter.hello seq=2 1 bytes ff
[..] #1 tool-[..] < greeter.hello seq=2 FAILURE in [..] 0 bytes: nobody of that name
[..] #1 tool-[..] > greeter.509 seq=3 0 bytes
[..] #1 tool-[..] < greeter.509 seq=3 UNKNOWN_METHOD in [..] 0 bytes: unrecognized method ID
[..] #1 tool-[..] closed

"#]]
    );
    assert!(!folder.path("t.sock").exists());
}

/// W8: each session is read on the wire that it speaks.
#[test]
fn calls_of_the_plain_wire_are_shown_as_well() {
    let (folder, _server, trace) = traced(" --method 501");
    let plain = Client::builder(folder.path("t.sock")).wire(Wire::Plain).connect_blocking().unwrap();
    call(&plain, 501, b"\x01").unwrap();
    drop(plain);
    snapbox::assert_data_eq!(
        stdout_of(trace),
        str![[r#"
[..] #1 tool-[..] > greeter.hello seq=1 1 bytes 01
[..] #1 tool-[..] < greeter.hello seq=1 SUCCESS in [..] 2 bytes 0a05

"#]]
    );
}

#[test]
fn filters_leave_calls_out() {
    for (options, expected) in [
        (
            " --failed",
            str![[r#"
[..] #1 tool-[..] > greeter.hello seq=2 1 bytes ff
[..] #1 tool-[..] < greeter.hello seq=2 FAILURE in [..] 0 bytes: nobody of that name
[..] #1 tool-[..] > greeter.509 seq=3 0 bytes
[..] #1 tool-[..] < greeter.509 seq=3 UNKNOWN_METHOD in [..] 0 bytes: unrecognized method ID

"#]],
        ),
        (
            " --method greeter.hello --failed",
            str![[r#"
[..] #1 tool-[..] > greeter.hello seq=2 1 bytes ff
[..] #1 tool-[..] < greeter.hello seq=2 FAILURE in [..] 0 bytes: nobody of that name

"#]],
        ),
        (" --method 6", str![[""]]),
        (" --slower 1h", str![[""]]),
        (" --peer nobody", str![[""]]),
    ] {
        let (folder, _server, trace) = traced(options);
        three_calls(&folder.path("t.sock"));
        snapbox::assert_data_eq!(stdout_of(trace), expected);
    }
}

#[test]
fn a_trace_is_json_for_programs() {
    let (folder, _server, trace) = traced(" --json --failed --method 501");
    three_calls(&folder.path("t.sock"));
    snapbox::assert_data_eq!(
        stdout_of(trace),
        str![[r#"
{"event":"call","time":"[..]","session":1,"peer":{"pid":[..],"uid":[..],"program":"tool-[..]"},"method":"greeter.hello","method_id":501,"sequence":2,"bytes":1,"body":"ff","descriptors":0}
{"event":"reply","time":"[..]","session":1,"peer":{"pid":[..],"uid":[..],"program":"tool-[..]"},"method":"greeter.hello","method_id":501,"sequence":2,"status":"FAILURE","error":"nobody of that name","items":null,"took_us":[..],"bytes":0,"body":"","descriptors":0}

"#]]
    );
}

#[test]
fn with_a_contract_bodies_are_json() {
    let (folder, _server, trace) = traced(" --quiet --record r.jsonl");
    let client = client(&folder.path("t.sock"));
    call(&client, 501, b"\x0a\x05World\x10\xc0\x0f").unwrap();
    // No message: shown as it is.
    call(&client, 501, b"\xff").unwrap();
    drop(client);
    stdout_of(trace);
    folder.write("contract.txt", CONTRACT);
    folder
        .drpc("show r.jsonl --contract contract.txt --method 501")
        .assert()
        .code(0)
        .stderr_eq("")
        .stdout_eq(str![[r#"
[..] #1 tool-[..] > greeter.hello seq=1 10 bytes {"name":"World","birth_year":1984}
[..] #1 tool-[..] < greeter.hello seq=1 SUCCESS in [..] 2 bytes 0a05
[..] #1 tool-[..] > greeter.hello seq=2 1 bytes ff
[..] #1 tool-[..] < greeter.hello seq=2 FAILURE in [..] 0 bytes: nobody of that name

"#]]);
}

#[test]
fn a_client_whose_server_is_not_there_is_told_of() {
    let folder = Folder::new();
    let trace = folder.spawn("trace t.sock none.sock");
    let client = client(&folder.path("t.sock"));
    call(&client, 501, b"").unwrap_err();
    drop(client);
    snapbox::assert_data_eq!(
        stdout_of(trace),
        str![[r#"
[..] #1 tool-[..] connected
[..] #1 tool-[..] closed: can't connect to none.sock: No such file or directory (os error 2); is the server started, and the path right?
...

"#]]
    );
}

#[test]
fn a_trace_that_can_not_begin_says_why() {
    let folder = Folder::with_registry();
    folder.drpc("trace no/t.sock s.sock").assert().code(3).stdout_eq("").stderr_eq(str![[r#"
drpc: can't listen on no/t.sock: No such file or directory (os error 2); make the directory first

"#]]);
    folder.drpc("trace t.sock s.sock --record no/r.jsonl").assert().code(3).stdout_eq("").stderr_eq(str![[
        r#"
drpc: can't write no/r.jsonl
  because: No such file or directory (os error 2)

"#
    ]]);
    folder.drpc("trace t.sock s.sock --registry no.toml").assert().code(2).stdout_eq("").stderr_eq(str![[
        r#"
drpc: the registry no.toml can't be read: No such file or directory (os error 2)
  = help: create the file, or correct the path

"#
    ]]);
    folder.drpc("trace t.sock s.sock --quiet").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
error: the following required arguments were not provided:
  --record <FILE>

Usage: drpc trace --record <FILE> --quiet <LISTEN> <TARGET>

For more information, try '--help'.

"#]]);
}

#[test]
fn what_was_recorded_is_shown_and_made_again() {
    let (folder, server, trace) = traced(" --quiet --record r.jsonl");
    three_calls(&folder.path("t.sock"));
    assert_eq!(stdout_of(trace), "");
    folder.drpc("show r.jsonl --registry modules.toml").assert().code(0).stderr_eq("").stdout_eq(str![[r#"
[..] #1 tool-[..] connected
[..] #1 tool-[..] > greeter.hello seq=1 3 bytes 0a0178
[..] #1 tool-[..] < greeter.hello seq=1 SUCCESS in [..] 2 bytes 0a05
[..] #1 tool-[..] > greeter.hello seq=2 1 bytes ff
[..] #1 tool-[..] < greeter.hello seq=2 FAILURE in [..] 0 bytes: nobody of that name
[..] #1 tool-[..] > greeter.509 seq=3 0 bytes
[..] #1 tool-[..] < greeter.509 seq=3 UNKNOWN_METHOD in [..] 0 bytes: unrecognized method ID
[..] #1 tool-[..] closed

"#]]);
    folder.drpc("show r.jsonl --perfetto t.json --html t.html").assert().code(0).stdout_eq("").stderr_eq(
        str![[r#"
3 calls

"#]],
    );
    let events: serde_json::Value = serde_json::from_str(&folder.read("t.json")).unwrap();
    let phases: Vec<_> =
        events["traceEvents"].as_array().unwrap().iter().map(|event| event["ph"].as_str().unwrap()).collect();
    assert_eq!(phases, ["M", "b", "e", "b", "e", "b", "e"]);

    folder.drpc("replay r.jsonl s.sock").assert().code(0).stdout_eq("").stderr_eq(str![[r#"
1 session, 3 answered calls, 0 answered otherwise

"#]]);
    drop(server);
    folder.write("replies.toml", "[[reply]]\nmethod = 501\nreply = \"0a06\"\n");
    let _server = folder.spawn("serve s.sock --registry modules.toml --replies replies.toml");
    let replay = "replay r.jsonl s.sock --registry modules.toml";
    folder
        .drpc(replay)
        .assert()
        .code(1)
        .stdout_eq(str![[r##"
#1 seq=1 greeter.hello "0a0178"
  recorded: SUCCESS "0a05"
  now:      SUCCESS "0a06"
#1 seq=2 greeter.hello "ff"
  recorded: FAILURE ""
  now:      SUCCESS "0a06"

"##]])
        .stderr_eq(str![[r#"
1 session, 3 answered calls, 2 answered otherwise

"#]]);
    folder.drpc(&format!("{replay} --status-only --json")).assert().code(1).stdout_eq(str![[r#"
{"session":1,"sequence":2,"method":"greeter.hello","request":"ff","recorded":{"status":"FAILURE","item":null,"body":""},"now":{"status":"SUCCESS","item":null,"body":"0a06"}}

"#]]).stderr_eq(str![[r#"
1 session, 3 answered calls, 1 answered otherwise

"#]]);
}

/// A server that does not answer is waited for no longer than is said.
#[test]
fn a_replay_gives_up_on_a_server_that_hangs() {
    let (folder, server, trace) = traced(" --quiet --record r.jsonl");
    three_calls(&folder.path("t.sock"));
    stdout_of(trace);
    drop(server);
    folder.write("replies.toml", "[[reply]]\nmethod = 501\nhang = true\n");
    let _server = folder.spawn("serve s.sock --registry modules.toml --replies replies.toml");
    folder
        .drpc("replay r.jsonl s.sock --timeout 50ms")
        .assert()
        .code(1)
        .stdout_eq(str![[r##"
#1 seq=1 5.501 "0a0178"
  recorded: SUCCESS "0a05"
  now:      no reply
#1 seq=2 5.501 "ff"
  recorded: FAILURE ""
  now:      no reply
#1 seq=3 5.509 ""
  recorded: UNKNOWN_METHOD ""
  now:      no reply

"##]])
        .stderr_eq(str![[r#"
hint: session 1 was given up after 50ms, in which some reply did not come
1 session, 3 answered calls, 3 answered otherwise

"#]]);
}

#[test]
fn what_is_no_recording_is_told() {
    let folder = Folder::with_registry();
    folder.write("old.jsonl", "{\"event\":\"begun\",\"format\":9,\"target\":\"s\",\"epoch_us\":0}\n");
    folder.write(
        "bad.jsonl",
        "{\"event\":\"begun\",\"format\":1,\"target\":\"s\",\"epoch_us\":0}\n{\"event\":\"ended\"}\n",
    );
    folder.write("one.txt", "# a call of DAOS's echo method\n> 0d000000000000000d00000000000000000000000100000008 07 10bc05 1801 2204 70696e67\n");
    folder.drpc("show none.jsonl").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: can't read none.jsonl: No such file or directory (os error 2)

"#]]);
    folder.drpc("show modules.toml").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: modules.toml:1: this is no event of a recording: invalid type: sequence, expected variant identifier at line 1 column 1

"#]]);
    folder.drpc("show old.jsonl").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: old.jsonl is of version 9, and this program reads 1: use the one that wrote it

"#]]);
    folder.drpc("show bad.jsonl").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: bad.jsonl:2: this is no event of a recording: unknown variant `ended`, expected one of `begun`, `reflected`, `opened`, `packet`, `closed` at line 1 column 16

"#]]);
    folder.drpc("show one.txt --html no/page.html").assert().code(3).stdout_eq("").stderr_eq(str![[r#"
drpc: can't write no/page.html
  because: No such file or directory (os error 2)

"#]]);
    folder.drpc("show one.txt").assert().code(0).stderr_eq("").stdout_eq(str![[r#"
00:00:00.000000 #1 client connected
00:00:00.000000 #1 client > 7.700 seq=1 4 bytes 70696e67

"#]]);
    folder.drpc("replay one.txt none.sock").assert().code(3).stdout_eq("").stderr_eq(str![[r#"
drpc: can't connect to none.sock: No such file or directory (os error 2); is the server started, and the path right?
...

"#]]);
}

/// Whatever the packets are, they arrive as they were sent, both ways, and no more of them: also those that are no calls at all.
#[test]
fn a_trace_changes_no_byte() {
    let folder = Folder::new();
    let listener = socket();
    net::bind(&listener, &address(&folder, "s.sock")).unwrap();
    net::listen(&listener, 1).unwrap();
    let trace = folder.spawn("trace t.sock s.sock --quiet --record r.jsonl");
    let client = socket();
    net::connect(&client, &address(&folder, "t.sock")).unwrap();
    let server = net::accept(&listener).unwrap();

    let packets: Vec<Vec<u8>> = [1, 23, 24, 25, 100, 4096, 65_536, 131_072]
        .iter()
        .map(|&len| (0..len).map(|at| (at * 7 % 251) as u8).collect())
        .collect();
    thread::scope(|scope| {
        for (from, to) in [(&client, &server), (&server, &client)] {
            let packets = &packets;
            scope.spawn(move || {
                for packet in packets {
                    assert_eq!(net::send(from, packet, SendFlags::empty()), Ok(packet.len()));
                }
            });
            for packet in packets {
                let mut received = vec![0; 1 << 18];
                let (len, _) = net::recv(to, &mut received[..], RecvFlags::empty()).unwrap();
                assert!(received[..len] == packet[..], "a packet of {} bytes is another one", packet.len());
            }
        }
    });
    drop(client);
    let mut rest = [0; 1];
    assert_eq!(net::recv(&server, &mut rest[..], RecvFlags::empty()).unwrap().0, 0);
    stdout_of(trace);
    assert_eq!(
        folder.read("r.jsonl").lines().filter(|line| line.contains("\"packet\"")).count(),
        2 * packets.len()
    );
}

/// A descriptor that comes with a packet goes on with it, and is the same open file.
#[test]
fn descriptors_pass_a_trace() {
    let folder = Folder::new();
    let listener = socket();
    net::bind(&listener, &address(&folder, "s.sock")).unwrap();
    net::listen(&listener, 1).unwrap();
    let trace = folder.spawn("trace t.sock s.sock --quiet --record r.jsonl");
    let client = socket();
    net::connect(&client, &address(&folder, "t.sock")).unwrap();
    let server = net::accept(&listener).unwrap();

    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"passed").unwrap();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut passed = SendAncillaryBuffer::new(&mut space);
    let descriptors = [file.as_fd()];
    assert!(passed.push(SendAncillaryMessage::ScmRights(&descriptors)));
    net::sendmsg(&client, &[IoSlice::new(b"look")], &mut passed, SendFlags::empty()).unwrap();

    let (mut bytes, mut space) = ([0; 16], [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))]);
    let mut received = RecvAncillaryBuffer::new(&mut space);
    let packet =
        net::recvmsg(&server, &mut [IoSliceMut::new(&mut bytes)], &mut received, RecvFlags::CMSG_CLOEXEC);
    assert_eq!(&bytes[..packet.unwrap().bytes], b"look");
    let received = received.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    let (mut theirs, mut text) = (File::from(received.unwrap()), String::new());
    theirs.rewind().unwrap();
    theirs.read_to_string(&mut text).unwrap();
    assert_eq!(text, "passed");
    drop(client);
    stdout_of(trace);
    assert!(folder.read("r.jsonl").contains("\"descriptors\":1"));
}

fn socket() -> OwnedFd {
    net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap()
}

fn address(folder: &Folder, name: &str) -> SocketAddrUnix {
    SocketAddrUnix::new(folder.path(name)).unwrap()
}

#[test]
fn names_and_types_are_asked_of_the_server() {
    let folder = Folder::new();
    let _server = shop::serve(shop::shop(), &folder.path("s.sock"));
    let trace = folder.spawn("trace t.sock s.sock --reflection");
    folder.drpc("call t.sock 1201 0a03627573 --hex --wire chunked").assert().code(0);
    snapbox::assert_data_eq!(
        stdout_of(trace),
        str![[r#"
[..] #1 drpc[..] connected
[..] #1 drpc[..] > shop.buy seq=1 5 bytes {"item":"bus","amount":0,"lines":[],"by_name":{},"colour":"ANY","token":"","children":[]}
[..] #1 drpc[..] < shop.buy seq=1 SUCCESS in [..] 9 bytes {"text":"one bus"}
[..] #1 drpc[..] closed

"#]]
    );
}

/// What a server told of itself is in the recording: it is shown, and made again, by name without any file.
#[test]
fn a_recording_keeps_names_and_types() {
    let folder = Folder::new();
    let server = shop::serve(shop::shop(), &folder.path("s.sock"));
    let trace = folder.spawn("trace t.sock s.sock --reflection --quiet --record r.jsonl");
    folder.drpc("call t.sock 1201 0a03627573 --hex --wire chunked").assert().code(0);
    stdout_of(trace);
    drop(server);
    folder.drpc("show r.jsonl --method shop.buy").assert().code(0).stderr_eq("").stdout_eq(str![[r#"
[..] #1 drpc[..] > shop.buy seq=1 5 bytes {"item":"bus","amount":0,"lines":[],"by_name":{},"colour":"ANY","token":"","children":[]}
[..] #1 drpc[..] < shop.buy seq=1 SUCCESS in [..] 9 bytes {"text":"one bus"}

"#]]);
    folder.write(
        "modules.toml",
        "[[module]]\nid = 12\nname = \"shop\"\nmethod = [{ number = 1, name = \"buy\" }]\n",
    );
    let _mock = folder.spawn("serve s.sock --registry modules.toml");
    folder.drpc("replay r.jsonl s.sock").assert().code(1).stdout_eq(str![[r##"
#1 seq=1 shop.buy {"item":"bus","amount":0,"lines":[],"by_name":{},"colour":"ANY","token":"","children":[]}
  recorded: SUCCESS {"text":"one bus"}
  now:      FAILURE ""

"##]]);
    // Files come first, and what they leave open is completed.
    folder.write(
        "modules.toml",
        "[[module]]\nid = 12\nname = \"store\"\nmethod = [{ number = 1, name = \"buy\" }]\n",
    );
    let listed = folder.drpc("show r.jsonl --registry modules.toml --method store.buy").assert().code(0);
    let listed = String::from_utf8_lossy(&listed.get_output().stdout).into_owned();
    assert!(listed.contains("> store.buy seq=1 5 bytes {\"item\":\"bus\""), "{listed}");
    let kept = folder.read("r.jsonl").replace("\"catalogue\":\"0a", "\"catalogue\":\"0f");
    folder.write("broken.jsonl", &kept);
    folder.drpc("show broken.jsonl").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: what the recording keeps of the server's reflection can't be used: failed to decode Protobuf message: [..]

"#]]);
}

/// Without a file, and without names in the recording, the server is asked.
#[test]
fn a_replay_asks_the_server_for_names() {
    let folder = Folder::new();
    let server = shop::serve(shop::shop(), &folder.path("s.sock"));
    let trace = folder.spawn("trace t.sock s.sock --quiet --record r.jsonl");
    folder.drpc("call t.sock 1201 0a03627573 --hex --wire chunked").assert().code(0);
    stdout_of(trace);
    let otherwise = folder.read("r.jsonl").replace("6f6e6520627573", "74776f20627573");
    folder.write("r.jsonl", &otherwise);
    folder.drpc("replay r.jsonl s.sock").assert().code(1).stdout_eq(str![[r##"
#1 seq=1 shop.buy {"item":"bus","amount":0,"lines":[],"by_name":{},"colour":"ANY","token":"","children":[]}
  recorded: SUCCESS {"text":"two bus"}
  now:      SUCCESS {"text":"one bus"}

"##]]);
    drop(server);
}

#[test]
fn a_trace_that_is_told_no_names_says_so() {
    let folder = Folder::new();
    let _server = shop::serve(shop::plain_shop(), &folder.path("s.sock"));
    let (tool, tracing) = (snapbox::cmd::cargo_bin!("drpc"), "trace t.sock s.sock --reflection");
    let mut trace = std::process::Command::new(tool)
        .args(tracing.split(' '))
        .current_dir(folder.path("."))
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = std::io::BufReader::new(trace.stderr.take().unwrap()).lines();
    assert_eq!(
        said.next().unwrap().unwrap(),
        "drpc: warning: numbers are shown, no names: the server has no reflection; it needs `.reflection(true)` where it is built"
    );
    assert_eq!(said.next().unwrap().unwrap(), "listening on t.sock, for s.sock; ctrl-c ends it");
    interrupt(&trace);
    assert!(trace.wait().unwrap().success());
}

/// A stream that ends by itself, and one that its caller gives up.
fn streams(socket: &Path, server: &shop::Serving) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = drpc::Client::builder(socket)
            .wire(Wire::Chunked)
            .added_fields(AddedFields::ERROR)
            .connect()
            .await
            .unwrap();
        let customers = Method::new(12, 1208, "customers").streaming();
        let mut some = client.open_raw(customers, "", &CallOptions::new()).await.unwrap();
        while some.next().await.is_some() {}
        let mut endless = client.open_raw(customers, "\x0a\x07endless", &CallOptions::new()).await.unwrap();
        for _ in 0..2 {
            endless.next().await.unwrap().unwrap();
        }
        drop(endless);
        // When it is answered, the cancel has come; and when it is answered once more, the stream's end has gone.
        let options = CallOptions::new();
        let sweep = || client.call_raw(Method::new(12, 1207, "sweep"), "", &options);
        sweep().await.unwrap();
        server.wait_until_idle();
        sweep().await.unwrap();
    });
}

/// E5: a stream is one call, whose items and end are shown.
#[test]
fn streams_are_shown_item_by_item() {
    let folder = Folder::new();
    let server = shop::serve(shop::shop(), &folder.path("s.sock"));
    let trace = folder.spawn("trace t.sock s.sock --reflection --method 1208 --record r.jsonl");
    streams(&folder.path("t.sock"), &server);
    snapbox::assert_data_eq!(
        stdout_of(trace),
        str![[r#"
[..] #1 tool-[..] > shop.customers seq=1 0 bytes {"item":"","amount":0,"lines":[],"by_name":{},"colour":"ANY","token":"","children":[]}
[..] #1 tool-[..] < shop.customers seq=1 opened in [..]
[..] #1 tool-[..] < shop.customers seq=1 item 1 in [..] 12 bytes {"text":"customer 1"}
[..] #1 tool-[..] < shop.customers seq=1 item 2 in [..] 12 bytes {"text":"customer 2"}
[..] #1 tool-[..] < shop.customers seq=1 FAILURE after 2 items in [..] 0 bytes: closed for the day
[..] #1 tool-[..] > shop.customers seq=2 9 bytes {"item":"endless","amount":0,"lines":[],"by_name":{},"colour":"ANY","token":"","children":[]}
[..] #1 tool-[..] < shop.customers seq=2 opened in [..]
[..] #1 tool-[..] < shop.customers seq=2 item 1 in [..] 12 bytes {"text":"customer 1"}
[..] #1 tool-[..] < shop.customers seq=2 item 2 in [..] 12 bytes {"text":"customer 2"}
[..] #1 tool-[..] > shop.customers seq=2 cancel
[..] #1 tool-[..] < shop.customers seq=2 FAILURE after 2 items in [..] 0 bytes

"#]]
    );
    folder.drpc("show r.jsonl --failed --json").assert().code(0).stderr_eq("").stdout_eq(str![[r#"
{"event":"call","time":"[..]","session":1,"peer":{"pid":[..],"uid":[..],"program":"tool-[..]"},"method":"shop.customers","method_id":1208,"sequence":1,"bytes":0,"body":{"item":"","amount":0,"lines":[],"by_name":{},"colour":"ANY","token":"","children":[]},"descriptors":0}
{"event":"reply","time":"[..]","session":1,"peer":{"pid":[..],"uid":[..],"program":"tool-[..]"},"method":"shop.customers","method_id":1208,"sequence":1,"status":"FAILURE","error":"closed for the day","items":2,"took_us":[..],"bytes":0,"body":"","descriptors":0}
{"event":"call","time":"[..]","session":1,"peer":{"pid":[..],"uid":[..],"program":"tool-[..]"},"method":"shop.customers","method_id":1208,"sequence":2,"bytes":9,"body":{"item":"endless","amount":0,"lines":[],"by_name":{},"colour":"ANY","token":"","children":[]},"descriptors":0}
{"event":"reply","time":"[..]","session":1,"peer":{"pid":[..],"uid":[..],"program":"tool-[..]"},"method":"shop.customers","method_id":1208,"sequence":2,"status":"FAILURE","error":null,"items":2,"took_us":[..],"bytes":0,"body":"","descriptors":0}

"#]]);
    folder.drpc("show r.jsonl --html page.html --perfetto t.json").assert().code(0).stderr_eq(str![[r#"
4 calls

"#]]);
    let events: serde_json::Value = serde_json::from_str(&folder.read("t.json")).unwrap();
    assert_eq!(events["traceEvents"][2]["args"]["items"], 2);
}

/// E5: what a caller sends belongs to its call.
#[test]
fn items_that_a_caller_sends_are_shown_too() {
    let folder = Folder::new();
    let _server = shop::serve(shop::shop(), &folder.path("s.sock"));
    let trace = folder.spawn("trace t.sock s.sock --reflection --method 1209 --record r.jsonl");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client =
            drpc::Client::builder(folder.path("t.sock")).wire(Wire::Chunked).connect().await.unwrap();
        let mut counting = shop::ShopClient::new(client).count().await.unwrap();
        counting.send("a".into()).await.unwrap();
        counting.send("bc".into()).await.unwrap();
        assert_eq!(counting.finish().await.unwrap().text, "2 things");
    });
    snapbox::assert_data_eq!(
        stdout_of(trace),
        str![[r#"
[..] #1 tool-[..] > shop.count seq=1 0 bytes {}
[..] #1 tool-[..] < shop.count seq=1 opened in [..]
[..] #1 tool-[..] > shop.count seq=1 item 1 1 bytes 61
[..] #1 tool-[..] > shop.count seq=1 item 2 2 bytes 6263
[..] #1 tool-[..] > shop.count seq=1 end after 2 items
[..] #1 tool-[..] < shop.count seq=1 SUCCESS in [..] 10 bytes {"text":"2 things"}

"#]]
    );
    folder.drpc("replay r.jsonl s.sock").assert().code(0).stdout_eq("").stderr_eq(str![[r#"
1 session, 1 answered call, 0 answered otherwise

"#]]);
    folder.drpc("call s.sock shop.count").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: `shop.count` takes a stream, which this command does not send

"#]]);
}

#[test]
fn methods_are_given_by_name_or_id() {
    let (folder, _server, trace) = traced(" --quiet --record r.jsonl");
    three_calls(&folder.path("t.sock"));
    stdout_of(trace);
    let shown = |options: &str| {
        let show = folder.drpc(&format!("show r.jsonl {options}")).assert().code(0).stderr_eq("");
        String::from_utf8(show.get_output().stdout.clone()).unwrap().lines().count()
    };
    for method in ["5", "greeter"] {
        assert_eq!(shown(&format!("--registry modules.toml --method {method}")), 6, "{method}");
    }
    for method in ["501", "5.501", "greeter.501", "greeter.hello"] {
        assert_eq!(shown(&format!("--registry modules.toml --method {method}")), 4, "{method}");
    }
    for (method, lines) in [("5", 6), ("501", 4), ("5.501", 4), ("5.509", 2), ("7", 0)] {
        assert_eq!(shown(&format!("--method {method}")), lines, "{method}");
    }
    for (method, problem) in [
        ("greter", "there is no module `greter`: did you mean `greeter`?"),
        ("hello", "there is no method `hello`: did you mean `greeter.hello`?"),
        ("greeter.helo", "there is no method `greeter.helo`: did you mean `greeter.hello`?"),
    ] {
        let problem = format!("drpc: {problem}\n");
        for command in ["show r.jsonl", "trace t.sock s.sock"] {
            let line = format!("{command} --registry modules.toml --method {method}");
            folder.drpc(&line).assert().code(2).stdout_eq("").stderr_eq(problem.clone());
        }
    }
    folder.drpc("trace t.sock s.sock --method greeter").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: there is no module `greeter`: no names are known here; give its number, or name a registry with --registry FILE

"#]]);
}

/// A recording that goes on is not begun anew by one that can't begin.
#[test]
fn a_trace_that_can_not_listen_leaves_the_recording_alone() {
    let (folder, _server, trace) = traced(" --quiet --record r.jsonl");
    let again = "trace t.sock s.sock --registry modules.toml --quiet --record r.jsonl";
    folder.drpc(again).assert().code(3).stdout_eq("");
    three_calls(&folder.path("t.sock"));
    stdout_of(trace);
    folder.drpc("show r.jsonl --html page.html").assert().code(0).stderr_eq("3 calls\n");
}

/// Nobody reads what is shown: traffic goes on, all of it is recorded, and the trace can be ended.
#[test]
fn who_reads_nothing_holds_up_nothing() {
    const CALLS: usize = 4000;
    let folder = Folder::new();
    let _server = shop::serve(shop::plain_shop(), &folder.path("s.sock"));
    let (unread, stdout) = std::io::pipe().unwrap();
    let tracing = "trace t.sock s.sock --json --record r.jsonl";
    let mut trace = std::process::Command::new(snapbox::cmd::cargo_bin!("drpc"))
        .args(tracing.split(' '))
        .current_dir(folder.path("."))
        .stdout(stdout)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    std::io::BufReader::new(trace.stderr.take().unwrap()).read_line(&mut said).unwrap();
    assert!(said.starts_with("listening on "), "{said}");
    let client = client(&folder.path("t.sock"));
    for _ in 0..CALLS {
        assert!(call(&client, 1207, b"").unwrap().status.is_success());
    }
    drop(client);
    kill_process(Pid::from_child(&trace), Signal::TERM).unwrap();
    let (ended, end) = std::sync::mpsc::channel();
    let pid = Pid::from_child(&trace);
    let waiting = thread::spawn(move || ended.send(trace.wait().unwrap().code()).unwrap());
    let code = end.recv_timeout(std::time::Duration::from_secs(30));
    if code.is_err() {
        kill_process(pid, Signal::KILL).unwrap();
    }
    waiting.join().unwrap();
    assert_eq!(code, Ok(Some(0)));
    drop(unread);
    folder.drpc("show r.jsonl --html page.html").assert().code(0).stderr_eq(format!("{CALLS} calls\n"));
}

/// The slowest call is the one that gets no reply.
#[test]
fn a_call_without_a_reply_is_slow() {
    let folder = Folder::with_registry();
    folder.write("replies.toml", "[[reply]]\nmethod = 501\nhang = true\n");
    let _server = folder.spawn("serve s.sock --registry modules.toml --replies replies.toml");
    let trace = folder.spawn("trace t.sock s.sock --registry modules.toml --slower 10ms --record r.jsonl");
    let client = client(&folder.path("t.sock"));
    let briefly = CallOptions::new().timeout(std::time::Duration::from_millis(50));
    client.call_raw(Method::new(5, 501, "hello"), &b"x"[..], &briefly).unwrap_err();
    drop(client);
    let expected = str![[r#"
[..] #1 tool-[..] > greeter.hello seq=1 1 bytes 78
[..] #1 tool-[..] < greeter.hello seq=1 no reply in [..]

"#]];
    snapbox::assert_data_eq!(stdout_of(trace), expected.clone());
    let show = "show r.jsonl --registry modules.toml --slower 10ms";
    folder.drpc(show).assert().code(0).stdout_eq(expected);
    folder.drpc(&format!("{show} --html page.html")).assert().code(0).stderr_eq("1 call\n");
    folder.drpc("show r.jsonl --slower 1h").assert().code(0).stdout_eq("");
    folder.drpc("show r.jsonl --slower 10ms --failed").assert().code(0).stdout_eq("");
    folder.drpc("show r.jsonl --slower 10ms --json").assert().code(0).stdout_eq(str![[r#"
{"event":"call","time":"[..]","session":1,"peer":{"pid":[..],"uid":[..],"program":"tool-[..]"},"method":"5.501","method_id":501,"sequence":1,"bytes":1,"body":"78","descriptors":0}
{"event":"unanswered","time":"[..]","session":1,"peer":{"pid":[..],"uid":[..],"program":"tool-[..]"},"method":"5.501","method_id":501,"sequence":1,"items":null,"took_us":[..]}

"#]]);
    // Where the recording ends before the session does, the call is seen as far as it goes.
    let open =
        folder.read("r.jsonl").lines().filter(|line| !line.contains("closed")).collect::<Vec<_>>().join("\n");
    folder.write(
        "open.jsonl",
        &(open + "\n{\"event\":\"opened\",\"session\":9,\"at_us\":99000000,\"peer\":null}\n"),
    );
    let said = folder.drpc("show open.jsonl --slower 10ms").assert().code(0).get_output().stdout.clone();
    assert!(String::from_utf8(said).unwrap().contains("< 5.501 seq=1 no reply in 9"));
}

/// The descriptors that came with a call stand at the call, when it is shown at its reply, too. They are not made again.
#[test]
fn descriptors_stand_where_they_came() {
    let (folder, server, trace) = traced(" --quiet --record r.jsonl");
    three_calls(&folder.path("t.sock"));
    stdout_of(trace);
    drop(server);
    let mut calls = 0;
    let text = folder.read("r.jsonl");
    let recorded = text.lines().map(|line| {
        calls += usize::from(line.contains("\"to\":\"server\""));
        match calls {
            2 if line.contains("\"to\":\"server\"") => line.replace('}', ",\"descriptors\":1}") + "\n",
            _ => line.to_owned() + "\n",
        }
    });
    let recorded: String = recorded.collect();
    folder.write("r.jsonl", &recorded);
    let show = "show r.jsonl --registry modules.toml --failed --method greeter.hello";
    folder.drpc(show).assert().code(0).stdout_eq(str![[r#"
[..] #1 tool-[..] > greeter.hello seq=2 1 descriptor 1 bytes ff
[..] #1 tool-[..] < greeter.hello seq=2 FAILURE in [..] 0 bytes: nobody of that name

"#]]);
    let _server = folder.spawn("serve s.sock --registry modules.toml");
    folder.drpc("replay r.jsonl s.sock --json").assert().code(1).stderr_eq(str![[r#"
1 session, 3 answered calls, 1 answered otherwise
hint: calls that passed 1 file descriptor were made without: a recording does not keep them

"#]]);
}

/// However many packets a reply is, or was.
#[test]
fn a_replay_waits_for_replies_and_not_for_packets() {
    let folder = Folder::new();
    let answers = |length| {
        let greeter = MockModule::new(5, "greeter").reply(501, Bytes::from(vec![0; length]));
        folder.serve(drpc::Server::builder().module(greeter))
    };
    for (then, now) in [(5, 300_000), (300_000, 5)] {
        let server = answers(then);
        let trace = folder.spawn("trace t.sock s.sock --quiet --record r.jsonl");
        three_calls(&folder.path("t.sock"));
        stdout_of(trace);
        drop(server);
        let _server = answers(now);
        let replay = folder.drpc("replay r.jsonl s.sock --status-only").assert().code(0).stdout_eq("");
        replay.stderr_eq("1 session, 3 answered calls, 0 answered otherwise\n");
    }
}

/// What came before a session was given up counts.
#[test]
fn a_replay_that_gives_up_compares_what_came() {
    let (folder, server, trace) = traced(" --quiet --record r.jsonl");
    let client = client(&folder.path("t.sock"));
    for body in [&b"\x01"[..], b"\x02"] {
        call(&client, 501, body).unwrap();
    }
    drop(client);
    stdout_of(trace);
    drop(server);
    folder.write(
        "replies.toml",
        "[[reply]]\nmethod = 501\nreply = \"0a05\"\ntimes = 1\n\n[[reply]]\nmethod = 501\nhang = true\n",
    );
    let _server = folder.spawn("serve s.sock --registry modules.toml --replies replies.toml");
    folder
        .drpc("replay r.jsonl s.sock --timeout 50ms")
        .assert()
        .code(1)
        .stdout_eq(str![[r##"
#1 seq=2 5.501 "02"
  recorded: SUCCESS "0a05"
  now:      no reply

"##]])
        .stderr_eq(str![[r#"
hint: session 1 was given up after 50ms, in which some reply did not come
1 session, 2 answered calls, 1 answered otherwise

"#]]);
}

const BEGUN: &str = "{\"event\":\"begun\",\"format\":1,\"target\":\"s\",\"epoch_us\":0}\n";

#[test]
fn times_that_no_clock_shows_are_told() {
    let folder = Folder::new();
    let opened = "{\"event\":\"opened\",\"session\":1,\"at_us\":999999999999999999,\"peer\":null}\n";
    folder.write("far.jsonl", &format!("{BEGUN}{opened}"));
    folder.drpc("show far.jsonl").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: far.jsonl:2: this is no event of a recording: its time is too large

"#]]);
    // The last that is taken: the sum of the two is not shown, either.
    let last = "253402300799000000";
    folder.write(
        "last.jsonl",
        &format!("{BEGUN}{opened}")
            .replace("999999999999999999", last)
            .replace("\"epoch_us\":0", &format!("\"epoch_us\":{last}")),
    );
    folder.drpc("show last.jsonl").assert().code(0).stderr_eq("").stdout_eq(str![[r#"
23:59:59.000000 #1 client connected

"#]]);
}

/// Where the writer was ended within a letter, too.
#[test]
fn a_recording_that_is_cut_off_is_read_as_far_as_it_goes() {
    let folder = Folder::new();
    let opened = "{\"event\":\"opened\",\"session\":1,\"at_us\":1,\"peer\":{\"pid\":7,\"uid\":0,\"program\":\"hörer\"}}\n";
    let whole = format!("{BEGUN}{opened}{opened}");
    let cut = whole.rfind('ö').unwrap() + 1;
    std::fs::write(folder.path("cut.jsonl"), &whole.as_bytes()[..cut]).unwrap();
    folder.drpc("show cut.jsonl").assert().code(0).stderr_eq("").stdout_eq("[..] #1 hörer[7] connected\n");
}

#[test]
fn a_servers_path_need_not_be_a_text() {
    use std::os::unix::ffi::OsStrExt;

    let folder = Folder::new();
    let mut trace = std::process::Command::new(snapbox::cmd::cargo_bin!("drpc"))
        .args(["trace", "t.sock", "--quiet", "--record", "r.jsonl"])
        .arg(std::ffi::OsStr::from_bytes(b"s\xff.sock"))
        .current_dir(folder.path("."))
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::BufReader::new(trace.stderr.take().unwrap()).read_line(&mut String::new()).unwrap();
    interrupt(&trace);
    assert_eq!(trace.wait().unwrap().code(), Some(0));
    folder.drpc("show r.jsonl").assert().code(0).stdout_eq("").stderr_eq("");
}

/// A process that has run several programs is several, each with a name of its own.
#[test]
fn viewers_are_told_of_each_program() {
    let folder = Folder::new();
    let opened = |session: u64, program: &str| {
        format!(
            "{{\"event\":\"opened\",\"session\":{session},\"at_us\":1,\"peer\":{{\"pid\":7,\"uid\":0,\"program\":\"{program}\"}}}}\n"
        )
    };
    let packet = |session: u64| {
        format!(
            "{{\"event\":\"packet\",\"session\":{session},\"at_us\":2,\"to\":\"server\",\"hex\":\"0d000000000000000d0000000000000000000000010000000807{}\"}}\n",
            "10bc051801220470696e67"
        )
    };
    folder
        .write("r.jsonl", &[BEGUN, &opened(1, "sh"), &packet(1), &opened(2, "worker"), &packet(2)].concat());
    folder.drpc("show r.jsonl --perfetto t.json").assert().code(0).stderr_eq("2 calls\n");
    let events: serde_json::Value = serde_json::from_str(&folder.read("t.json")).unwrap();
    let names: Vec<_> = events["traceEvents"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["ph"] == "M")
        .map(|event| (event["pid"].as_u64().unwrap(), event["args"]["name"].as_str().unwrap()))
        .collect();
    assert_eq!(names, [(1, "sh[7]"), (2, "worker[7]")]);
}

/// The environment's files do not take the place of what the server is asked for.
#[test]
fn files_are_completed_by_what_the_traced_server_tells() {
    let folder = Folder::new();
    let _server = shop::serve(shop::shop(), &folder.path("s.sock"));
    folder.write(
        "modules.toml",
        "[[module]]\nid = 12\nname = \"shop\"\nmethod = [{ number = 1, name = \"buy\" }]\n",
    );
    let trace = folder.spawn("trace t.sock s.sock --reflection --method shop --registry modules.toml");
    folder.drpc("call t.sock 1201 0a03627573 --hex --wire chunked").assert().code(0);
    let shown = stdout_of(trace);
    assert!(shown.contains("> shop.buy seq=1 5 bytes {\"item\":\"bus\""), "{shown}");
}
