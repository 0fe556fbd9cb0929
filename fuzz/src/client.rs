use std::future::Future;
use std::pin::pin;
use std::sync::mpsc::{Sender, channel};
use std::sync::{LazyLock, Mutex};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use drpc::wire::Response;
use drpc::{CallError, CallErrorKind, CallOptions, Client, ClientBuilder, Method, Status, Wire};

use crate::packets::{AnyResponse, Piece, packets};
use crate::server::LIMIT;
use crate::socket::{Listener, Name, PATIENCE};

#[derive(Arbitrary, Debug)]
struct Input {
    calls: u8,
    plain: bool,
    in_order: bool,
    pieces: Vec<Piece<AnyResponse>>,
}

type Outcome = Result<Response, CallErrorKind>;

/// A server that answers some calls with any packets, and leaves: each call has its own response or an error, and all three clients
/// say the same.
pub fn client(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let wire = if input.plain { Wire::Plain } else { Wire::Chunked };
    let calls = usize::from(input.calls % 4) + 1;
    let mut answers = packets(&input.pieces, wire);
    // Whether the last one is a packet or end of file is a matter of who is first.
    while answers.last().is_some_and(Vec::is_empty) {
        answers.pop();
    }
    let settings = |name: &Name| {
        let builder = Client::builder(name.path()).wire(wire).server_answers_in_order(input.in_order);
        let builder = builder.timeout(PATIENCE).connect_timeout(PATIENCE);
        builder.message_limit(LIMIT).auto_reconnect(false)
    };
    let outcomes = CLIENTS.map(|(name, make)| {
        FAKE.script.lock().expect("the fake lives").send((calls, answers.clone())).expect("the fake lives");
        (name, make(settings(&FAKE.name), calls))
    });
    let [(_, expected), ..] = &outcomes;
    for (name, outcomes) in &outcomes {
        assert_eq!(outcomes, expected, "{name}, of {input:02x?}");
        for (place, outcome) in outcomes.iter().enumerate() {
            match outcome {
                Ok(response) if response.sequence == place as i64 + 1 => {}
                Ok(Response { sequence: -1, status: Status::FAILED_UNMARSHAL_CALL, .. }) => {}
                Ok(stranger) => panic!("{name}: call {place} was given {stranger:?}, of {input:02x?}"),
                Err(CallErrorKind::Timeout) => panic!("{name}: call {place} hangs, of {input:02x?}"),
                Err(_) => {}
            }
        }
    }
}

/// What makes so many calls at once.
type Make = fn(ClientBuilder, usize) -> Vec<Outcome>;

const CLIENTS: [(&str, Make); 3] = [
    ("async", |builder, calls| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let client = builder.connect().await.expect("connects");
            told(client.batch_raw(batch(calls), &CallOptions::new()).await)
        })
    }),
    ("blocking", |builder, calls| {
        let client = builder.connect_blocking().expect("connects");
        told(client.batch_raw(batch(calls), &CallOptions::new()))
    }),
    ("steps", |builder, calls| {
        let client = builder.auto_reconnect(true).connect_progress().expect("connects later");
        let mut outcomes = pin!(client.batch_raw(batch(calls), &CallOptions::new()));
        let waker = client.waker();
        loop {
            if let Poll::Ready(outcomes) = outcomes.as_mut().poll(&mut Context::from_waker(&waker)) {
                return told(outcomes);
            }
            client.progress(Duration::MAX).expect("makes a step");
        }
    }),
];

fn batch(calls: usize) -> impl Iterator<Item = (Method, Bytes)> {
    (0..calls).map(|_| (Method::new(7, 700, "echo"), Bytes::from_static(b"body")))
}

fn told(outcomes: Vec<Result<Response, CallError>>) -> Vec<Outcome> {
    outcomes.into_iter().map(|outcome| outcome.map_err(|error| error.kind())).collect()
}

/// The server: for each script it takes one connection and so many calls, answers, and closes.
struct Fake {
    name: Name,
    script: Mutex<Sender<(usize, Vec<Vec<u8>>)>>,
}

static FAKE: LazyLock<Fake> = LazyLock::new(|| {
    let name = Name::new();
    let listener = Listener::bind(&name);
    let (script, scripts) = channel::<(usize, Vec<Vec<u8>>)>();
    thread::spawn(move || {
        for (calls, answers) in scripts {
            let peer = listener.accept();
            for _ in 0..calls {
                peer.recv().expect("a call");
            }
            let _ = answers.iter().all(|packet| peer.send(packet));
        }
    });
    Fake { name, script: Mutex::new(script) }
});
