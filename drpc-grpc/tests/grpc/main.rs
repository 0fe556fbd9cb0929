//! Modules and stubs between two hosts, which are both this one.

mod calls;
mod certificates;
mod gateway;
mod identity;
mod limits;
mod many_hosts;
mod modules;
mod network;
mod python;
mod readme;
mod start;
mod streams;
mod tree;
mod uploads;

use std::net::SocketAddr;
use std::time::Duration;

use drpc::ModuleService;
use drpc_grpc::{GrpcCaller, GrpcServer, GrpcServerBuilder};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::modules::GreeterClient;

/// Long enough for whatever comes to its end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that runs, without TLS.
struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl Running {
    async fn start(modules: ModuleService) -> Self {
        Self::of(GrpcServer::builder(modules).insecure_loopback()).await
    }

    async fn of(settings: GrpcServerBuilder) -> Self {
        let server = settings.bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(async {
            let until = async { drop(stopped.await) };
            server.serve_until(until).await.unwrap();
        });
        Running { address, stop: Some(stop), serving }
    }

    fn http(&self) -> String {
        format!("http://{}", self.address)
    }

    /// By the name that a host's certificate has.
    fn https(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    async fn caller(&self) -> GrpcCaller {
        GrpcCaller::builder(self.http()).insecure_loopback().connect().await.unwrap()
    }

    async fn greeter(&self) -> GreeterClient<GrpcCaller> {
        GreeterClient::new(self.caller().await)
    }

    /// Stops it, and waits until it has.
    async fn stop(mut self) {
        drop(self.stop.take());
        self.serving.await.unwrap();
    }
}
