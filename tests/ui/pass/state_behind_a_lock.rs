//! State that changes.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use drpc::drpc_module;

#[derive(Default)]
struct Counter {
    calls: Mutex<u32>,
    last: AtomicU32,
}

#[drpc_module(id = 5, register)]
impl Counter {
    #[method(1)]
    async fn count(&self) {
        let calls = {
            let mut calls = self.calls.lock().unwrap();
            *calls += 1;
            *calls
        };
        std::future::ready(()).await;
        self.last.store(calls, Ordering::Relaxed);
    }
}

fn main() {}
