use std::fs::File;
use std::io::{BufRead, IoSlice, IoSliceMut, Read, Seek, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::thread;

use drpc::blocking::Client;
use drpc::{AddedFields, CallOptions, Method, Wire};
use rustix::net::{
    self, AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};
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
        (" --method mailer", str![[""]]),
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
    // Files come first.
    let listed = folder.drpc("show r.jsonl --registry modules.toml --method shop.buy").assert().code(0);
    assert!(
        String::from_utf8_lossy(&listed.get_output().stdout).contains("> shop.buy seq=1 5 bytes 0a03627573")
    );
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
fn streams(socket: &Path) {
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
        // When it is answered, the cancel has been sent.
        client.call_raw(Method::new(12, 1207, "sweep"), "", &CallOptions::new()).await.unwrap();
    });
}

/// E5: a stream is one call, whose items and end are shown.
#[test]
fn streams_are_shown_item_by_item() {
    let folder = Folder::new();
    let _server = shop::serve(shop::shop(), &folder.path("s.sock"));
    let trace = folder.spawn("trace t.sock s.sock --reflection --method 1208 --record r.jsonl");
    streams(&folder.path("t.sock"));
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
3 calls

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
