use std::time::{Duration, Instant};

use drpc::{CallOptions, Method, Status};
use snapbox::str;

use crate::support::{CONTRACT, Folder, call, client};

const REPLIES: &str = r#"
[[reply]]
method = "greeter.hello"
when = "ff"
status = "UNKNOWN_METHOD"
error = "nobody of that name"

[[reply]]
method = 501
reply = "01"
times = 1

[[reply]]
method = "greeter.hello"
reply = "02"
"#;

#[test]
fn replies_are_given_in_their_order() {
    let folder = Folder::with_registry();
    folder.write("replies.toml", REPLIES);
    let server = folder.spawn("serve s.sock --registry modules.toml --replies replies.toml");
    let client = client(&folder.path("s.sock"));
    for expected in [b"\x01", b"\x02", b"\x02"] {
        assert_eq!(&*call(&client, 501, b"").unwrap().body, expected);
    }
    let refused = call(&client, 501, b"\xff").unwrap();
    assert_eq!(refused.status, Status::UNKNOWN_METHOD);
    assert_eq!(refused.added.unwrap().error, "nobody of that name");
    assert_eq!(call(&client, 502, b"").unwrap().status, Status::UNKNOWN_METHOD);
    drop(client);

    let ended = server.interrupt();
    assert_eq!(ended.status.code(), Some(0));
    let said = String::from_utf8(ended.stdout).unwrap();
    snapbox::assert_data_eq!(
        said,
        str![[r#"
greeter.hello "" SUCCESS in [..] "01"
greeter.hello "" SUCCESS in [..] "02"
greeter.hello "" SUCCESS in [..] "02"
greeter.hello "ff" UNKNOWN_METHOD in [..] nobody of that name

"#]]
    );
}

/// With a contract, requests are told apart by their fields, and replies written as JSON.
#[test]
fn replies_are_chosen_by_what_is_asked() {
    let folder = Folder::new();
    folder.write("contract.txt", CONTRACT);
    let replies = r#"
        [[reply]]
        method = "greeter.hello"
        when = { birth_year = 0, name = "World" }
        reply = { greeting = "Hello World" }

        [[reply]]
        method = "greeter.hello"
        when = { birthYear = 1984 }
        error = "too old"
    "#;
    folder.write("replies.toml", replies);
    let server = folder.spawn("serve s.sock --contract contract.txt --replies replies.toml");
    let client = client(&folder.path("s.sock"));
    assert_eq!(&*call(&client, 501, b"\x0a\x05World").unwrap().body, b"\x0a\x0bHello World");
    assert_eq!(call(&client, 501, b"\x10\xc0\x0f").unwrap().added.unwrap().error, "too old");
    assert_eq!(call(&client, 501, b"\x0a\x01X").unwrap().status, Status::FAILURE);
    // No message at all.
    assert_eq!(call(&client, 501, b"\xff").unwrap().status, Status::FAILURE);
    drop(client);
    let said = String::from_utf8(server.interrupt().stdout).unwrap();
    snapbox::assert_data_eq!(
        said,
        str![[r#"
greeter.hello {"name":"World","birth_year":0} SUCCESS in [..] {"greeting":"Hello World"}
greeter.hello {"name":"","birth_year":1984} FAILURE in [..] too old
greeter.hello {"name":"X","birth_year":0} FAILURE in [..] no canned reply is left for this request
greeter.hello "ff" FAILURE in [..] no canned reply is left for this request

"#]]
    );

    for reply in
        ["when = { nam = \"X\" }", "reply = { greeting = 1 }", "reply = { greeting = \"Hi\" }\nhang = true"]
    {
        folder.write("replies.toml", &format!("[[reply]]\nmethod = 501\n{reply}\n"));
        let refused =
            folder.drpc("serve s.sock --contract contract.txt --replies replies.toml").output().unwrap();
        assert_eq!(refused.status.code(), Some(2), "{reply}");
    }
}

#[test]
fn what_has_no_reply_says_so() {
    let folder = Folder::with_registry();
    let _server = folder.spawn("serve s.sock --registry modules.toml");
    let answer = call(&client(&folder.path("s.sock")), 501, b"").unwrap();
    assert_eq!(answer.status, Status::FAILURE);
    assert_eq!(answer.added.unwrap().error, "no canned reply is left for this request");
}

#[test]
fn a_reply_may_come_late_or_never() {
    let folder = Folder::with_registry();
    let late = "[[reply]]\nmethod = 501\ndelay = \"30ms\"\ntimes = 1\n[[reply]]\nmethod = 501\nhang = true\n";
    folder.write("replies.toml", late);
    let _server = folder.spawn("serve s.sock --registry modules.toml --replies replies.toml");
    let client = client(&folder.path("s.sock"));
    let begun = Instant::now();
    call(&client, 501, b"").unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(30));
    let briefly = CallOptions::new().timeout(Duration::from_millis(50));
    assert!(client.call_raw(Method::new(5, 501, "hello"), "", &briefly).unwrap_err().is_timeout());
}

#[test]
fn a_call_may_be_submitted() {
    let folder = Folder::with_registry();
    folder.write("replies.toml", "[[reply]]\nmethod = 501\nstatus = \"SUBMITTED\"\n");
    let server = folder.spawn("serve s.sock --registry modules.toml --replies replies.toml");
    let client = client(&folder.path("s.sock"));
    assert_eq!(call(&client, 501, b"").unwrap().status, Status::SUBMITTED);
    drop(client);
    snapbox::assert_data_eq!(
        String::from_utf8(server.interrupt().stdout).unwrap(),
        "greeter.hello \"\" SUBMITTED in [..]\n"
    );
}

/// W8: the call by which a client finds out the wire may be a method's, and is nobody's call.
#[test]
fn who_finds_out_the_wire_uses_up_no_reply() {
    let folder = Folder::new();
    folder.write("contract.txt", &CONTRACT.replace("module 5", "module 0").replace("501", "0"));
    let replies = "[[reply]]\nmethod = \"greeter.hello\"\ntimes = 1\nreply = { greeting = \"Hello\" }\n\n[[reply]]\nmethod = 0\nhang = true\n";
    folder.write("replies.toml", replies);
    let server = folder.spawn("serve s.sock --contract contract.txt --replies replies.toml");
    let call = folder.drpc("call s.sock greeter.hello --contract contract.txt");
    call.assert().code(0).stdout_eq("{\"greeting\":\"Hello\"}\n");
    // And none is waited for that never comes.
    folder.drpc("ping s.sock -n 1 --wire auto --timeout 50ms").assert().code(3).stdout_eq("").stderr_eq(
        str![[r#"
drpc: no reply came within 50ms; the call may have been executed

"#]],
    );
    let said = String::from_utf8(server.interrupt().stdout).unwrap();
    assert!(said.starts_with("greeter.hello {\"name\":\"\",\"birth_year\":0} SUCCESS in "), "{said}");
}

const STREAMS: &str = "drpc contract 1

module 5 greeter
    method 501 watch
        stream
        request ()
        reply hello.Greeting
    method 502 hello
        request ()
        reply hello.Greeting

message hello.Greeting
    1 greeting: string
";

#[test]
fn streams_are_answered_by_items() {
    let folder = Folder::new();
    folder.write("contract.txt", STREAMS);
    folder.write(
        "replies.toml",
        "[[reply]]\nmethod = 501\nitems = [{ greeting = \"a\" }, { greeting = \"b\" }]\n",
    );
    let server = folder.spawn("serve s.sock --contract contract.txt --replies replies.toml");
    folder
        .drpc("call s.sock greeter.watch --contract contract.txt")
        .assert()
        .code(0)
        .stderr_eq("")
        .stdout_eq("{\"greeting\":\"a\"}\n{\"greeting\":\"b\"}\n");
    snapbox::assert_data_eq!(
        String::from_utf8(server.interrupt().stdout).unwrap(),
        "greeter.watch {} SUCCESS in [..] [{\"greeting\":\"a\"},{\"greeting\":\"b\"}]\n"
    );
    for (reply, problem) in [
        ("method = 501\nreply = {}", "501 answers by a stream: give its `items` in place of `reply`"),
        ("method = 502\nitems = []", "502 answers by no stream: give its `reply` in place of `items`"),
        (
            "method = 502\nreply = {}\nerror = \"no\"",
            "`error` is the text of a failure: give it alone, or with the `status` of one",
        ),
        (
            "method = 502\nhang = true\nerror = \"no\"",
            "`error` is the text of a failure: give it alone, or with the `status` of one",
        ),
        (
            "method = 502\nwhen = \"0x\"",
            "`when`: hex digits were expected: Invalid character 'x' at position 1",
        ),
    ] {
        folder.write("replies.toml", &format!("[[reply]]\n{reply}\n"));
        let serve = folder.drpc("serve s.sock --contract contract.txt --replies replies.toml");
        serve.assert().code(2).stdout_eq("").stderr_eq(format!("drpc: replies.toml: line 1: {problem}\n"));
    }
}

/// Hex digits say what the request is, of whatever type, and in capitals, too.
#[test]
fn a_reply_may_be_for_certain_bytes() {
    let folder = Folder::new();
    folder.write("contract.txt", CONTRACT);
    folder
        .write("replies.toml", "[[reply]]\nmethod = 501\nwhen = \"0A0158\"\nreply = { greeting = \"X\" }\n");
    let _server = folder.spawn("serve s.sock --contract contract.txt --replies replies.toml");
    let client = client(&folder.path("s.sock"));
    assert_eq!(&*call(&client, 501, b"\x0a\x01X").unwrap().body, b"\x0a\x01X");
    assert_eq!(call(&client, 501, b"\x0a\x01Y").unwrap().status, Status::FAILURE);
}

#[test]
fn calls_are_told_of_as_json() {
    let folder = Folder::with_registry();
    folder.write(
        "replies.toml",
        "[[reply]]\nmethod = 501\nwhen = \"0a00\"\nreply = \"0a01\"\n\n[[reply]]\nmethod = 501\nerror = \"no\"\n",
    );
    let server = folder.spawn("serve s.sock --registry modules.toml --replies replies.toml --json");
    let client = client(&folder.path("s.sock"));
    call(&client, 501, b"\x0a\x00").unwrap();
    call(&client, 501, b"").unwrap();
    drop(client);
    snapbox::assert_data_eq!(
        String::from_utf8(server.interrupt().stdout).unwrap(),
        str![[r#"
{"method":"greeter.hello","request":"0a00","status":"SUCCESS","took_us":[..],"reply":"0a01"}
{"method":"greeter.hello","request":"","status":"FAILURE","took_us":[..],"error":"no"}

"#]]
    );
}

#[test]
fn mistakes_in_the_replies_are_told_before_anything_is_served() {
    let folder = Folder::with_registry();
    let serve = "serve s.sock --registry modules.toml --replies replies.toml";
    folder.write("replies.toml", "[[reply]]\nmethod = \"greeter.helo\"\n");
    folder.drpc(serve).assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: replies.toml: line 1: there is no method `greeter.helo`: did you mean `greeter.hello`?

"#]]);
    folder.write("replies.toml", "[[reply]]\nmethod = 501\nstatus = \"SUCCES\"\n");
    folder.drpc(serve).assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: replies.toml: line 1: `SUCCES` is no status to be answered with: write one of SUBMITTED, FAILURE, UNKNOWN_MODULE, UNKNOWN_METHOD, FAILED_UNMARSHAL_CALL, FAILED_UNMARSHAL_PAYLOAD, FAILED_MARSHAL

"#]]);
    folder.write("replies.toml", "[[reply]]\nmethod = 501\nreply = { greeting = \"Hello\" }\n");
    folder.drpc(serve).assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: replies.toml: line 1: `reply` of 501: the type of the body is not known, so give its bytes in hex digits: "00ff"

"#]]);
    folder.write("replies.toml", "[[reply]]\nmethod = 509\n");
    folder.drpc(serve).assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: replies.toml: line 1: no module has a method 509

"#]]);
    folder.write("contract.txt", CONTRACT);
    folder.write("replies.toml", "[[reply]]\nmethod = 501\nwhen = { nam = \"World\" }\n");
    folder
        .drpc(&serve.replace("registry modules.toml", "contract contract.txt"))
        .assert()
        .code(2)
        .stdout_eq("")
        .stderr_eq(str![[r#"
drpc: replies.toml: line 1: `when`: message `hello.Hello` has no field `nam`: did you mean `name`?

"#]]);
    folder.write("replies.toml", "[[reply]]\nmethod = 501\nwhat = 1\n");
    folder.drpc(serve).assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: replies.toml: TOML parse error at line 3, column 1
  |
3 | what = 1
  | ^^^^
unknown field `what`, expected one of `method`, `when`, `reply`, `items`, `status`, `error`, `hang`, `delay`, `times`

"#]]);
}

#[test]
fn there_must_be_something_to_serve_and_somewhere() {
    let folder = Folder::with_registry();
    folder.drpc("serve s.sock").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: there is nothing to serve: name the modules by --registry FILE or --contract FILE

"#]]);
    folder.drpc("serve no/s.sock --registry modules.toml").assert().code(3).stdout_eq("").stderr_eq(str![[
        r#"
drpc: can't listen on no/s.sock: No such file or directory (os error 2); make the directory first

"#
    ]]);
    let _first = folder.spawn("serve s.sock --registry modules.toml");
    folder.drpc("serve s.sock --registry modules.toml").assert().code(3).stdout_eq("").stderr_eq(str![[r#"
drpc: can't listen on s.sock: a server answers there; stop it or choose another path

"#]]);
}
