//! A stream to the server: an upload in pieces, with a reply at its end; and one both ways, which is told of each piece as it is stored.
//!
//! ```sh
//! cargo run --bin upload
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use drpc::{Client, Failure, Incoming, Server, Status, Stream, blocking, drpc_module};
use drpc_examples::hello::{Hello, HelloResponse};
use drpc_examples::registry;
use futures_util::{StreamExt, stream};

/// A module that keeps files; in memory, for the example.
#[derive(Default)]
struct Store {
    files: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl Store {
    fn keep(&self, name: String, file: Vec<u8>) {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).insert(name, file);
    }
}

#[drpc_module(id = registry::store::ID)]
impl Store {
    /// Stores a file, which comes in pieces. However long it is, no more than the server has room for is on its way.
    #[method(1, stream)]
    async fn upload(&self, name: Hello, mut pieces: Incoming<Bytes>) -> Result<HelloResponse, Failure> {
        let mut file = Vec::new();
        while let Some(piece) = pieces.next().await {
            // A caller that stopped in the middle is an error here, and not the end: half a file is never kept.
            file.extend_from_slice(&piece?);
            if file.len() > 1 << 20 {
                // The caller learns of it at its next piece.
                return Err(Failure::with_message(Status::FAILURE, "a file has 1 MiB at most"));
            }
        }
        let greeting = format!("{}: {} bytes", name.name, file.len());
        self.keep(name.name, file);
        Ok(HelloResponse { greeting })
    }

    /// Tells of each piece.
    #[method(2, stream)]
    fn measure(&self, pieces: Incoming<Bytes>) -> impl Stream<Item = Result<HelloResponse, Failure>> {
        pieces.map(|piece| Ok(HelloResponse { greeting: format!("a piece of {} bytes", piece?.len()) }))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::temp_dir().join(format!("drpc-upload-{}.sock", std::process::id()));
    let module = Arc::new(Store::default());
    let server = Server::builder().module(module.clone()).bind(&path)?;
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());
    let store = StoreClient::new(Client::connect(&path).await?);

    let mut upload = store.upload(Hello { name: "notes".into() }).await?;
    for piece in ["first, ", "second, ", "third"] {
        upload.send(piece.into()).await?;
    }
    println!("{}", upload.finish().await?.greeting);

    // Pieces that come from a stream, more of them than are taken.
    let endless = stream::repeat(Bytes::from_static(&[7; 64 << 10]));
    let refused = store.upload(Hello { name: "disk".into() }).await?.finish_with(endless).await;
    println!("disk: {}", refused.err().ok_or("it is refused")?);

    // Dropped in the middle: nothing is kept.
    let mut upload = store.upload(Hello { name: "half".into() }).await?;
    upload.send("the first half".into()).await?;
    drop(upload);

    let (mut pieces, mut told) = store.measure().await?;
    for piece in ["one", "three"] {
        pieces.send(piece.into()).await?;
        println!("{}", told.next().await.ok_or("the stream goes on")??.greeting);
    }
    pieces.finish();
    println!("and that was all: {}", told.next().await.is_none());

    // From a thread, without a runtime: from an iterator.
    let uploading = tokio::task::spawn_blocking(move || {
        let store = StoreClient::new(blocking::Client::connect(&path)?);
        let pieces = ["from ", "a ", "thread"].map(Bytes::from);
        let stored = store.upload(Hello { name: "thread".into() })?.finish_with(pieces)?;
        Ok::<_, Box<dyn Error + Send + Sync>>(stored.greeting)
    });
    println!("{}", uploading.await?.map_err(|error| error.to_string())?);

    handle.shutdown();
    serving.await??;
    let names: Vec<_> = module.files.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
    println!("stored: {}", names.join(", "));
    Ok(())
}
