//! `drpc serve`: a server of canned replies, for a client whose server is not there yet.

mod canned;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use drpc::server::shutdown_signal;
use drpc::{Bytes, Context, Failure, Method, Module, Reply, Server, Status, WireMode};
use futures_util::stream;
use serde_json::{Value, json};

use canned::{Canned, CannedAnswer};

use crate::exit::{Failed, ended};
use crate::schema::{MethodInfo, ModuleInfo, Schema, SchemaArgs};
use crate::words;

/// Serve the modules of a registry with canned replies, for a client to be written before its server.
///
/// A call gets the first reply of its method whose `when` its request meets, and whose `times` are not used up; one without any is answered FAILURE,
/// with a text that says so. Each call is printed in a line, but for the one by which a client finds out the wire: an empty one of method 0 of module 0, as
/// the first of its session. A method that takes a stream is not served. There is no reflection: other commands
/// are given the same files. It ends at ctrl-c.
///
/// Exit code: 0 if it was ended by ctrl-c or SIGTERM, 2 if the command line, the registry or the replies are wrong, 3 if it can't listen.
#[derive(Debug, clap::Args)]
#[command(after_help = "The file of replies, in TOML:
  [[reply]]
  method = \"greeter.hello\"          # or 501
  when = { name = \"World\" }         # fields that the request must hold; without it, any request
  reply = { greeting = \"Hello!\" }   # by the protobuf mapping of JSON, or hex digits
  delay = \"50ms\"
  times = 1                         # the reply after it is given from then on

  [[reply]]
  method = \"greeter.hello\"
  status = \"FAILURE\"                # or hang = true: no answer at all
  error = \"nobody of that name\"

  [[reply]]
  method = \"pools.watch\"            # one that answers by a stream
  items = [{ pool = \"a\" }, { pool = \"b\" }]

Examples:
  drpc serve /tmp/greeter.sock --contract contract.txt --replies replies.toml
  drpc serve /tmp/engine.sock --registry drpc_modules.h --wire plain")]
pub(crate) struct ServeArgs {
    /// The socket to listen on. It gets mode 0600; a stale one is replaced.
    socket: PathBuf,
    /// The file of canned replies.
    #[arg(long, value_name = "FILE")]
    replies: Option<PathBuf>,
    /// The wire to speak: auto (as the client does), chunked (DAOS 2.8) or plain (DAOS 2.6).
    #[arg(long, default_value = "auto", value_parser = words::wire())]
    wire: WireMode,
    /// Print JSON, one object in each line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    schema: SchemaArgs,
}

pub(crate) fn run(args: &ServeArgs) -> ExitCode {
    ended(serve(args).map(|()| ExitCode::SUCCESS))
}

fn serve(args: &ServeArgs) -> Result<(), Failed> {
    let schema = Arc::new(args.schema.load()?.unwrap_or_default());
    if schema.modules().is_empty() {
        let problem = "there is nothing to serve: name the modules by --registry FILE or --contract FILE";
        return Err(Failed::Given(problem.to_owned()));
    }
    let mut canned = match &args.replies {
        Some(path) => canned::read(path, &schema).map_err(|error| Failed::Given(error.to_string()))?,
        None => Vec::new(),
    };
    let mut builder = Server::builder().wire(args.wire).explicit_modules_only();
    for module in schema.modules() {
        let (ours, others) =
            canned.into_iter().partition(|canned| module.methods.iter().any(|info| info.id == canned.method));
        canned = others;
        builder = builder.module(Mock::new(module, ours, schema.clone(), args.json));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failed::Begin)?;
    runtime.block_on(async {
        let server = builder.bind(&args.socket)?;
        note!("listening on {}; ctrl-c ends it", args.socket.display());
        for module in schema.modules() {
            for info in module.methods.iter().filter(|info| info.items.is_some()) {
                note!("drpc: warning: {}.{} is not served: it takes a stream", module.name, info.name);
            }
        }
        server.serve_until(shutdown_signal()).await.map_err(Failed::Serve)?;
        Ok(())
    })
}

/// All of a module's methods but those that take a stream.
fn served(module: &ModuleInfo) -> impl Iterator<Item = &MethodInfo> {
    module.methods.iter().filter(|info| info.items.is_none())
}

/// A module that answers as it was told.
struct Mock {
    id: i32,
    name: String,
    methods: Vec<Method>,
    canned: Vec<(Canned, AtomicU32)>,
    schema: Arc<Schema>,
    /// Whether calls are told of in JSON.
    json: bool,
}

impl Mock {
    fn new(module: &ModuleInfo, canned: Vec<Canned>, schema: Arc<Schema>, json: bool) -> Mock {
        // Names live as long as the program: there are as many as the registry has.
        let method = |info: &MethodInfo| {
            let method = Method::new(module.id, info.id, info.name.clone().leak());
            if info.is_stream { method.streaming() } else { method }
        };
        Mock {
            id: module.id,
            name: module.name.clone(),
            methods: served(module).map(method).collect(),
            canned: canned.into_iter().map(|canned| (canned, AtomicU32::new(0))).collect(),
            schema,
            json,
        }
    }

    /// The first reply for the request that is not used up; `is_given` uses it.
    fn canned_for(&self, method: Method, body: &[u8], is_given: bool) -> Option<&Canned> {
        let fits = |canned: &Canned| {
            canned.method == method.id()
                && canned.when.as_ref().is_none_or(|when| when.is_met(&self.schema, method.id(), body))
        };
        let is_left = |given: &AtomicU32, times: u32| {
            given
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |given| {
                    (given < times).then_some(given + u32::from(is_given))
                })
                .is_ok()
        };
        self.canned
            .iter()
            .find(|(canned, given)| fits(canned) && canned.times.is_none_or(|times| is_left(given, times)))
            .map(|(canned, _)| canned)
    }

    async fn answer(&self, method: Method, body: &[u8]) -> Result<Answer, Failure> {
        let Some(canned) = self.canned_for(method, body, true) else { return Err(none_left()) };
        // Even none would last until the clock's next millisecond.
        if !canned.delay.is_zero() {
            tokio::time::sleep(canned.delay).await;
        }
        match answer_at_once(canned) {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }
}

/// What a call is answered with, if it does not fail.
enum Answer {
    Reply(Bytes),
    Items(Vec<Bytes>),
    Submitted,
}

impl Answer {
    fn into_reply(self) -> Reply {
        match self {
            Answer::Reply(reply) => reply.into(),
            Answer::Items(items) => Reply::stream(stream::iter(items.into_iter().map(Ok::<_, Failure>))),
            Answer::Submitted => Reply::Submitted,
        }
    }
}

/// `None` for what hangs.
fn answer_at_once(canned: &Canned) -> Option<Result<Answer, Failure>> {
    Some(match &canned.answer {
        CannedAnswer::Reply(reply) => Ok(Answer::Reply(reply.clone())),
        CannedAnswer::Items(items) => Ok(Answer::Items(items.clone())),
        CannedAnswer::Submitted => Ok(Answer::Submitted),
        CannedAnswer::Failure(status, None) => Err(Failure::new(*status)),
        CannedAnswer::Failure(status, Some(error)) => Err(Failure::with_message(*status, error.clone())),
        CannedAnswer::Hang => return None,
    })
}

fn none_left() -> Failure {
    Failure::with_message(Status::FAILURE, "no canned reply is left for this request")
}

/// Whether it may be the call by which a client finds out the wire (W8), where a mocked module has its ID: what it is answered with is of no matter.
fn may_be_probe(context: &Context, method: Method, body: &[u8]) -> bool {
    (method.module(), method.id()) == (0, 0)
        && body.is_empty()
        && context.sequence() == 1
        && context.deadline().is_none()
}

impl Mock {
    /// A line of a call.
    fn tell(&self, method: Method, body: &[u8], answer: &Result<Answer, Failure>, took: Duration) {
        let name = self.schema.method(self.id, method.id());
        let request = self.schema.request(method.id(), body);
        let shown = |reply: &Bytes| self.schema.reply(method.id(), Status::SUCCESS, reply);
        let (status, kind, said) = match answer {
            Ok(Answer::Reply(reply)) => (Status::SUCCESS, "reply", shown(reply)),
            Ok(Answer::Items(items)) => (Status::SUCCESS, "items", items.iter().map(shown).collect()),
            Ok(Answer::Submitted) => (Status::SUBMITTED, "reply", Value::Null),
            Err(failure) => (failure.status(), "error", failure.to_string().into()),
        };
        let line = match (self.json, answer) {
            (true, _) => words::json(&json!({
                "method": name, "request": request, "status": status.to_string(),
                "took_us": took.as_micros() as u64, kind: said,
            })),
            (false, Ok(Answer::Submitted)) => {
                format!("{name} {} {status} in {took:.1?}", words::json(&request))
            }
            (false, Ok(_)) => {
                format!("{name} {} {status} in {took:.1?} {}", words::json(&request), words::json(&said))
            }
            (false, Err(failure)) => {
                format!("{name} {} {status} in {took:.1?} {failure}", words::json(&request))
            }
        };
        // A reader who has gone is no reason to answer otherwise.
        let _ = writeln!(io::stdout(), "{line}");
    }
}

#[drpc::async_trait]
impl Module for Mock {
    fn id(&self) -> i32 {
        self.id
    }

    fn name(&self) -> &str {
        &self.name
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
        if may_be_probe(&context, method, &body) {
            // It uses up no reply; should it be a call, it gets the one that it would have got.
            let canned = self.canned_for(method, &body, false);
            return canned.and_then(answer_at_once).unwrap_or(Err(none_left())).map(Answer::into_reply);
        }
        let begun = Instant::now();
        let answer = self.answer(method, &body).await;
        self.tell(method, &body, &answer, begun.elapsed());
        answer.map(Answer::into_reply)
    }
}
