//! A server and a client that you drive from a loop of your own: no runtime, and no threads.
//!
//! The server serves what the [tokio server](crate::Server) serves, by the same rules and with the same settings. Each [`Server::progress`] is one step, like
//! `drpc_progress` in DAOS's engine ([S9](crate::guide::rules#server)).
//!
//! ```
//! # use std::time::Duration;
//! # use drpc::drpc_module;
//! # struct Greeter;
//! # #[drpc_module(id = 5)]
//! # impl Greeter { #[method(1)] fn hello(&self) {} }
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("greeter.sock");
//! # let client = { let path = path.clone(); move || GreeterClient::new(drpc::blocking::Client::connect(path)?).hello().map_err(Into::into) };
//! use drpc::progress::Server;
//!
//! let mut server = Server::builder().module(Greeter).bind_progress(&path)?;
//! # let client = std::thread::spawn(move || -> Result<(), Box<dyn std::error::Error + Send + Sync>> { client() });
//! let mut answered = 0;
//! while answered < 1 {
//!     answered += server.progress(Duration::from_millis(10))?.replies();
//!     // and here the program's own work
//! }
//! # client.join().unwrap().unwrap();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Handlers
//!
//! A handler runs on the thread that calls `progress`, and one that blocks holds up the whole loop. An async one may await anything that wakes it from
//! elsewhere, such as a channel from a thread of yours; the next step polls it. What needs a runtime, such as `tokio::time::sleep`, panics if there is none, and
//! the call is answered FAILURE ([S10](crate::guide::rules#server)). To have one, step inside `Runtime::enter` of a multi-threaded runtime, whose threads then drive timers and I/O.
//!
//! # Calls
//!
//! A handler calls other servers through a [`Client`] that the server [drives](Server::drive): its calls progress in the same steps, and the loop waits in one
//! place.
//!
//! ```
//! # use std::time::Duration;
//! # use drpc::drpc_module;
//! # let directory = tempfile::tempdir()?;
//! # let control = directory.path().join("control.sock");
//! # let path = directory.path().join("engine.sock");
//! # struct Events;
//! # #[drpc_module(id = 4)]
//! # impl Events { #[method(4)] fn happened(&self) {} #[method(1)] fn ready(&self) {} }
//! # let events = drpc::blocking::Server::builder().module(Events).bind_blocking(&control)?;
//! # let handle = events.handle();
//! # let serving = std::thread::spawn(move || events.serve());
//! # let client = { let path = path.clone(); move || EngineClient::new(drpc::blocking::Client::connect(path)?).stop().map_err(Into::into) };
//! use drpc::progress::{Client, Server};
//! use drpc::{CallError, CallOptions};
//!
//! struct Engine {
//!     control: EventsClient<Client>,
//! }
//!
//! #[drpc_module(id = 2)]
//! impl Engine {
//!     #[method(1)]
//!     async fn stop(&self) -> Result<(), CallError> {
//!         // Sent, and not waited for.
//!         self.control.with(CallOptions::new().no_response()).happened().detach();
//!         // Waited for, while the loop goes on.
//!         self.control.ready().await
//!     }
//! }
//!
//! let control = Client::builder(&control).timeout(Duration::from_secs(5)).connect_progress()?;
//! let engine = Engine { control: EventsClient::new(control.clone()) };
//! let mut server = Server::builder().module(engine).bind_progress(&path)?;
//! server.drive(&control)?;
//! # let client = std::thread::spawn(move || -> Result<(), Box<dyn std::error::Error + Send + Sync>> { client() });
//! let mut answered = 0;
//! while answered < 1 {
//!     answered += server.progress(Duration::from_millis(10))?.replies();
//! }
//! # client.join().unwrap().unwrap();
//! # handle.shutdown();
//! # serving.join().unwrap()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::io;
use std::sync::Arc;

pub use crate::client::progress::{Client, PendingCall, Sending, Streaming, Upload};
pub use crate::server::progress::{Progress, Server};

impl Server {
    /// Drives a client in this server's steps, until the server is dropped: its calls advance in [`progress`](Self::progress), and
    /// [`next_deadline`](Self::next_deadline) includes theirs.
    ///
    /// # Errors
    ///
    /// If the client's descriptor can't be polled, for example because it is driven already.
    pub fn drive(&mut self, client: &Client) -> io::Result<()> {
        self.drive_too(Arc::new(client.clone()))
    }
}
