//! `call`: requests and replies as JSON, digits and bytes, one and many.

use std::io::{self, BufRead, BufReader};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::{Command, Output, Stdio};

use drpc::Wire;
use rustix::process::{Pid, Signal, kill_process};
use snapbox::str;

use crate::shop::{PROTO, plain_shop, serve, serve_in_steps, serve_in_threads, shop};
use crate::support::Folder;

#[test]
fn every_kind_of_server_is_called_by_name() {
    for serve in [serve, serve_in_threads, serve_in_steps] {
        let folder = Folder::new();
        let _server = serve(shop(), &folder.path("s.sock"));
        for name in ["shop.buy", "12.1201", "1201", "shop.1201"] {
            let call = format!("call s.sock {name} {{\"item\":\"bus\"}}");
            folder.drpc(&call).assert().code(0).stderr_eq("").stdout_eq("{\"text\":\"one bus\"}\n");
        }
        folder.drpc("call s.sock shop.sweep").assert().code(0).stderr_eq("").stdout_eq("{}\n");
        folder.drpc("call s.sock shop.buy").assert().code(1).stdout_eq("").stderr_eq(str![[r#"
status=FAILURE cause=handler
error: what shall it be?

"#]]);
    }
}

#[test]
fn bodies_may_be_digits_or_bytes() {
    let folder = Folder::new();
    let _server = serve(shop(), &folder.path("s.sock"));
    let hex = "call s.sock shop.buy 0a03627573 --hex";
    folder.drpc(hex).assert().code(0).stderr_eq("").stdout_eq("0a076f6e6520627573\n");
    folder
        .drpc("call s.sock shop.buy - --raw")
        .stdin("\n\x03bus")
        .assert()
        .code(0)
        .stderr_eq("")
        .stdout_eq("\n\x07one bus");
    // A body that is bytes, or a message that is declared in Rust, is given and shown in digits.
    folder.drpc("call s.sock shop.echo \"00ff\"").assert().code(0).stderr_eq("").stdout_eq("00ff\n");
    folder.drpc("call s.sock shop.by_hand \"0a0161\"").assert().code(0).stderr_eq("").stdout_eq("0a0161\n");
    folder.drpc("call s.sock shop.by_hand {}").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: the request: what `tool::shop::ByHand` holds is not known, so give its bytes in hex digits: "00ff"

"#]]);
    folder.drpc("call s.sock shop.sweep {\"a\":1}").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: the request: it takes no request; leave it out

"#]]);
    folder.drpc("call s.sock shop.echo 0 --hex").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: the request: hex digits were expected: Odd number of digits

"#]]);
    folder.drpc("call s.sock shop.echo 00 --raw").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: the request: with --raw, give it as @FILE or -

"#]]);
    folder.drpc("call s.sock shop.echo @none --raw").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: the request: can't read it from none: No such file or directory (os error 2)

"#]]);
}

/// All that a message may hold goes to the server and back.
#[test]
fn json_goes_there_and_back() {
    let folder = Folder::new();
    let _server = serve(plain_shop(), &folder.path("s.sock"));
    folder.write(
        "proto/shop.proto",
        &format!("{PROTO}\nservice Shop {{ rpc Echo(Order) returns (Order); }}\n"),
    );
    folder.write("modules.toml", ECHO);
    folder.write(
        "order.json",
        r#"{
            "item": "bus", "lines": [{"text": "a", "price": "-1"}], "byName": {"x": {"price": 2}}, "cash": 5, "colour": "RED",
            "due_at": "2026-01-02T03:04:05Z", "patience": "1.5s", "parent": {"item": "fleet"}, "token": "/w=="
        }"#,
    );
    let call = "call s.sock shop.echo @order.json --registry modules.toml --proto proto";
    folder.drpc(call).assert().code(0).stderr_eq("").stdout_eq(str![[r#"
{"item":"bus","amount":0,"lines":[{"text":"a","price":"-1"}],"by_name":{"x":{"text":"","price":"2"}},"cash":"5","colour":"RED","due_at":"2026-01-02T03:04:05Z","patience":"1.500s","parent":{"item":"fleet","amount":0,"lines":[],"by_name":{},"colour":"ANY","token":"","children":[]},"token":"/w==","children":[]}

"#]]);
}

/// The method takes bytes; the `service` says what they are.
const ECHO: &str = "[[module]]\nid = 12\nname = \"shop\"\n\n[[module.method]]\nnumber = 2\nname = \"echo\"\n";

#[test]
fn a_template_is_a_request_to_fill_in() {
    let folder = Folder::new();
    let _server = serve(shop(), &folder.path("s.sock"));
    let template =
        folder.drpc("call s.sock shop.buy --template").assert().code(0).stderr_eq("").stdout_eq(str![[r#"
{
  "item": "",
  "amount": 0,
  "lines": [
    {
      "text": "",
      "price": 0
    }
  ],
  "by_name": {},
  "card": "",
  "colour": "ANY",
  "due_at": "1970-01-01T00:00:00Z",
  "patience": "0s",
  "parent": null,
  "token": "",
  "children": []
}

"#]]);
    let template = String::from_utf8(template.get_output().stdout.clone()).unwrap();
    let filled = template.replace("\"item\": \"\"", "\"item\": \"bus\"");
    folder
        .drpc("call s.sock shop.buy -")
        .stdin(filled)
        .assert()
        .code(0)
        .stderr_eq("calls=1 failed=0 elapsed=[..]\n")
        .stdout_eq(str![[r#"
{"text":"one bus"}

"#]]);
    folder.drpc("call s.sock shop.sweep --template").assert().code(0).stderr_eq("").stdout_eq("{}\n");
    folder.drpc("call s.sock shop.echo --template").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: the type of the request is not known: name it by --contract or --proto, or switch on the server's reflection

"#]]);
}

#[test]
fn json_that_does_not_fit_is_told_of_with_its_place() {
    let folder = Folder::new();
    let _server = serve(shop(), &folder.path("s.sock"));
    let wrong = |json: &str| folder.drpc("call s.sock shop.buy -").stdin(json).assert().code(2).stdout_eq("");
    wrong(r#"{"itme": "bus"}"#).stderr_eq(str![[r#"
drpc: the request: message `shop.Order` has no field `itme`: did you mean `item`?

"#]]);
    wrong(r#"{"xyz": "bus"}"#).stderr_eq(str![[r#"
drpc: the request: message `shop.Order` has no field `xyz`; it has item, amount, lines, by_name, card, cash, colour, due_at, patience, parent, token, children

"#]]);
    wrong(r#"{"item": 1}"#).stderr_eq(str![[r#"
drpc: the request: item: a text was expected, and 1 is given

"#]]);
    wrong(r#"{"amount": -1}"#).stderr_eq(str![[r#"
drpc: the request: amount: a whole number from 0 to 4294967295 was expected, and -1 is given

"#]]);
    wrong(r#"{"amount": 1.5}"#).stderr_eq(str![[r#"
drpc: the request: amount: a whole number from 0 to 4294967295 was expected, and 1.5 is given

"#]]);
    wrong(r#"{"lines": {"text": "a"}}"#).stderr_eq(str![[r#"
drpc: the request: lines: an array was expected, and {"text":"a"} is given

"#]]);
    wrong(r#"{"lines": [{"text": "a"}, {"txt": "a"}]}"#).stderr_eq(str![[r#"
drpc: the request: lines[1]: message `shop.Line` has no field `txt`: did you mean `text`?

"#]]);
    wrong(r#"{"lines": [null]}"#).stderr_eq(str![[r#"
drpc: the request: lines[0]: an object, `shop.Line`, was expected, and null is given

"#]]);
    wrong(r#"{"by_name": [1]}"#).stderr_eq(str![[r#"
drpc: the request: by_name: an object was expected, and [1] is given

"#]]);
    wrong(r#"{"by_name": {"x": {"price": "much"}}}"#).stderr_eq(str![[r#"
drpc: the request: by_name.x.price: a whole number of 64 bits was expected, and "much" is given

"#]]);
    wrong(r#"{"parent": {"parent": {"colour": "REED"}}}"#).stderr_eq(str![[r#"
drpc: the request: parent.parent.colour: a value of `shop.Colour` (ANY, RED) was expected, and "REED" is given

"#]]);
    wrong(r#"{"due_at": "tomorrow"}"#).stderr_eq(str![[r#"
drpc: the request: due_at: a time, as "2026-01-02T03:04:05Z", was expected, and "tomorrow" is given

"#]]);
    wrong(r#"{"patience": 5}"#).stderr_eq(str![[r#"
drpc: the request: patience: a time span in seconds, as "1.5s", was expected, and 5 is given

"#]]);
    wrong(r#"{"token": "no base64!"}"#).stderr_eq(str![[r#"
drpc: the request: token: a text in base64 was expected, and "no base64!" is given

"#]]);
    wrong(r#"{"card": "1", "cash": 5}"#).stderr_eq(str![[r#"
drpc: the request: cash: `card` is given, too, and of the oneof `payment` there is one

"#]]);
    wrong(r#"[1, 2]"#).stderr_eq(str![[r#"
drpc: the request: an object, `shop.Order`, was expected, and [1,2] is given

"#]]);
    wrong(r#"{"item": "#).stderr_eq(str![[r#"
drpc: the request: it is no JSON: EOF while parsing a value at line 1 column 9

"#]]);

    // Of several, those before it are made.
    folder
        .drpc("call s.sock shop.buy -")
        .stdin("{\"item\": \"bus\"}\n{\"itm\": \"bus\"}\n{\"item\": \"bus\"}\n")
        .assert()
        .code(2)
        .stdout_eq("{\"text\":\"one bus\"}\n")
        .stderr_eq(str![[r#"
drpc: request 2: message `shop.Order` has no field `itm`: did you mean `item`?

"#]]);
}

#[test]
fn a_reply_that_is_not_what_its_descriptor_says_is_shown_in_digits() {
    let folder = Folder::new();
    let _server = serve(shop(), &folder.path("s.sock"));
    folder.drpc("call s.sock shop.garble").assert().code(3).stdout_eq("").stderr_eq(str![[r#"
drpc: the reply can't be read: the bytes are no `shop.Receipt`: failed to decode Protobuf message: invalid wire type: Varint (expected LengthDelimited)
its bytes: 0807

"#]]);
    folder.drpc("call s.sock shop.garble --hex").assert().code(0).stderr_eq("").stdout_eq("0807\n");
    let silent = "drpc contract 1\n\nmodule 12 shop\n    method 1202 echo\n        request bytes::Bytes\n        reply ()\n";
    folder.write("contract.txt", silent);
    folder
        .drpc("call s.sock shop.echo \"00\" --contract contract.txt")
        .assert()
        .code(3)
        .stdout_eq("")
        .stderr_eq(str![[r#"
drpc: the reply can't be read: nothing was expected, and bytes came (1)
its bytes: 00

"#]]);
}

#[test]
fn many_requests_are_answered_in_their_order() {
    let folder = Folder::new();
    let _server = serve(shop(), &folder.path("s.sock"));
    let lines: String = (0..100).map(|number| format!("{{\"item\":\"{number}\"}}\n")).collect();
    let replies: String = (0..100).map(|number| format!("{{\"text\":\"one {number}\"}}\n")).collect();
    for parallel in ["", " --parallel 8"] {
        let call = folder.drpc(&format!("call s.sock shop.buy -{parallel}")).stdin(lines.clone());
        call.assert().code(0).stdout_eq(replies.clone()).stderr_eq("calls=100 failed=0 elapsed=[..]\n");
    }
    folder.write("lines.jsonl", "{\"item\":\"a\"}\n{}\n");
    folder
        .drpc("call s.sock shop.buy @lines.jsonl --repeat 2 --parallel 3")
        .assert()
        .code(1)
        .stdout_eq(str![[r#"
{"text":"one a"}
{"text":"one a"}

"#]])
        .stderr_eq(str![[r#"
status=FAILURE cause=handler
error: what shall it be?
status=FAILURE cause=handler
error: what shall it be?
calls=4 failed=2 elapsed=[..]

"#]]);
    folder.drpc("call s.sock shop.buy --repeat 0").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
error: invalid value '0' for '--repeat <N>': 0 is not in 1..=4294967295

For more information, try '--help'.

"#]]);
}

#[test]
fn who_does_not_answer_is_waited_for_no_longer_than_is_said() {
    let folder = Folder::new();
    let server = serve(shop(), &folder.path("s.sock"));
    folder.drpc("call s.sock shop.hang --timeout 200ms").assert().code(3).stdout_eq("").stderr_eq(str![[
        r#"
drpc: no reply came within 200ms; the call may have been executed

"#
    ]]);
    drop(server);
    // It listens, and accepts nobody.
    let _mute = folder.listen();
    for command in ["list s.sock", "call s.sock 1201", "call s.sock 1201 --wire plain --hex"] {
        let silent = folder.drpc(&format!("{command} --timeout 200ms")).assert().code(3).stdout_eq("");
        let said = String::from_utf8(silent.get_output().stderr.clone()).unwrap();
        assert!(said.contains("200ms"), "{command}: {said}");
    }
}

#[test]
fn what_is_no_server_is_told_by_what_it_is() {
    let folder = Folder::new();
    let _stream = UnixListener::bind(folder.path("stream.sock")).unwrap();
    let _datagram = UnixDatagram::bind(folder.path("datagram.sock")).unwrap();
    drop(folder.listen());
    folder.write("file.txt", "");
    let expected = [
        (
            "none.sock",
            str![[r#"
drpc: can't connect to none.sock: No such file or directory (os error 2); is the server started, and the path right?

"#]],
        ),
        (
            "s.sock",
            str![[r#"
drpc: can't connect to s.sock: Connection refused (os error 111); nobody listens there: the socket file is stale, start the server again

"#]],
        ),
        (
            "stream.sock",
            str![[r#"
drpc: can't connect to stream.sock: Protocol wrong type for socket (os error 91); a stream socket is there, not dRPC's SOCK_SEQPACKET

"#]],
        ),
        (
            "datagram.sock",
            str![[r#"
drpc: can't connect to datagram.sock: Protocol wrong type for socket (os error 91); a datagram socket is there, not dRPC's SOCK_SEQPACKET

"#]],
        ),
        (
            "file.txt",
            str![[r#"
drpc: can't connect to file.txt: Connection refused (os error 111); what is there is not a socket

"#]],
        ),
    ];
    for (socket, expected) in expected {
        for command in ["call SOCKET 501", "call SOCKET greeter.hello", "list SOCKET", "describe SOCKET"] {
            let command = command.replace("SOCKET", socket);
            folder.drpc(&command).assert().code(3).stdout_eq("").stderr_eq(expected.clone());
        }
    }
}

#[test]
fn permission_denied_says_whose_it_is_to_open_the_socket() {
    let folder = Folder::new();
    let _server = serve(shop(), &folder.path("s.sock"));
    folder.drpc_as_stranger("list s.sock").assert().code(3).stdout_eq("").stderr_eq(str![[r#"
drpc: can't connect to s.sock: Permission denied (os error 13); run as a user whom the socket's mode lets in, or open its mode at the server

"#]]);
}

#[test]
fn the_other_wire_generation_is_told_by_its_name() {
    let folder = Folder::new();
    let _plain = serve(shop().wire(Wire::Plain), &folder.path("plain.sock"));
    let _chunked = serve(shop().wire(Wire::Chunked), &folder.path("chunked.sock"));
    for socket in ["plain.sock", "chunked.sock"] {
        folder.drpc(&format!("call {socket} shop.sweep")).assert().code(0).stderr_eq("").stdout_eq("{}\n");
    }
    folder
        .drpc("call plain.sock shop.sweep --wire chunked")
        .assert()
        .code(3)
        .stdout_eq("")
        .stderr_eq(str![[r#"
drpc: the server's reflection can't be used: the server broke the wire's rules: peer speaks the plain wire of DAOS 2.6, and this end was set to the other wire; set it with `.wire(…)`, or to WireMode::Auto; the call may have been executed
hint: the wire was chosen; without --wire, the server is asked for its own

"#]]);
    folder
        .drpc("call chunked.sock shop.sweep --wire plain")
        .assert()
        .code(3)
        .stdout_eq("")
        .stderr_eq(str![[r#"
drpc: the server's reflection can't be used: the server closed the connection and did not answer; the call may have been executed; the server's log says why, if it lives
hint: the wire was chosen; without --wire, the server is asked for its own

"#]]);
    folder
        .drpc("call plain.sock 1207 --hex --wire chunked")
        .assert()
        .code(3)
        .stdout_eq("")
        .stderr_eq(str![[r#"
drpc: the server broke the wire's rules: peer speaks the plain wire of DAOS 2.6, and this end was set to the other wire; set it with `.wire(…)`, or to WireMode::Auto; the call may have been executed
hint: the wire was chosen; without --wire, the server is asked for its own

"#]]);
    folder
        .drpc("call chunked.sock 1207 --hex --wire plain")
        .assert()
        .code(3)
        .stdout_eq("")
        .stderr_eq(str![[r#"
drpc: the server closed the connection and did not answer; the call may have been executed; the server's log says why, if it lives
hint: the wire was chosen; without --wire, the server is asked for its own

"#]]);
}

#[test]
fn a_streams_items_are_printed_as_they_come() {
    for serve in [serve, serve_in_threads, serve_in_steps] {
        let folder = Folder::new();
        let _server = serve(shop(), &folder.path("s.sock"));
        let items = "{\"text\":\"customer 1\"}\n{\"text\":\"customer 2\"}\n";
        folder.drpc("call s.sock shop.customers").assert().code(1).stdout_eq(items).stderr_eq(str![[r#"
drpc: the server answered FAILURE: closed for the day

"#]]);
        let hex = "call s.sock 1208 --stream --hex";
        folder.drpc(hex).assert().code(1).stdout_eq("0a0a637573746f6d65722031\n0a0a637573746f6d65722032\n");
        let none = "call s.sock 1207 --stream --hex";
        folder.drpc(none).assert().code(1).stdout_eq("").stderr_eq(str![[r#"
drpc: the server answered FAILURE: the caller asks for a stream, and the method gives one reply

"#]]);

        // Ctrl-c gives up one that goes on.
        let mut child = Command::new(snapbox::cmd::cargo_bin!("drpc"))
            .args(["call", "s.sock", "shop.customers", "{\"item\":\"endless\"}"])
            .current_dir(folder.path(""))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut printed = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(printed.next().unwrap().unwrap(), "{\"text\":\"customer 1\"}");
        assert_eq!(printed.next().unwrap().unwrap(), "{\"text\":\"customer 2\"}");
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        assert!(printed.next().is_none());
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

/// What is given up does not hide what failed before.
#[test]
fn a_stream_that_failed_is_told_of_though_another_is_given_up() {
    let folder = Folder::new();
    let _server = serve(shop(), &folder.path("s.sock"));
    folder.write("orders.json", "{} {\"item\":\"endless\"}");
    let mut child = Command::new(snapbox::cmd::cargo_bin!("drpc"))
        .args(["call", "s.sock", "shop.customers", "@orders.json"])
        .current_dir(folder.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let printed = BufReader::new(child.stdout.take().unwrap()).lines();
    let printed = printed.take(4).map(|line| line.unwrap()).collect::<Vec<_>>();
    assert_eq!(printed[2..], ["{\"text\":\"customer 1\"}", "{\"text\":\"customer 2\"}"]);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn what_is_not_for_streams_is_refused_with_them() {
    let folder = Folder::new();
    let _server = serve(shop(), &folder.path("s.sock"));
    for option in ["--parallel 8", "--no-added-fields"] {
        let problem = format!(
            "drpc: {} is not for a method that answers by a stream\n",
            option.split(' ').next().unwrap()
        );
        let call = folder.drpc(&format!("call s.sock shop.customers {option}"));
        call.assert().code(2).stdout_eq("").stderr_eq(problem);
    }
}

/// A request that is given is one: an unset variable is no reason to call nothing, or to call with an empty request.
#[test]
fn an_empty_text_is_no_request() {
    let folder = Folder::new();
    let _server = serve(shop(), &folder.path("s.sock"));
    folder.write("empty.json", "\n");
    for call in
        ["call s.sock shop.sweep ", "call s.sock shop.sweep @empty.json", "call s.sock shop.echo  --hex"]
    {
        folder.drpc(call).assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: the request: it is empty; leave it out for an empty one

"#]]);
    }
    // Whatever writes there may have nothing to ask for.
    folder.drpc("call s.sock shop.sweep -").stdin("").assert().code(0).stdout_eq("").stderr_eq(str![[r#"
calls=0 failed=0 elapsed=[..]

"#]]);
}

#[test]
fn each_line_of_digits_is_a_call() {
    let folder = Folder::new();
    let _server = serve(shop(), &folder.path("s.sock"));
    folder
        .drpc("call s.sock shop.echo - --hex")
        .stdin("0a 01\n\n0a02\n")
        .assert()
        .code(0)
        .stdout_eq("0a01\n0a02\n")
        .stderr_eq("calls=2 failed=0 elapsed=[..]\n");
}

/// Who reads no more has seen enough.
#[test]
fn a_broken_pipe_is_no_failure() {
    let folder = Folder::new();
    let _server = serve(shop(), &folder.path("s.sock"));
    let commands = [
        "list s.sock",
        "list s.sock --json",
        "describe s.sock",
        "call s.sock shop.sweep",
        "call s.sock shop.sweep --template",
        "completions bash",
        "ping s.sock",
        "top s.sock --json",
        "bench s.sock shop.sweep --count 3",
    ];
    for line in commands {
        let ended = into_closed_pipe(&folder, line);
        assert_eq!(
            (ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()),
            (Some(0), ""),
            "{line}"
        );
    }
}

/// Runs the tool with an output that nobody reads.
fn into_closed_pipe(folder: &Folder, line: &str) -> Output {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let mut tool = Command::new(snapbox::cmd::cargo_bin!("drpc"));
    tool.args(line.split(' ')).current_dir(folder.path(""));
    tool.stdout(writer).stderr(Stdio::piped()).output().unwrap()
}

/// What comes of the calls, and of a comparison, is told by the exit code all the same.
#[test]
fn a_broken_pipe_hides_no_failure() {
    let folder = Folder::with_registry();
    let _server = serve(shop(), &folder.path("s.sock"));
    folder.write("orders.json", "{\"item\":\"bus\"} {} {\"item\":\"car\"}");
    folder.write("later.toml", &crate::support::GREETER.replace("hello", "bye"));
    let commands = [
        ("call s.sock shop.buy @orders.json", "calls=3 failed=1"),
        ("registry diff modules.toml later.toml", "1 breaking"),
        ("registry diff modules.toml later.toml --json", "1 breaking"),
    ];
    for (line, told) in commands {
        let ended = into_closed_pipe(&folder, line);
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{line}: {said}");
        assert!(said.contains(told), "{line}: {said}");
    }
}
