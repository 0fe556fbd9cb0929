use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use drpc::{
    Bytes, CallError, CallErrorKind, CallOptions, Caller, Client, Context, Failure, Incoming, Method, Module,
    Reply, Sending, Status, Stream, Streaming, Upload,
};
use futures_util::future::{Either, FutureExt, select};
use futures_util::stream::{self, StreamExt};

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
        let passed_on = |error| passed_on(&context, error);
        if method.is_client_streaming() {
            let options = to_open(&context);
            if method.is_streaming() {
                let opened = self.client.exchange(method, body, &options).await.map_err(passed_on)?;
                return Reply::taking(&context, method, async |incoming| {
                    Ok(Reply::stream(both_ways(incoming, opened)))
                });
            }
            let upload = self.client.upload(method, body, &options).await.map_err(passed_on)?;
            return Reply::taking(&context, method, |incoming| uploaded(incoming, upload));
        }
        if method.is_streaming() {
            let items = self.client.open_raw(method, body, &to_open(&context)).await.map_err(passed_on)?;
            return Ok(Reply::stream(passed_items(items)));
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

/// What a caller is told of a call that failed behind the gateway.
fn passed_on(context: &Context, error: CallError) -> Failure {
    if matches!(error.kind(), CallErrorKind::Connect | CallErrorKind::NotConnected) {
        context.session().extensions().insert(Unreachable);
    }
    error.passed_on()
}

fn passed_items(items: Streaming) -> impl Stream<Item = Result<Bytes, Failure>> {
    items.map(|item| item.map_err(CallError::passed_on))
}

/// Sends what comes, and gives the answer, which may be there before all has come. Dropped, as where a caller stops in the middle, the upload is given up.
async fn uploaded(mut incoming: Incoming, mut upload: Upload) -> Result<Reply, Failure> {
    loop {
        let next = match select(pin!(incoming.next()), pin!(upload.answered())).await {
            Either::Left((next, _)) => next,
            Either::Right(_) => break,
        };
        let Some(item) = next else { break };
        match upload.send(item?).await {
            Err(error) if error.kind() == CallErrorKind::NotTaken => break,
            sent => sent.map_err(CallError::passed_on)?,
        }
    }
    drop(incoming);
    match upload.finish().await {
        Ok(reply) => Ok(reply.into()),
        Err(error) if error.kind() == CallErrorKind::Submitted => Ok(Reply::Submitted),
        Err(error) => Err(error.passed_on()),
    }
}

/// Sends what comes while its items are waited for.
fn both_ways(
    incoming: Incoming,
    (sending, items): (Sending, Streaming),
) -> impl Stream<Item = Result<Bytes, Failure>> {
    let mut sends = Box::pin(send_all(incoming, sending).fuse());
    let mut items = Box::pin(passed_items(items));
    stream::poll_fn(move |context| {
        let _ = sends.poll_unpin(context);
        items.poll_next_unpin(context)
    })
}

/// Of items that were not all, the server behind is told by the drop. What else goes wrong, its own stream tells.
async fn send_all(mut incoming: Incoming, mut sending: Sending) {
    while let Some(item) = incoming.next().await {
        let Ok(item) = item else { return };
        if sending.send(item).await.is_err() {
            return;
        }
    }
    sending.finish();
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
