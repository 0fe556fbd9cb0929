use std::sync::Arc;

use drpc::{Bytes, Context, Failure, Method, Module, Reply, Server};
use snapbox::str;

use crate::shop::{serve, shop};
use crate::support::Folder;

const REPLIES: &str = "[[reply]]\nmethod = 501\nreply = \"01\"\n";

fn greeter() -> (Folder, crate::support::Running) {
    let folder = Folder::with_registry();
    folder.write("replies.toml", REPLIES);
    let server = folder.spawn("serve s.sock --registry modules.toml --replies replies.toml");
    (folder, server)
}

#[test]
fn a_table_shows_what_was_measured() {
    let (folder, _server) = greeter();
    folder
        .drpc("bench s.sock greeter.hello --registry modules.toml -n 40 -c 2 -i 2 --size 10 --warm-up 0s")
        .assert()
        .code(0)
        .stderr_eq("")
        .stdout_eq(str![[r#"
greeter.hello, body of 10 bytes, 2 × 2 calls in flight, closed loop

  calls              40 in [..]
  rate [..] calls/s
  errors              0

  min [..]
  p50 [..]
  p90 [..]
  p99 [..]
  p99.9 [..]
  p99.99 [..]
  max [..]
  mean [..]

"#]]);
}

#[test]
fn figures_come_as_json_and_in_files() {
    let (folder, _server) = greeter();
    let line =
        "bench s.sock 501 -n 40 --rate 2000 --warm-up 10ms --json --hdr latency.hlog --svg latency.svg";
    let output = folder.drpc(line).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let figures: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(figures["calls"], 40);
    assert_eq!(figures["not_begun"], 0);
    assert!(figures["latency_ns"]["p99.9"].as_u64() >= figures["latency_ns"]["p50"].as_u64());

    // HdrHistogram's own reader finds all calls again.
    let log = folder.read("latency.hlog");
    let entries = hdrhistogram::serialization::interval_log::IntervalLogIterator::new(log.as_bytes());
    let mut calls = 0;
    for entry in entries {
        if let hdrhistogram::serialization::interval_log::LogEntry::Interval(interval) = entry.unwrap() {
            use base64::Engine as _;
            let bytes =
                base64::engine::general_purpose::STANDARD.decode(interval.encoded_histogram()).unwrap();
            let histogram: hdrhistogram::Histogram<u64> =
                hdrhistogram::serialization::Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
            calls += histogram.len();
        }
    }
    assert_eq!(calls, 40);
    let plot = folder.read("latency.svg");
    assert!(
        plot.starts_with("<svg") && plot.contains("p90") && plot.trim_end().ends_with("</svg>"),
        "{plot}"
    );
}

#[test]
fn calls_that_fail_are_counted_by_what_they_were_answered() {
    let (folder, _server) = greeter();
    folder.drpc("bench s.sock 502 -n 10 --warm-up 0s").assert().code(1).stderr_eq("").stdout_eq(str![[r#"
5.502, body of 0 bytes, 1 × 1 calls in flight, closed loop

  calls              10 in [..]
  rate [..] calls/s
  errors             10
                     10 UNKNOWN_METHOD

  no call was answered SUCCESS, so there is no latency

"#]]);
}

/// No coordinated omission: a server that answers one call in 20 ms, and is asked for a thousand a second, is charged for those that wait.
#[test]
fn a_server_that_does_not_keep_up_is_told_of() {
    let folder = Folder::with_registry();
    folder.write("replies.toml", "[[reply]]\nmethod = 501\ndelay = \"20ms\"\n");
    let _server = folder.spawn("serve s.sock --registry modules.toml --replies replies.toml");
    let line = "bench s.sock 501 --duration 200ms --rate 1000 --warm-up 0s --json";
    let output = folder.drpc(line).output().unwrap();
    let figures: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(figures["not_begun"].as_u64().unwrap() > 0, "{figures}");
    assert!(figures["latency_ns"]["max"].as_u64().unwrap() > 100_000_000, "{figures}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("does not keep up"), "{said}");
}

#[test]
fn what_can_not_be_measured_is_told() {
    let (folder, _server) = greeter();
    folder.drpc("bench none.sock 501").assert().code(3).stdout_eq("").stderr_eq(str![[r#"
drpc: can't connect to none.sock: No such file or directory (os error 2); is the server started, and the path right?

"#]]);
    folder.drpc("bench s.sock 501 --svg no/latency.svg").assert().code(3).stdout_eq("").stderr_eq(str![[
        r#"
drpc: can't write no/latency.svg
  because: No such file or directory (os error 2)

"#
    ]]);
    folder.drpc("bench s.sock greeter.hello").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: there is no method `greeter.hello`: no names are known here; give its number, or name a registry with --registry FILE

"#]]);
    folder
        .drpc("bench s.sock greeter.helo --registry modules.toml")
        .assert()
        .code(2)
        .stdout_eq("")
        .stderr_eq(str![[r#"
drpc: there is no method `greeter.helo`: did you mean `greeter.hello`?

"#]]);
    folder
        .drpc("bench s.sock 501 --data {} --registry modules.toml")
        .assert()
        .code(2)
        .stdout_eq("")
        .stderr_eq(str![[r#"
drpc: the request in --data can't be sent: the type of the body is not known, so give its bytes in hex digits: "00ff"

"#]]);
    folder.drpc("bench s.sock 501 --data 0x").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: the request in --data can't be sent: hex digits were expected: Invalid character 'x' at position 1

"#]]);
    folder.drpc("bench s.sock 501 --rate 0").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
error: invalid value '0' for '--rate <CALLS>': expected a number from 0.001 to 1000000000, such as 5000 or 0.5

For more information, try '--help'.

"#]]);
    folder.drpc("bench s.sock 501 --count 5 --duration 1s").assert().code(2).stdout_eq("").stderr_eq(str![[
        r#"
error: the argument '--count <CALLS>' cannot be used with '--duration <DURATION>'

Usage: drpc bench --count <CALLS> <SOCKET> <METHOD>

For more information, try '--help'.

"#
    ]]);
}

#[test]
fn names_and_types_are_asked_of_the_server() {
    let folder = Folder::new();
    let _server = serve(shop(), &folder.path("s.sock"));
    let measured =
        folder.drpc("bench s.sock shop.buy --data {\"item\":\"bus\"} -n 10 --warm-up 0s").assert().code(0);
    let said = String::from_utf8(measured.get_output().stdout.clone()).unwrap();
    assert!(said.starts_with("shop.buy, body of 5 bytes"), "{said}");
    folder.drpc("bench s.sock shop.bui -n 10").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: there is no method `shop.bui`: did you mean `shop.buy`?

"#]]);
}

/// D6: a method's ID says nothing of its module, and a server need not be ours.
#[test]
fn a_method_is_called_in_the_module_that_is_named() {
    struct Seven;

    const ONE: Method = Method::new(7, 1, "one");

    #[drpc::async_trait]
    impl Module for Seven {
        fn id(&self) -> i32 {
            7
        }

        fn name(&self) -> &str {
            "seven"
        }

        fn get_method(&self, id: i32) -> Option<Method> {
            (id == 1).then_some(ONE)
        }

        async fn handle_call(self: Arc<Self>, _: Context, _: Method, body: Bytes) -> Result<Reply, Failure> {
            Ok(body.into())
        }
    }

    let folder = Folder::new();
    let _server = folder.serve(Server::builder().module(Seven));
    let measured = folder.drpc("bench s.sock 7.1 -n 3 --warm-up 0s").assert().code(0).stderr_eq("");
    let said = String::from_utf8(measured.get_output().stdout.clone()).unwrap();
    assert!(said.starts_with("7.1, body of 0 bytes"), "{said}");
    folder.drpc("bench s.sock 7.2 -n 3 --warm-up 0s").assert().code(1).stderr_eq(str![[r#"
hint: method IDs are system-wide: number 2 of module 7 is 702

"#]]);
}

/// A file that can't be written does not take the figures with it.
#[test]
fn figures_are_printed_though_a_file_can_not_be_written() {
    let (folder, _server) = greeter();
    for option in ["--svg", "--hdr"] {
        let line = format!("bench s.sock 501 -n 10 --warm-up 0s {option} /dev/full");
        let output = folder.drpc(&line).output().unwrap();
        let (said, complaint) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(3), "{complaint}");
        assert!(said.contains("calls") && said.contains("10 in "), "{said}");
        assert!(complaint.starts_with("drpc: can't write /dev/full\n"), "{complaint}");
    }
}

#[test]
fn a_rate_is_one_that_can_be_kept() {
    let (folder, _server) = greeter();
    for rate in ["1e-30", "1e19", "inf", "nan", "-1"] {
        folder.drpc(&format!("bench s.sock 501 -n 5 --rate={rate}")).assert().code(2).stdout_eq("");
    }
    // The first call is due at once.
    let line = "bench s.sock 501 --rate 0.05 --duration 100ms --warm-up 0s --json";
    let figures: serde_json::Value =
        serde_json::from_slice(&folder.drpc(line).output().unwrap().stdout).unwrap();
    assert_eq!((&figures["calls"], &figures["not_begun"]), (&1.into(), &0.into()));
}

#[test]
fn a_request_may_come_from_a_file() {
    let folder = Folder::new();
    let _server = serve(shop(), &folder.path("s.sock"));
    folder.write("order.json", "{\"item\":\"bus\"}\n");
    let measured = folder.drpc("bench s.sock shop.buy --data @order.json -n 3 --warm-up 0s").assert().code(0);
    let said = String::from_utf8(measured.get_output().stdout.clone()).unwrap();
    assert!(said.starts_with("shop.buy, body of 5 bytes"), "{said}");
    folder.drpc("bench s.sock 501 --data @none").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: the request in --data: can't read it from none: No such file or directory (os error 2)

"#]]);
}
