//! One call to many hosts.

use std::future::{Future as _, poll_fn};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use drpc_grpc::{GrpcCaller, call_each};
use tokio::net::TcpListener;

use crate::Running;
use crate::modules::{GreeterClient, Hello, modules};

#[tokio::test]
async fn each_host_has_its_result_and_one_that_is_down_fails_alone() {
    let (first, last) = (Running::start(modules().0).await, Running::start(modules().0).await);
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let down = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let hosts = [first.http(), down.clone(), last.http()];
    let outcomes = call_each(hosts.clone(), 2, async |host| {
        let caller = GrpcCaller::builder(&*host).insecure_loopback().connect_lazy()?;
        GreeterClient::new(caller).hello(Hello { name: host }).await
    })
    .await;
    for ((host, outcome), expected) in outcomes.iter().zip(&hosts) {
        assert_eq!(host, expected);
        match outcome {
            Ok(reply) => assert_eq!(reply.greeting, format!("Hello {host}")),
            Err(error) => assert!(*host == down && error.is_connect(), "{error}"),
        }
    }
    assert!(outcomes[1].1.is_err() && outcomes.len() == 3);
}

#[tokio::test]
async fn no_more_are_called_at_a_time_than_were_allowed() {
    let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let outcomes = call_each(0..50, 8, async |host: i32| {
        most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        tokio::task::yield_now().await;
        now.fetch_sub(1, Ordering::Relaxed);
        Ok::<_, ()>(host)
    });
    let outcomes = outcomes.await;
    assert!(
        outcomes
            .iter()
            .enumerate()
            .all(|(place, (host, outcome))| *host == place as i32 && *outcome == Ok(*host))
    );
    assert_eq!(most.into_inner(), 8);
}

#[tokio::test]
async fn where_any_will_do_the_least_busy_is_called_and_none_that_is_down() {
    let (first, second) = (Running::start(modules().0).await, Running::start(modules().0).await);
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let down = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let any = GrpcCaller::builder(down).or(first.http()).or(second.http()).insecure_loopback();
    let greeter = GreeterClient::new(any.connect().await.unwrap());
    // Polled once, each call has taken a host.
    let mut calls: Vec<_> = (0..10).map(|_| Box::pin(greeter.wait())).collect();
    for call in &mut calls {
        assert!(poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await.is_pending());
    }
    let hosts = [greeter.count().await.unwrap(), greeter.count().await.unwrap()];
    assert_eq!(hosts[0], "0");
    drop(calls);

    // One after the other goes; as long as there is one, it is called.
    first.stop().await;
    for _ in 0..20 {
        greeter.hello(Hello::default()).await.unwrap();
    }
    second.stop().await;
    let error = greeter.hello(Hello::default()).await.unwrap_err();
    assert!(error.is_connect(), "{error}");
}
