//! The tokio runtimes that systems are measured on: one thread, or two workers.

use std::future::Future;

use anyhow::Result;
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

/// Runs a future to its end on so many threads. With one, tasks that can't change threads may be spawned too.
pub(crate) fn block_on<T>(workers: usize, future: impl Future<Output = Result<T>>) -> Result<T> {
    match workers {
        1 => {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            LocalSet::new().block_on(&runtime, future)
        }
        _ => multi_thread(workers)?.block_on(future),
    }
}

fn multi_thread(workers: usize) -> Result<Runtime> {
    Ok(Builder::new_multi_thread().worker_threads(workers).enable_all().build()?)
}
