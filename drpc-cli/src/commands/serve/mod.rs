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
use serde_json::json;

use canned::{Canned, CannedAnswer, holds};

use crate::exit::{Failed, ended};
use crate::schema::{ModuleInfo, Schema, SchemaArgs};
use crate::words;

/// Serve the modules of a registry with canned replies, for a client to be written before its server.
///
/// A call gets the first reply of its method whose `when` its request meets, and whose `times` are not used up; one without any is answered FAILURE,
/// with a text that says so. Each call is printed in a line. It ends at ctrl-c.
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
        server.serve_until(shutdown_signal()).await.map_err(Failed::Serve)?;
        Ok(())
    })
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
        let method = |id, name: &str| Method::new(module.id, id, name.to_owned().leak());
        Mock {
            id: module.id,
            name: module.name.clone(),
            methods: module.methods.iter().map(|info| method(info.id, &info.name)).collect(),
            canned: canned.into_iter().map(|canned| (canned, AtomicU32::new(0))).collect(),
            schema,
            json,
        }
    }

    /// The first reply for the request that is not used up.
    fn canned_for(&self, method: Method, body: &[u8]) -> Option<&Canned> {
        let request = self.schema.request(method.id(), body);
        let fits = |canned: &Canned| {
            canned.method == method.id() && canned.when.as_ref().is_none_or(|wanted| holds(&request, wanted))
        };
        let is_left = |given: &AtomicU32, times: u32| {
            given
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |given| {
                    (given < times).then_some(given + 1)
                })
                .is_ok()
        };
        self.canned
            .iter()
            .find(|(canned, given)| fits(canned) && canned.times.is_none_or(|times| is_left(given, times)))
            .map(|(canned, _)| canned)
    }

    async fn answer(&self, method: Method, body: &[u8]) -> Result<Bytes, Failure> {
        let Some(canned) = self.canned_for(method, body) else {
            return Err(Failure::with_message(Status::FAILURE, "no canned reply is left for this request"));
        };
        // Even none would last until the clock's next millisecond.
        if !canned.delay.is_zero() {
            tokio::time::sleep(canned.delay).await;
        }
        match &canned.answer {
            CannedAnswer::Reply(reply) => Ok(reply.clone()),
            CannedAnswer::Failure(status, None) => Err(Failure::new(*status)),
            CannedAnswer::Failure(status, Some(error)) => Err(Failure::with_message(*status, error.clone())),
            CannedAnswer::Hang => std::future::pending().await,
        }
    }
}

impl Mock {
    /// A line of a call.
    fn tell(&self, method: Method, body: &[u8], answer: &Result<Bytes, Failure>, took: Duration) {
        let name = self.schema.method(self.id, method.id());
        let request = self.schema.request(method.id(), body);
        let (status, kind, said) = match answer {
            Ok(reply) => (Status::SUCCESS, "reply", self.schema.reply(method.id(), Status::SUCCESS, reply)),
            Err(failure) => (failure.status(), "error", failure.to_string().into()),
        };
        let line = match (self.json, answer) {
            (true, _) => json!({
                "method": name, "request": request, "status": status.to_string(),
                "took_us": took.as_micros() as u64, kind: said,
            })
            .to_string(),
            (false, Ok(_)) => format!("{name} {request} {status} in {took:.1?} {said}"),
            (false, Err(failure)) => format!("{name} {request} {status} in {took:.1?} {failure}"),
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

    async fn handle_call(self: Arc<Self>, _: Context, method: Method, body: Bytes) -> Result<Reply, Failure> {
        let begun = Instant::now();
        let answer = self.answer(method, &body).await;
        self.tell(method, &body, &answer, begun.elapsed());
        answer.map(Reply::from)
    }
}
