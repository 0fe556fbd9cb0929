use std::future::poll_fn;
use std::path::Path;
use std::sync::Arc;
use std::task::Poll;

use shuttle::future::{block_on, spawn};
use shuttle::rand::{Rng, thread_rng};

use super::Connection;
use super::shared::{BreakOnDrop, DRIVER, Shared, drive};
use crate::client::builder::ClientBuilder;
use crate::client::reactor::Reactor;
use crate::client::runtime::Runtime;
use crate::handler::method::Method;
use crate::transport::{Link, MemoryEnd};
use crate::wire::{Body, Call, Codec, MAX_PACKET, Packets, Response, Wire};

const CALLERS: usize = 3;

/// Callers of one connection, some of whom give up; a server answers in any order. The driver is a task of its own.
///
/// `begun` is done by each caller once its call has begun.
fn model(begun: fn(&Shared, i64)) -> impl Fn() + Send + Sync + 'static {
    move || {
        block_on(async move {
            let (ours, theirs) = MemoryEnd::pair();
            // It drives nothing: the scheduler does.
            let steps = Runtime::Steps(Reactor::new().unwrap());
            let config = ClientBuilder::new(Path::new("in memory"));
            let connection =
                Arc::new(Connection::spawn(&steps, Link::Memory(ours), Wire::Chunked, &config, 0));
            let driver = spawn(drive(BreakOnDrop(connection.shared.clone())));
            let server = spawn(answer_all(Link::Memory(theirs)));
            let callers: Vec<_> = (0..CALLERS)
                .map(|caller| {
                    let connection = connection.clone();
                    spawn(async move { call(&connection, caller as u8, begun).await })
                })
                .collect();
            for caller in callers {
                caller.await.unwrap();
            }
            connection.close();
            driver.abort();
            connection.shared.link.hang_up();
            server.await.unwrap();
        });
    }
}

/// Calls, and has its own reply; or gives up before.
async fn call(connection: &Connection, caller: u8, begun: fn(&Shared, i64)) {
    let mut body = Body::from(vec![caller; 10]);
    let mut call = connection.begin(&Method::new(7, 700, "echo"), &mut body, false, None).unwrap();
    begun(&connection.shared, call.sequence);
    if thread_rng().gen_range(0..4) == 0 {
        // It is polled once, and may have been made to receive.
        let polled = {
            let mut response = std::pin::pin!(call.response());
            poll_fn(|context| Poll::Ready(response.as_mut().poll(context).is_ready())).await
        };
        if !polled {
            call.abandon();
        }
        return;
    }
    let response = call.response().await.unwrap();
    assert_eq!(response.body, vec![caller; 10]);
}

/// The echo, which answers what there is in any order.
async fn answer_all(link: Link) {
    let mut codec = Codec::new(Wire::Chunked, 1 << 20);
    let mut calls = Vec::new();
    loop {
        let received = match calls.is_empty() {
            true => link.recv().await,
            // What is there, and no more.
            false => {
                let polled =
                    poll_fn(|context| Poll::Ready(link.poll_recv(context, None, MAX_PACKET, false))).await;
                match polled {
                    Poll::Ready(received) => received,
                    Poll::Pending => {
                        let call: Call = calls.swap_remove(thread_rng().gen_range(0..calls.len()));
                        answer(&link, call);
                        continue;
                    }
                }
            }
        };
        let Some(packet) = received.unwrap() else { return };
        if let Some(message) = codec.receive(packet).unwrap() {
            calls.push(Call::decode(message).unwrap());
        }
    }
}

fn answer(link: &Link, call: Call) {
    let response = Response { sequence: call.sequence, body: call.body, ..Response::default() };
    for packet in Packets::new(Wire::Chunked, &response.head(), &response.body, 1 << 20).unwrap() {
        // The client may have closed.
        let _ = link.try_send(&packet);
    }
}

#[test]
fn every_call_has_its_own_reply_whoever_receives() {
    shuttle::check_random(model(|_, _| {}), 5_000);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_reply_would_not_be_received_if_a_call_said_too_late_that_it_receives() {
    // It decided so when it had no company, and says so when another has said that the driver receives.
    let late = |shared: &Shared, sequence: i64| {
        shared.reader.store(sequence, super::Ordering::Release);
    };
    assert_eq!(DRIVER, 0);
    shuttle::check_random(model(late), 5_000);
}
