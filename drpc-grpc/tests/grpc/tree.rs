//! A tree of hosts, as the README has it: a method that calls the hosts of a branch.

use std::time::Duration;

use drpc::{CallError, CallOptions, Context, FailureCause, ModuleService, drpc_module};
use drpc_grpc::{GrpcCaller, GrpcServer, Tls, call_each};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::Running;
use crate::certificates::Authority;

#[derive(Clone, PartialEq, prost::Message)]
struct Branch {
    #[prost(string, repeated, tag = "1")]
    hosts: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Outcomes {
    #[prost(message, repeated, tag = "1")]
    of_each: Vec<Outcome>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Outcome {
    #[prost(string, tag = "1")]
    host: String,
    /// Empty if it was restarted.
    #[prost(string, tag = "2")]
    error: String,
}

struct Node {
    tls: Tls,
    /// Told who has restarted it.
    told: UnboundedSender<String>,
}

#[drpc_module(id = 6, remote)]
impl Node {
    #[method(1, allow = "restart")]
    fn restart(&self, context: &Context) {
        let remote = context.peer().remote().expect("it is called by other hosts");
        self.told.send(remote.names()[0].to_string()).unwrap();
    }

    #[method(2, allow = "admin")]
    async fn restart_branch(&self, context: &Context, branch: Branch) -> Outcomes {
        let options = CallOptions::new().on_behalf_of(context);
        // The rest is for the way back.
        let options = match context.deadline().and_then(|at| at.checked_sub(Duration::from_secs(1))) {
            Some(at) => options.deadline(at),
            None => options,
        };
        restart_each(branch.hosts, &self.tls, options).await
    }
}

async fn restart_each(hosts: Vec<String>, tls: &Tls, options: CallOptions) -> Outcomes {
    let called = call_each(hosts, 32, async |host| node(&host, tls)?.with(options.clone()).restart().await);
    let of_each = called.await.into_iter().map(|(host, outcome)| Outcome {
        host,
        error: outcome.err().map(|error| error.to_string()).unwrap_or_default(),
    });
    Outcomes { of_each: of_each.collect() }
}

fn node(host: &str, tls: &Tls) -> Result<NodeClient<GrpcCaller>, CallError> {
    Ok(NodeClient::new(GrpcCaller::builder(format!("https://{host}")).tls(tls.clone()).connect_lazy()?))
}

#[tokio::test]
async fn a_branch_is_called_by_its_head_or_if_that_is_down_directly() {
    let authority = Authority::new();
    let (told, mut hears) = unbounded_channel();
    let (mut running, mut hosts) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let tls = authority.tls(&authority.host());
        let mut modules = ModuleService::new();
        modules.register(Node { tls: tls.clone(), told: told.clone() }).unwrap();
        let admin = drpc::Allow::certificate("CN=admin");
        modules.define_rule("admin", admin.clone());
        modules.define_rule("restart", admin.or(drpc::Allow::certificate("CN=host")));
        let server = Running::of(GrpcServer::builder(modules).tls(tls)).await;
        hosts.push(format!("localhost:{}", server.address.port()));
        running.push(server);
    }
    let mut gone = Vec::new();
    for _ in 0..2 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        gone.push(format!("localhost:{}", listener.local_addr().unwrap().port()));
    }
    // A host of the first branch is down, and the head of the second.
    hosts.insert(1, gone[0].clone());
    hosts.insert(3, gone[1].clone());

    let tls = authority.tls(&authority.caller("admin"));
    let options = CallOptions::new().timeout(Duration::from_secs(60));
    let branches = call_each(hosts.chunks(3), 32, async |branch| {
        let head = node(&branch[0], &tls)?.with(options.clone());
        match head.restart_branch(Branch { hosts: branch.to_vec() }).await {
            // It was not executed.
            Err(error) if error.is_connect() => {
                Ok(restart_each(branch.to_vec(), &tls, options.clone()).await)
            }
            outcome => outcome,
        }
    });
    let of_each: Vec<Outcome> =
        branches.await.into_iter().flat_map(|(_, outcomes)| outcomes.unwrap().of_each).collect();
    assert!(of_each.iter().map(|outcome| &outcome.host).eq(&hosts));
    for Outcome { host, error } in of_each {
        assert_eq!(gone.contains(&host), !error.is_empty(), "{host}: {error}");
    }
    let mut who = Vec::new();
    for _ in 0..4 {
        who.push(hears.recv().await.unwrap());
    }
    who.sort();
    assert_eq!(who, ["CN=admin", "CN=admin", "CN=host", "CN=host"]);
    assert!(hears.try_recv().is_err(), "each was restarted once");

    // What a head may do, it may do alone: it has others call nobody.
    let as_host = node(&hosts[0], &authority.tls(&authority.host())).unwrap();
    let error = as_host.restart_branch(Branch { hosts: hosts.clone() }).await.unwrap_err();
    assert_eq!(error.failure_cause(), Some(FailureCause::Denied), "{error}");
}
