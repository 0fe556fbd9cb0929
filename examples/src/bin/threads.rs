//! A server whose handlers block: each session has a thread of its own, so that one that waits for a disk holds up nobody else. No
//! runtime; a signal stops it.
//!
//! ```sh
//! cargo run --bin threads
//! ```

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs, process, thread};

use drpc::blocking::{Client, Server};
use drpc::server::shutdown_signal;
use drpc::{Failure, drpc_module};
use drpc_examples::hello::{Hello, HelloResponse};
use signal_hook::consts::SIGTERM;
use signal_hook::low_level::raise;

/// A module that greets in the words of a file.
struct Greeter {
    words: PathBuf,
}

// Here a handler may block. It is carried out where its call was read.
#[drpc_module(id = 5)]
impl Greeter {
    /// Greets a person by name.
    #[method(1)]
    fn hello(&self, req: Hello) -> Result<HelloResponse, Failure> {
        let words = fs::read_to_string(&self.words)?;
        Ok(HelloResponse { greeting: format!("{words}, {}", req.name) })
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let directory = env::temp_dir();
    let path = directory.join(format!("drpc-threads-{}.sock", process::id()));
    let words = directory.join(format!("drpc-threads-{}.txt", process::id()));
    fs::write(&words, "Good morning")?;

    let server = Server::builder().module(Greeter { words: words.clone() }).bind_blocking(&path)?;
    println!("listening on {}", path.display());

    // From now on, SIGTERM and ctrl-c let running calls finish; a second one does not.
    let stop = shutdown_signal();

    // Some other program, and whoever stops this one.
    let client = thread::spawn({
        let path = path.clone();
        move || -> Result<String, Box<dyn Error + Send + Sync>> {
            let greeter = GreeterClient::new(Client::connect(path)?);
            let reply = greeter.hello(Hello { name: "World".into() });
            raise(SIGTERM)?;
            Ok(reply?.greeting)
        }
    });

    // This thread accepts; each session gets one.
    let shutdown = server.serve_until(stop)?;

    println!("called: {}", client.join().expect("it does not panic").map_err(|error| error.to_string())?);
    println!("shut down, {shutdown}; the socket is gone: {}", !path.exists());
    fs::remove_file(words)?;
    Ok(())
}
