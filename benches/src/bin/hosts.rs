//! What it costs to call many hosts: connections with mutual TLS, the memory of each at either end, and a call to all of them at once. The hosts are one
//! process, with as many connections as there would be hosts.
//!
//! ```sh
//! cargo run --release -p drpc-bench --bin hosts -- 1000
//! ```

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, io};

use anyhow::{Context, Result};
use bytes::Bytes;
use drpc::{ModuleService, drpc_module};
use drpc_grpc::{GrpcCaller, GrpcServer, Tls, call_each};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// How many hosts are called at a time.
const AT_A_TIME: usize = 128;

const ROUNDS: usize = 5;

struct Echo;

#[drpc_module(id = 7, remote)]
impl Echo {
    #[method(0)]
    fn echo(&self, body: Bytes) -> Bytes {
        body
    }
}

fn main() -> Result<()> {
    match env::args().nth(1).as_deref() {
        Some("serve") => serve(),
        Some(hosts) => call(hosts.parse().context("give how many hosts there are")?),
        None => call(1000),
    }
}

/// The hosts: certificate, key and authority come by standard input, and the port goes out.
#[tokio::main]
async fn serve() -> Result<()> {
    let texts: [String; 3] = serde_json::from_reader(BufReader::new(io::stdin()).take(1 << 20))?;
    let mut modules = ModuleService::new();
    modules.register(Echo)?;
    let [certificate, key, authority] = texts;
    let tls = Tls::from_pem(certificate, key, authority)?;
    let server = GrpcServer::builder(modules).tls(tls).bind("127.0.0.1:0").await?;
    println!("{}", server.local_addr().port());
    Ok(server.serve().await?)
}

#[tokio::main]
async fn call(hosts: usize) -> Result<()> {
    let texts = certificates()?;
    let tls = Tls::from_pem(&texts[0], &texts[1], &texts[2])?;
    let mut server = Served::start(&texts)?;
    let address = format!("https://localhost:{}", server.port()?);
    let own = std::process::id();

    // The first makes what all have in common.
    let connect = || GrpcCaller::builder(&*address).tls(tls.clone()).connect();
    let first = EchoClient::new(connect().await?);
    first.echo("x".into()).await?;
    let before = [resident(own)?, resident(server.0.id())?];
    let begun = Instant::now();
    let made = call_each(0..hosts, AT_A_TIME, async |_| connect().await).await;
    let connecting = begun.elapsed();
    let callers: Vec<_> =
        made.into_iter().map(|(_, caller)| caller.map(EchoClient::new)).collect::<Result<_, _>>()?;
    let mut rounds = Vec::new();
    for _ in 0..=ROUNDS {
        let begun = Instant::now();
        let replies = call_each(&callers, AT_A_TIME, async |caller| caller.echo(vec![7; 64].into()).await);
        for (_, reply) in replies.await {
            reply?;
        }
        rounds.push(begun.elapsed());
    }
    let after = [resident(own)?, resident(server.0.id())?];
    // The first round makes what is kept of a connection that was used.
    let mut rounds = rounds.split_off(1);
    rounds.sort_unstable();
    let each = |time: Duration| time.as_secs_f64() * 1e6 / hosts as f64;
    let kib = |end: usize| (after[end].saturating_sub(before[end])) as f64 / hosts as f64;
    println!("hosts: {hosts}, {AT_A_TIME} at a time");
    println!("connecting: {connecting:.2?}, {:.0} µs each", each(connecting));
    println!("a call to all: {:.2?}, {:.1} µs each", rounds[ROUNDS / 2], each(rounds[ROUNDS / 2]));
    println!("memory of a connection, KiB: {:.1} where it calls, {:.1} where it serves", kib(0), kib(1));
    Ok(())
}

/// The process that serves. It ends with this one.
struct Served(Child);

impl Served {
    fn start(texts: &[String; 3]) -> Result<Self> {
        let mut server = Command::new(env::current_exe()?);
        let mut server = server.arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut input = server.stdin.take().context("it has an input")?;
        input.write_all(serde_json::to_string(texts)?.as_bytes())?;
        Ok(Served(server))
    }

    fn port(&mut self) -> Result<u16> {
        let mut line = String::new();
        BufReader::new(self.0.stdout.take().context("it has an output")?).read_line(&mut line)?;
        Ok(line.trim().parse()?)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A certificate that both ends show, its key, and the authority.
fn certificates() -> Result<[String; 3]> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate()?;
    let authority = params.self_signed(&key)?.pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(["localhost".to_owned()])?.signed_by(&key, &issuer)?.pem();
    Ok([certificate, key.serialize_pem(), authority])
}

/// Resident memory of a process, in KiB.
fn resident(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no resident memory")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
