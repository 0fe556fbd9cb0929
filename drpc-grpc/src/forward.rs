use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use drpc::wire::ResponseFields;
use drpc::{
    Bytes, CallError, CallErrorKind, CallOptions, Caller, Cancelled, Client, Context, Failure, FailureCause,
    Incoming, Method, Module, Reply, Sending, Status, Stream, Streaming, Upload,
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
/// trace contexts go through if the client [asks for and sends](drpc::ClientBuilder::added_fields) them, and so does it that a caller drops its call. If that server can't be reached, a call is
/// answered UNAVAILABLE; if the client's own [time-out](drpc::ClientBuilder::timeout) is over, `DEADLINE_EXCEEDED`.
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
        unless_left(&context, self.pass_on(&context, method, body)).await
    }
}

impl Forwarded {
    async fn pass_on(&self, context: &Context, method: Method, body: Bytes) -> Result<Reply, Failure> {
        let passed_on = |error| passed_on(context, error);
        if method.is_client_streaming() {
            let options = to_open(context);
            let caller = context.clone();
            if method.is_streaming() {
                let opened = self.client.exchange(method, body, &options).await.map_err(passed_on)?;
                return Reply::taking(context, method, async |incoming| {
                    Ok(Reply::stream(both_ways(caller, incoming, opened)))
                });
            }
            let upload = self.client.upload(method, body, &options).await.map_err(passed_on)?;
            return Reply::taking(context, method, async move |incoming| {
                unless_left(&caller, uploaded(incoming, upload)).await
            });
        }
        if method.is_streaming() {
            let items = self.client.open_raw(method, body, &to_open(context)).await.map_err(passed_on)?;
            return Ok(Reply::stream(passed_items(items)));
        }
        let options = CallOptions::new().on_behalf_of(context);
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

/// What comes of what is done for a caller while that is there. Once it has left, it is dropped: so the server behind is told. A caller whose own server stops is still there.
async fn unless_left<T>(
    context: &Context,
    done_for_it: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let leaves = async {
        context.cancelled().await;
        if !matches!(context.cancellation(), Some(Cancelled::CallerLeft | Cancelled::CallerGaveUp)) {
            pending::<()>().await;
        }
    };
    match select(pin!(done_for_it), pin!(leaves)).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right(_) => Err("the caller has left before the server behind this one had answered".into()),
    }
}

/// What a caller is told of a call that failed behind the gateway.
fn passed_on(context: &Context, error: CallError) -> Failure {
    if matches!(error.kind(), CallErrorKind::Connect | CallErrorKind::NotConnected) {
        context.session().extensions().insert(Unreachable);
    }
    failure_of(error)
}

/// The same, of a part of it. Where the gateway itself has not waited longer, it is as if the handler's time were over.
fn failure_of(error: CallError) -> Failure {
    if error.kind() != CallErrorKind::Timeout {
        return error.passed_on();
    }
    let fields = ResponseFields::new(error.to_string(), Bytes::new());
    let fields = ResponseFields { cause: Some(FailureCause::TimedOut), ..fields };
    Failure::passed_on(Status::FAILURE, fields)
}

fn passed_items(items: Streaming) -> impl Stream<Item = Result<Bytes, Failure>> {
    items.map(|item| item.map_err(failure_of))
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
            sent => sent.map_err(failure_of)?,
        }
    }
    drop(incoming);
    match upload.finish().await {
        Ok(reply) => Ok(reply.into()),
        Err(error) if error.kind() == CallErrorKind::Submitted => Ok(Reply::Submitted),
        Err(error) => Err(failure_of(error)),
    }
}

/// Sends what comes while its items are waited for.
fn both_ways(
    caller: Context,
    incoming: Incoming,
    (sending, items): (Sending, Streaming),
) -> impl Stream<Item = Result<Bytes, Failure>> {
    let sends = async move { unless_left(&caller, send_all(incoming, sending)).await };
    let mut sends = Box::pin(sends.fuse());
    let mut items = Box::pin(passed_items(items));
    stream::poll_fn(move |context| {
        let _ = sends.poll_unpin(context);
        items.poll_next_unpin(context)
    })
}

/// Of items that were not all, the server behind is told by the drop. What else goes wrong, its own stream tells.
async fn send_all(mut incoming: Incoming, mut sending: Sending) -> Result<(), Failure> {
    while let Some(item) = incoming.next().await {
        sending.send(item?).await.map_err(failure_of)?;
    }
    sending.finish();
    Ok(())
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
