//! A connected socket that is handed over: a process that accepts TCP connections, and others that serve them.
//!
//! ```sh
//! cargo run --bin handover
//! ```

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::thread;

use drpc::blocking::{Client, Server};
use drpc::{Failure, Status, WithFds, drpc_module};
use drpc_examples::hello::Hello;
use drpc_examples::registry;
use rustix::net::{AddressFamily, SocketType, getpeername, sockopt};

/// A module that serves the connections that it is given.
struct Worker;

#[drpc_module(id = registry::worker::ID)]
impl Worker {
    /// Takes a connection over, and serves it. The name is the one to greet it by.
    #[method(1, fds)]
    fn take(&self, req: WithFds<Hello>) -> Result<(), Failure> {
        let (Hello { name }, [connection]) = req.exactly()?;
        let mut connection = tcp_connection(connection)
            .map_err(|wrong| Failure::with_message(Status::FAILED_UNMARSHAL_PAYLOAD, wrong.to_string()))?;
        // It outlives the call; closing it may take time, as its other end pleases.
        thread::spawn(move || writeln!(connection, "Hello {name}, from the worker"));
        Ok(())
    }
}

/// A descriptor is whatever its sender likes; so it is asked what it is before it is used.
fn tcp_connection(descriptor: OwnedFd) -> io::Result<TcpStream> {
    let family = sockopt::socket_domain(&descriptor)?;
    if ![AddressFamily::INET, AddressFamily::INET6].contains(&family)
        || sockopt::socket_type(&descriptor)? != SocketType::STREAM
    {
        return Err(io::Error::other("it is no TCP socket"));
    }
    getpeername(&descriptor)?;
    Ok(TcpStream::from(descriptor))
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::temp_dir().join(format!("drpc-handover-{}.sock", std::process::id()));
    let server = Server::builder().module(Worker).bind_blocking(&path)?;
    let handle = server.handle();
    let serving = thread::spawn(move || server.serve());

    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut visitor = TcpStream::connect(listener.local_addr()?)?;
    let (connection, _) = listener.accept()?;

    let worker = WorkerClient::new(Client::connect(&path)?);
    worker.take(WithFds::new(Hello { name: "visitor".into() }, [connection]))?;
    let mut heard = String::new();
    visitor.read_to_string(&mut heard)?;
    print!("over TCP: {heard}");

    let (no_socket, _) = io::pipe()?;
    let error = worker.take(WithFds::new(Hello::default(), [no_socket])).expect_err("it is looked at");
    println!("a pipe: {error}");

    handle.shutdown();
    serving.join().expect("the server does not panic")?;
    Ok(())
}
