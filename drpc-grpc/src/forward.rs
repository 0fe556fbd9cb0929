use std::sync::Arc;
use std::time::Instant;

use drpc::{
    Bytes, CallError, CallErrorKind, CallOptions, Client, Context, Failure, Method, Module, Reply, Status,
};
use futures_util::StreamExt;

/// A module of another server on this host, behind its socket: its calls are passed on as they are, over a [`Client`].
///
/// Give it to a [`ModuleService`](drpc::ModuleService), and a [`GrpcServer`](crate::GrpcServer) is a gateway to that server.
///
/// ```no_run
/// use drpc::{AddedFields, Allow, Client, Method, ModuleService};
/// use drpc_grpc::{Forwarded, GrpcServer, Tls};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let behind = Client::builder("/run/greeter.sock").added_fields(AddedFields::ALL).connect().await?;
/// let hello = Method::new(5, 501, "hello").with_rule("admin");
///
/// let mut modules = ModuleService::new();
/// modules.register(Forwarded::new(behind, 5, "greeter", [hello]))?;
/// modules.define_rule("admin", Allow::certificate("CN=admin"));
/// let tls = Tls::from_files("host.pem", "host.key", "ca.pem")?;
/// GrpcServer::builder(modules).tls(tls).bind("0.0.0.0:7443").await?.serve().await?;
/// # Ok(())
/// # }
/// ```
///
/// **The server behind it sees the gateway's user, not the caller's certificate**, so rules for remote callers stand here, on the methods. Error texts, deadlines and
/// trace contexts go through if the client [asks for and sends](drpc::ClientBuilder::added_fields) them. If that server can't be reached, a call is answered UNAVAILABLE.
#[derive(Debug)]
pub struct Forwarded {
    client: Client,
    id: i32,
    name: String,
    rule: Option<String>,
    methods: Vec<Method>,
}

/// Left in the session of a call that was not executed, since the server behind is not there.
pub(crate) struct Unreachable;

impl Forwarded {
    /// The module of an ID behind a client, under a name, with these methods. Those of another module are left out.
    pub fn new(
        client: Client,
        id: i32,
        name: impl Into<String>,
        methods: impl IntoIterator<Item = Method>,
    ) -> Self {
        let methods = methods.into_iter().filter(|method| method.module() == id).collect();
        Forwarded { client, id, name: name.into(), rule: None, methods }
    }

    /// The same for those alone whom a [rule](drpc::ModuleService::define_rule) allows, beside the rules of its methods.
    #[must_use]
    pub fn with_rule(self, rule: impl Into<String>) -> Self {
        Forwarded { rule: Some(rule.into()), ..self }
    }
}

#[drpc::async_trait]
impl Module for Forwarded {
    fn id(&self) -> i32 {
        self.id
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn rule(&self) -> Option<&str> {
        self.rule.as_deref()
    }

    /// A gateway is made for other hosts.
    fn is_remote(&self) -> bool {
        true
    }

    fn get_method(&self, id: i32) -> Option<Method> {
        self.methods.iter().copied().find(|method| method.id() == id)
    }

    async fn handle_call(
        self: Arc<Self>,
        context: Context,
        method: Method,
        body: Bytes,
    ) -> Result<Reply, Failure> {
        let passed_on = |error: CallError| {
            if matches!(error.kind(), CallErrorKind::Connect | CallErrorKind::NotConnected) {
                context.session().extensions().insert(Unreachable);
            }
            error.passed_on()
        };
        if method.is_streaming() {
            let items = self.client.open_raw(method, body, &to_open(&context)).await.map_err(passed_on)?;
            return Ok(Reply::stream(items.map(|item| item.map_err(CallError::passed_on))));
        }
        let options = CallOptions::new().on_behalf_of(&context);
        let response = self.client.call_raw(method, body, &options).await.map_err(passed_on)?;
        match response.status {
            Status::SUCCESS => Ok(response.body.into()),
            Status::SUBMITTED => Ok(Reply::Submitted),
            failure => {
                Err(Failure::passed_on(failure, response.added.map(|fields| *fields).unwrap_or_default()))
            }
        }
    }
}

/// A handler's time is that until its stream is open; what follows is dropped by who serves it.
fn to_open(context: &Context) -> CallOptions {
    let options = match context.trace_context() {
        Some(trace) => CallOptions::new().trace_context(trace.clone()),
        None => CallOptions::new(),
    };
    match context.deadline() {
        Some(at) => options.timeout(at.saturating_duration_since(Instant::now())),
        None => options,
    }
}
