//! Streams that fail with errors of every kind, and handlers of streams that do.

use std::error::Error;
use std::io;

use drpc::{Context, Failure, Incoming, Stream, drpc_module};
use drpc_tests::messages::Hello;
use futures_util::{StreamExt, stream};

#[derive(Debug, thiserror::Error)]
#[error("no pool")]
struct NoPool;

#[derive(Debug, thiserror::Error, drpc::Failure)]
#[error("full")]
struct Full;

#[derive(thiserror::Error, Debug)]
#[error("borrowed {0}")]
struct Borrowed<'a>(&'a str);

struct Pools {
    name: String,
}

#[drpc_module(id = 5)]
impl Pools {
    #[method(1, stream)]
    fn thiserror(&self) -> impl Stream<Item = Result<Hello, NoPool>> {
        stream::iter([Err(NoPool)])
    }

    #[method(2, stream)]
    fn anyhow(&self) -> impl Stream<Item = anyhow::Result<Hello>> {
        stream::iter([Err(NoPool.into())])
    }

    #[method(3, stream)]
    fn written_anyhow(&self) -> impl Stream<Item = Result<Hello, anyhow::Error>> + '_ {
        stream::iter([Ok(Hello { name: self.name.clone() })])
    }

    #[method(4, stream)]
    fn boxed(&self) -> impl Stream<Item = Result<Hello, Box<dyn Error + Send + Sync>>> {
        stream::iter([Err("a text".into())])
    }

    #[method(5, stream)]
    fn bound_to_its_thread(&self) -> impl Stream<Item = Result<Hello, Box<dyn Error>>> {
        stream::iter([1]).map(|_| Err("a text".into()))
    }

    #[method(6, stream)]
    fn text(&self) -> impl Stream<Item = Result<Hello, String>> {
        stream::iter([Err("a text".to_owned())])
    }

    #[method(7, stream)]
    fn borrowed(&self) -> impl Stream<Item = Result<Hello, Borrowed<'_>>> {
        stream::iter([Err(Borrowed(&self.name))])
    }

    #[method(8, stream)]
    fn derived(&self, req: Hello) -> Result<impl Stream<Item = Result<Hello, Full>> + use<>, NoPool> {
        if req.name.is_empty() { Err(NoPool) } else { Ok(stream::iter([Err(Full)])) }
    }

    #[method(9, stream)]
    async fn upload(&self, mut pieces: Incoming<Hello>) -> anyhow::Result<Hello> {
        Ok(pieces.next().await.ok_or(NoPool)??)
    }

    #[method(10, stream)]
    async fn exchange(
        &self,
        _context: &Context,
        pieces: Incoming<Hello>,
    ) -> anyhow::Result<impl Stream<Item = Result<Hello, io::Error>> + use<>> {
        Ok(pieces.map(|piece| piece.map_err(io::Error::other)))
    }

    #[method(11, stream)]
    fn same(&self, req: Hello) -> Result<impl Stream<Item = Result<Hello, String>> + '_, String> {
        if req.name.is_empty() { Err("no name".to_owned()) } else { Ok(stream::iter([Err(self.name.clone())])) }
    }

    #[method(12, stream)]
    fn borrowing(&self) -> anyhow::Result<impl Stream<Item = Result<Hello, Failure>> + '_> {
        anyhow::ensure!(!self.name.is_empty(), "no name");
        Ok(stream::iter([Ok(Hello { name: self.name.clone() })]))
    }
}

fn main() {
    assert_eq!(PoolsMethod::ALL.len(), 12);
}
