//! The example whose figures Prometheus reads: what it gives out after a call.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use drpc::blocking::Client;
use drpc::{CallOptions, Method, Status};

#[test]
fn monitored_serves_its_figures() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s.sock");
    let (_server, figures) = start(&socket);

    let client = Client::connect(&socket).unwrap();
    let hello = |body: &'static [u8]| {
        client.call_raw(Method::new(5, 501, "hello"), body, &CallOptions::new()).unwrap().status
    };
    assert_eq!(hello(b"\x0a\x05World"), Status::SUCCESS);
    assert_eq!(hello(b"\x0a\x05World"), Status::SUCCESS);
    assert_eq!(hello(b""), Status::FAILURE);

    let text = scrape(figures);
    for line in [
        "# TYPE drpc_server_calls_total counter",
        r#"drpc_server_calls_total{module="greeter",method="hello",status="SUCCESS"} 2"#,
        r#"drpc_server_calls_total{module="greeter",method="hello",status="FAILURE"} 1"#,
        r#"drpc_server_call_seconds_bucket{module="greeter",method="hello",le="+Inf"} 3"#,
        "drpc_server_sessions 1",
        "drpc_server_calls_in_flight 0",
    ] {
        assert!(text.lines().any(|known| known == line), "`{line}` is not in:\n{text}");
    }
}

/// Starts the example; gives where its figures are. Others may take the port that it is to have, so it is tried again.
fn start(socket: &Path) -> (Server, SocketAddr) {
    for _ in 0..10 {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_monitored"))
            .arg("--socket")
            .arg(socket)
            .args(["--metrics", &free.to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut server = Server(child.unwrap());
        let mut line = String::new();
        BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if !line.is_empty() {
            assert_eq!(
                line,
                format!("listening on {}, figures on http://{free}/metrics\n", socket.display())
            );
            return (server, free);
        }
    }
    panic!("it does not start");
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn scrape(figures: SocketAddr) -> String {
    let mut connection = TcpStream::connect(figures).unwrap();
    connection.write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
    let mut text = String::new();
    connection.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.0 200"), "{text}");
    text
}
