//! Calls that are answered SUBMITTED, and the work that goes on after the answer (E3, S6, S7, S10).

use std::future::pending;
use std::sync::Arc;

use bytes::Bytes;
use drpc::testing::{MockModule, client_of, server_of};
use drpc::{
    CallErrorKind, CallOptions, Cancelled, Context, Failure, Method, Module, ModuleService, Order,
    PeerCredentials, Reply, Server, Session, Status, Submitted, drpc_module, wire::Call,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::support::{
    Gate, Hello, Logs, PATIENCE, RawPeer, SOON, WIRES, echo, in_order, with_every_client, with_every_server,
};

/// Work that waits at the gate, and tells what it has come to.
struct Jobs {
    gate: Gate,
    tidings: UnboundedSender<String>,
}

impl Jobs {
    fn new() -> (Jobs, Gate, UnboundedReceiver<String>) {
        let (tidings, told) = unbounded_channel();
        let gate = Gate::new();
        (Jobs { gate: gate.clone(), tidings }, gate, told)
    }
}

#[drpc_module(id = 8)]
impl Jobs {
    /// Checks its request, and goes on in the background.
    #[method(1)]
    async fn begin(&self, context: &Context, job: Hello) -> Result<Submitted, Failure> {
        if job.name.is_empty() {
            return Err("which job?".into());
        }
        let (gate, tidings) = (self.gate.clone(), self.tidings.clone());
        context.spawn(|_| async move {
            gate.pass().await;
            let _ = tidings.send(format!("{} is done", job.name));
        });
        Ok(Submitted)
    }

    /// Has its work panic once the gate is open.
    #[method(2)]
    fn fail(&self, context: &Context) -> Submitted {
        let gate = self.gate.clone();
        context.spawn(|_| async move {
            gate.through().await;
            panic!("as it is meant to");
        });
        Submitted
    }

    /// Goes on until it is told to stop, and then until the gate is open.
    #[method(3)]
    fn watch(&self, context: &Context) -> Submitted {
        let (gate, tidings) = (self.gate.clone(), self.tidings.clone());
        context.spawn(|context| async move {
            gate.arrive();
            context.cancelled().await;
            let _ = tidings.send(format!("{:?}", context.cancellation()));
            gate.through().await;
            let _ = tidings.send("stopped".into());
        });
        Submitted
    }

    /// Never ends.
    #[method(4)]
    fn never(&self, context: &Context) -> Submitted {
        let (gate, told) = (self.gate.clone(), Dropped(self.tidings.clone()));
        context.spawn(|_| async move {
            gate.arrive();
            pending::<()>().await;
            drop(told);
        });
        Submitted
    }

    /// Has work begin more work, and leave.
    #[method(5)]
    fn relay(&self, context: &Context) -> Submitted {
        let tidings = self.tidings.clone();
        context.spawn(|context| async move {
            context.spawn(|context| async move {
                let _ = tidings.send(format!("sequence {}, {:?}", context.sequence(), context.deadline()));
            });
        });
        Submitted
    }
}

/// Tells when it is dropped.
struct Dropped(UnboundedSender<String>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send("dropped".into());
    }
}

#[test]
fn a_call_is_answered_at_once_and_its_work_finishes_later() {
    // E3, D3: SUBMITTED, without a body.
    with_every_server(|driver| {
        for order in [Order::Serial, Order::Concurrent(4)] {
            for wire in WIRES {
                let (jobs, gate, mut told) = Jobs::new();
                let server = driver.start(Server::builder().order(order).module(jobs).module(echo()));
                let peer = RawPeer::connect(server.path());
                peer.send_call(wire, 8, 801, 1, b"\x0a\x03job");
                let response = peer.recv_response(wire);
                assert_eq!((response.sequence, response.status), (1, Status::SUBMITTED));
                assert!(response.body.is_empty());
                in_order(gate.arrived(1));
                // The session is free for more.
                peer.assert_served(wire);
                assert!(told.try_recv().is_err());
                gate.open(1);
                assert_eq!(in_order(told.recv()).unwrap(), "job is done");
            }
        }
    });
}

#[test]
fn a_handler_may_refuse_before_it_submits() {
    // D4: FAILURE, and no work.
    with_every_server(|driver| {
        let (jobs, gate, _told) = Jobs::new();
        let server = driver.start(Server::builder().module(jobs));
        let peer = RawPeer::connect(server.path());
        for (sequence, body, status) in
            [(1, &b""[..], Status::FAILURE), (2, b"\x0a", Status::FAILED_UNMARSHAL_PAYLOAD)]
        {
            peer.send_call(WIRES[0], 8, 801, sequence, body);
            assert_eq!(peer.recv_response(WIRES[0]).status, status);
        }
        server.stop();
        assert_eq!(gate.unnoticed(), 0);
    });
}

#[test]
fn a_stub_takes_submitted_for_success() {
    // E3, C6: by both clients; a method that replies something has no reply to give.
    with_every_client(|kind| {
        let (jobs, _gate, mut told) = Jobs::new();
        let server = crate::support::TestServer::start(Server::builder().module(jobs));
        let client = kind.connect_to(server.path());
        let request = || Hello { name: "job".into() };
        client.call_typed::<_, ()>(8, 801, request(), &CallOptions::new()).unwrap();
        let error = client.call_typed::<_, Hello>(8, 801, request(), &CallOptions::new()).unwrap_err();
        assert_eq!((error.kind(), error.status()), (CallErrorKind::Submitted, Some(Status::SUBMITTED)));
        client.call_typed::<_, ()>(8, 805, (), &CallOptions::new()).unwrap();
        // The work's context is that of its call, without a deadline.
        assert_eq!(in_order(told.recv()).unwrap(), "sequence 3, None");
        drop(client);
        _gate.open(2);
    });
    in_order(async {
        let (jobs, _gate, _told) = Jobs::new();
        let client = client_of(Server::builder().explicit_modules_only().module(jobs)).unwrap();
        let jobs = JobsClient::new(client);
        let () = jobs.never().await.unwrap();
        let refused = jobs.begin(Hello::default()).await.unwrap_err();
        assert_eq!(refused.status(), Some(Status::FAILURE));
    });
}

#[test]
fn work_survives_its_client() {
    // S6: a caller that leaves cancels the call, and not what it left to be done.
    with_every_server(|driver| {
        let (jobs, gate, mut told) = Jobs::new();
        let server = driver.start(Server::builder().drain_timeout(PATIENCE).module(jobs).module(echo()));
        let peer = RawPeer::connect(server.path());
        peer.send_call(WIRES[0], 8, 801, 1, b"\x0a\x03job");
        peer.send_call(WIRES[0], 8, 803, 2, b"");
        in_order(gate.arrived(2));
        peer.half_close();
        while peer.recv().is_some() {}
        drop(peer);
        // By now the session has ended, and one more has come and gone.
        RawPeer::connect(server.path()).assert_served(WIRES[0]);
        assert!(told.try_recv().is_err());
        gate.open(2);
        assert_eq!(in_order(told.recv()).unwrap(), "job is done");
        server.handle().shutdown();
        assert_eq!(in_order(told.recv()).unwrap(), format!("{:?}", Some(Cancelled::ShuttingDown)));
        server.wait();
        assert_eq!(in_order(told.recv()).unwrap(), "stopped");
    });
}

#[test]
fn a_shutdown_waits_for_work() {
    // S7: it is told, and waited for, though no session is left.
    with_every_server(|driver| {
        let (jobs, gate, mut told) = Jobs::new();
        let server = driver.start(Server::builder().drain_timeout(PATIENCE).module(jobs));
        let peer = RawPeer::connect(server.path());
        peer.send_call(WIRES[0], 8, 803, 1, b"");
        assert_eq!(peer.recv_response(WIRES[0]).status, Status::SUBMITTED);
        in_order(gate.arrived(1));
        server.handle().shutdown();
        peer.assert_closed();
        assert_eq!(in_order(told.recv()).unwrap(), "Some(ShuttingDown)");
        gate.open(1);
        server.wait();
        assert_eq!(told.try_recv().unwrap(), "stopped");
    });
}

#[test]
fn work_that_does_not_finish_in_time_is_cut() {
    // S7.
    with_every_server(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let (jobs, gate, mut told) = Jobs::new();
        let server = driver.start(Server::builder().drain_timeout(SOON).module(jobs));
        let peer = RawPeer::connect(server.path());
        peer.send_call(WIRES[0], 8, 804, 1, b"");
        in_order(gate.arrived(1));
        server.stop();
        assert_eq!(told.try_recv().unwrap(), "dropped");
        logs.assert_contain("cutting what did not finish in time sessions=0 background=1");
    });
}

#[test]
fn a_panic_of_work_is_logged_and_ends_nothing_else() {
    // S10.
    with_every_server(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let (jobs, gate, mut told) = Jobs::new();
        let server = driver.start(Server::builder().module(jobs).module(echo()));
        let peer = RawPeer::connect(server.path());
        peer.send_call(WIRES[0], 8, 802, 5, b"");
        assert_eq!(peer.recv_response(WIRES[0]).status, Status::SUBMITTED);
        gate.open(1);
        logs.wait_for("work in the background panicked: as it is meant to session=1 sequence=5");
        peer.assert_served(WIRES[0]);
        peer.send_call(WIRES[0], 8, 805, 6, b"");
        assert_eq!(peer.recv_response(WIRES[0]).status, Status::SUBMITTED);
        assert!(in_order(told.recv()).unwrap().starts_with("sequence 6"));
        server.stop();
    });
}

#[test]
fn a_server_that_is_dropped_drops_its_work() {
    in_order(async {
        let (jobs, gate, mut told) = Jobs::new();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let server = Server::builder().explicit_modules_only().module(jobs).bind(&path).unwrap();
        let serving = tokio::spawn(server.serve());
        let jobs = JobsClient::new(drpc::Client::connect(&path).await.unwrap());
        jobs.never().await.unwrap();
        gate.arrived(1).await;
        serving.abort();
        assert_eq!(told.recv().await.unwrap(), "dropped");
    });
    let (jobs, gate, mut told) = Jobs::new();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let server = Server::builder().explicit_modules_only().module(jobs);
    let mut server = server.bind_progress(&path).unwrap();
    let peer = RawPeer::connect(&path);
    for sequence in 1..=2 {
        peer.send_call(WIRES[0], 8, 804, sequence, b"");
    }
    while gate.unnoticed() < 2 {
        server.progress(PATIENCE).unwrap();
    }
    drop(server);
    assert_eq!([told.try_recv().unwrap(), told.try_recv().unwrap()], ["dropped", "dropped"]);
}

#[test]
fn work_of_a_server_in_memory_goes_on_without_it() {
    in_order(async {
        let (jobs, gate, mut told) = Jobs::new();
        let server = server_of(Server::builder().explicit_modules_only().module(jobs)).unwrap();
        let jobs = JobsClient::new(server.client());
        jobs.begin(Hello { name: "job".into() }).await.unwrap();
        jobs.watch().await.unwrap();
        gate.arrived(2).await;
        server.handle().shutdown();
        assert_eq!(told.recv().await.unwrap(), "Some(ShuttingDown)");
        drop((jobs, server));
        gate.open(2);
        let mut rest = [told.recv().await.unwrap(), told.recv().await.unwrap()];
        rest.sort();
        assert_eq!(rest, ["job is done", "stopped"]);
    });
}

/// A module written by hand.
struct ByHand;

#[drpc::async_trait]
impl Module for ByHand {
    fn id(&self) -> i32 {
        9
    }

    fn name(&self) -> &str {
        "by_hand"
    }

    fn get_method(&self, id: i32) -> Option<Method> {
        (id == 901).then(|| Method::new(9, id, "begin"))
    }

    async fn handle_call(
        self: Arc<Self>,
        context: Context,
        _: Method,
        body: Bytes,
    ) -> Result<Reply, Failure> {
        if body.is_empty() {
            return Ok(body.into());
        }
        context.spawn(|_| async {});
        Ok(Reply::Submitted)
    }
}

#[test]
fn a_module_written_by_hand_may_submit_outside_of_any_server_too() {
    in_order(async {
        let mut service = ModuleService::new();
        service.register(ByHand).unwrap();
        let session = Arc::new(Session::new(1, PeerCredentials::this_process()));
        for (body, status) in [("", Status::SUCCESS), ("job", Status::SUBMITTED)] {
            let call = Call { module: 9, method: 901, sequence: 1, body: body.into(), added: None };
            let response = service.process(Context::new(session.clone(), 1), call).await;
            assert_eq!((response.status, response.body.len()), (status, 0));
        }
    });
}

#[test]
#[should_panic(expected = "must be called from the context of a Tokio 1.x runtime")]
fn outside_of_a_server_and_of_a_runtime_there_is_nowhere_to_go_on() {
    let session = Arc::new(Session::new(1, PeerCredentials::this_process()));
    Context::new(session, 1).spawn(|_| async {});
}

#[test]
fn a_mock_may_submit() {
    in_order(async {
        let mock = MockModule::new(8, "jobs").reply(804, Submitted).on(803, |(): ()| Ok(Submitted));
        let jobs = JobsClient::new(client_of(Server::builder().module(mock)).unwrap());
        jobs.never().await.unwrap();
        jobs.watch().await.unwrap();
    });
}

/// Spawns another of its kind when it is dropped, so many times.
struct Hydra {
    context: Context,
    heads: usize,
    dropped: UnboundedSender<usize>,
}

impl Drop for Hydra {
    fn drop(&mut self) {
        let _ = self.dropped.send(self.heads);
        if let Some(heads) = self.heads.checked_sub(1) {
            let next = Hydra { context: self.context.clone(), heads, dropped: self.dropped.clone() };
            self.context.spawn(|_| next.wait());
        }
    }
}

impl Hydra {
    async fn wait(self) {
        pending::<()>().await;
    }
}

#[test]
fn work_that_a_runtime_drops_at_its_end_may_spawn() {
    // What the ended runtime drops at once spawns again, in the midst of that.
    let (dropped, mut drops) = unbounded_channel();
    let module = echo().on(705, move |context: Context, body| {
        let dropped = dropped.clone();
        async move {
            let hydra = Hydra { context: context.clone(), heads: 2, dropped };
            context.spawn(|_| hydra.wait());
            Ok(body)
        }
    });
    let ending = std::thread::spawn(|| {
        let runtime = crate::support::runtime();
        runtime.block_on(async {
            let client = client_of(Server::builder().explicit_modules_only().module(module)).unwrap();
            client.call_raw(Method::new(7, 705, "spawn"), "", &CallOptions::new()).await.unwrap();
        });
        drop(runtime);
    });
    for heads in [2, 1, 0] {
        assert_eq!(in_order(drops.recv()), Some(heads));
    }
    ending.join().unwrap();
}
