//! A call that is answered before its work is done: SUBMITTED, and the rest in the background.
//!
//! ```sh
//! cargo run --bin submitted
//! ```

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use drpc::{Bytes, Client, Context, Failure, Server, Submitted, drpc_module};
use drpc_examples::hello::Hello;
use drpc_examples::registry;
use tokio::sync::{Mutex, watch};

/// A module that writes reports.
struct Reports {
    /// How many are written.
    written: watch::Sender<usize>,
    /// One is written at a time.
    desk: Arc<Mutex<()>>,
}

#[drpc_module(id = registry::reports::ID)]
impl Reports {
    /// Begins to write a report about whoever is named.
    #[method(1)]
    fn write(&self, context: &Context, about: Hello) -> Result<Submitted, Failure> {
        // What is wrong with the request is said at once: the caller gets FAILURE, and nothing is begun.
        if about.name.is_empty() {
            return Err("a report about whom?".into());
        }
        let (written, desk) = (self.written.clone(), self.desk.clone());
        context.spawn(|context| async move {
            let _seat = desk.lock().await;
            tokio::select! {
                biased;
                // The server shuts down. Whether the caller is still there does not matter here.
                () = context.cancelled() => println!("the report about {} is left unwritten", about.name),
                () = tokio::time::sleep(Duration::from_millis(500)) => written.send_modify(|written| *written += 1),
            }
        });
        Ok(Submitted)
    }

    /// Returns how many reports are written.
    #[method(2)]
    fn finished(&self) -> Bytes {
        self.written.borrow().to_string().into()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::temp_dir().join(format!("drpc-submitted-{}.sock", std::process::id()));
    let (written, mut progress) = watch::channel(0);
    let server = Server::builder().module(Reports { written, desk: Arc::default() }).bind(&path)?;
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());

    let reports = ReportsClient::new(Client::connect(&path).await?);
    let error = reports.write(Hello::default()).await.expect_err("it is refused at once");
    println!("about nobody: {error}");
    reports.write(Hello { name: "World".into() }).await?;
    println!("about the world: submitted");
    progress.wait_for(|written| *written == 1).await?;
    println!("finished: {}", String::from_utf8_lossy(&reports.finished().await?));

    reports.write(Hello { name: "Everything".into() }).await?;
    handle.shutdown(); // tells the work, and waits for it
    serving.await??;
    println!("shut down");
    Ok(())
}
