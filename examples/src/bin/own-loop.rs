//! A program with a loop of its own: it serves between two pieces of its work, without a runtime and without a thread for it.
//!
//! ```sh
//! cargo run --bin own-loop
//! ```

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use drpc::{blocking, drpc_module, progress};
use drpc_examples::hello::{Hello, HelloResponse};

/// A module that greets, and tells how far the program's work is.
struct Greeter {
    work_done: Arc<AtomicU64>,
}

// Sync or async: a handler runs within a step, on the thread of the loop. So it must not block.
#[drpc_module(id = 5)]
impl Greeter {
    /// Greets a person by name.
    #[method(1)]
    fn hello(&self, req: Hello) -> HelloResponse {
        let work_done = self.work_done.load(Ordering::Relaxed);
        HelloResponse { greeting: format!("Hello {}, from between piece {work_done} and the next", req.name) }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::temp_dir().join(format!("drpc-own-loop-{}.sock", std::process::id()));
    let work_done = Arc::new(AtomicU64::new(0));

    let greeter = Greeter { work_done: work_done.clone() };
    let mut server = progress::Server::builder().module(greeter).bind_progress(&path)?;
    println!("listening on {}", path.display());

    // Some other program.
    let client = thread::spawn({
        let path = path.clone();
        move || GreeterClient::new(blocking::Client::connect(path)?).hello(Hello { name: "World".into() })
    });

    // The loop: a step for whoever calls, then a piece of work. One that has enough to do doesn't wait for calls
    // (`Duration::ZERO`); one that has nothing else to do waits for as long as it likes.
    let mut answered = 0;
    while answered == 0 {
        answered += server.progress(Duration::from_millis(1))?.replies();
        work_done.fetch_add(1, Ordering::Relaxed);
    }
    println!("called: {}", client.join().expect("it does not panic")?.greeting);

    // The same loop drains what still runs.
    server.begin_shutdown();
    while !server.is_drained() {
        server.progress(Duration::from_millis(1))?;
    }
    println!("shut down; the socket is gone: {}", !path.exists());
    Ok(())
}
