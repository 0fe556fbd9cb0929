//! `drpc grpc`: a server's modules, to other hosts.

#[cfg(feature = "grpc")]
mod serve;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;
use drpc::WireMode;

use crate::exit::{Failed, ended};
use crate::schema::SchemaArgs;
use crate::target::ConfigArgs;
use crate::words;

/// Let other hosts call a server, over gRPC with mutual TLS.
///
/// A `drpc` has it that is built with the feature `grpc`: `cargo install --path drpc-cli --features grpc`.
#[derive(Debug, Subcommand)]
pub(crate) enum GrpcCommand {
    Serve(ServeArgs),
}

/// Serve the modules behind a socket to other hosts, as gRPC services.
///
/// Served are the modules that are declared to be for other hosts: by `remote = true` in the registry, or `remote` in the attribute of a module that is
/// unlisted. They are learnt from the server's reflection, or from the files named below: from a registry, since a contract does not say it. Requests and replies
/// pass as they are. A method that passes file descriptors is left out: these stay on their host.
///
/// Callers show a certificate of the authority. The server itself sees this process as its client, with this process's user. So what one of its rules guards
/// is guarded here, by the names in the certificates that --rule lists for it; what no rule guards may be called with any certificate of the authority. The
/// rules are those that the server's reflection tells, whatever files name, and a method that it does not tell of is left out. Of a server without reflection
/// a contract tells them; a registry does not, so there it takes --no-rules.
///
/// At SIGHUP the certificates are read again, for the connections to come.
///
/// Exit code: 0 if it was ended by ctrl-c or SIGTERM, 2 if the command line, a file or what the server declares is not fit, 3 if the server can't be asked, or the
/// address not be listened on.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drpc grpc serve --socket /run/greeter.sock --listen 0.0.0.0:7443 --cert host.pem --key host.key --client-ca ca.pem
  drpc grpc serve --socket /run/greeter.sock --listen 0.0.0.0:7443 --cert host.pem --key host.key --client-ca ca.pem \\
      --rule admin=CN=admin --rule admin=DNS:ops.example.com
  drpc grpc serve --socket /run/greeter.sock --listen 127.0.0.1:7443 --insecure-loopback    # behind a proxy that does TLS

Then, from another host:
  grpcurl -cacert ca.pem -cert admin.pem -key admin.key -d '{\"name\": \"World\"}' host-3:7443 drpc.greeter/Hello")]
pub(crate) struct ServeArgs {
    /// The server's socket: a path, an abstract name (@name), or the short name that the configuration file gives it.
    #[arg(long)]
    socket: PathBuf,
    /// Where other hosts connect to: an address and a port.
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    listen: String,
    /// This host's certificate, in PEM; it may be a chain.
    #[arg(long, value_name = "FILE", required_unless_present = "insecure_loopback", requires = "key")]
    cert: Option<PathBuf>,
    /// The key of the certificate, in PEM.
    #[arg(long, value_name = "FILE", required_unless_present = "insecure_loopback", requires = "client_ca")]
    key: Option<PathBuf>,
    /// The authority that has signed the callers' certificates, in PEM; it may be several.
    #[arg(long, value_name = "FILE", required_unless_present = "insecure_loopback", requires = "cert")]
    client_ca: Option<PathBuf>,
    /// Without TLS, to whoever is on this host: on a loopback address alone. Nobody is known by name, so what a rule guards is refused.
    #[arg(long, conflicts_with_all = ["cert", "key", "client_ca"])]
    insecure_loopback: bool,
    /// Whom a rule of the server lets in, by a name in their certificate: admin=CN=admin, admin=DNS:ops.example.com. May be given more than once, also for one rule.
    #[arg(long = "rule", value_name = "RULE=NAME", value_parser = rule)]
    rules: Vec<(String, String)>,
    /// Serve also what nobody tells the rules of, to any certificate of the authority: where a server without reflection guards nothing.
    #[arg(long)]
    no_rules: bool,
    /// Serve this module alone, by name or ID. May be given more than once.
    #[arg(long = "module", value_name = "MODULE")]
    modules: Vec<String>,
    /// How many connections to make to the server, at most: one that answers in order does so on each.
    #[arg(long, default_value = "8", value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// The wire to speak to the server: auto (ask it), chunked (DAOS 2.8) or plain (DAOS 2.6).
    #[arg(long, env = "DRPC_WIRE", value_parser = words::wire())]
    wire: Option<WireMode>,
    /// How long connecting to the server may take, and a call that has no deadline of its own.
    #[arg(long, default_value = "5s", env = "DRPC_TIMEOUT", value_parser = words::duration)]
    timeout: Duration,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    schema: SchemaArgs,
}

pub(crate) fn run(command: &GrpcCommand) -> ExitCode {
    let GrpcCommand::Serve(args) = command;
    ended(serve(args).map(|()| ExitCode::SUCCESS))
}

#[cfg(feature = "grpc")]
fn serve(args: &ServeArgs) -> Result<(), Failed> {
    serve::serve(args)
}

#[cfg(not(feature = "grpc"))]
fn serve(_: &ServeArgs) -> Result<(), Failed> {
    let problem = "this `drpc` is built without gRPC: `cargo install --path drpc-cli --features grpc` gives one that \
                   has it";
    Err(Failed::Given(problem.to_owned()))
}

/// A host, by address or name, and a port.
fn address(text: &str) -> Result<String, String> {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(text.to_owned()),
        _ => Err("expected an address and a port, such as 0.0.0.0:7443".to_owned()),
    }
}

/// `admin=CN=ops`: the rule ends at the first `=`.
fn rule(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((rule, name)) if !rule.is_empty() && !name.is_empty() => Ok((rule.to_owned(), name.to_owned())),
        _ => Err("expected a rule and a name, such as admin=CN=admin".to_owned()),
    }
}
