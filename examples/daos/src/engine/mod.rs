//! The engine: it has the pools, in memory, and does what the server says (`mgmt`).
//!
//! It has a loop of its own, as DAOS's I/O server has, and no runtime: a step of [`progress`] for whoever calls, in which its own calls to the
//! server go on, too. [`mgmt`] is the module; [`member`] is what the engine is in the system, [`pools`] what it has, [`acl`] who may use it, and
//! [`log_masks`] what it tells.

pub mod acl;
pub mod log_masks;
pub mod member;
pub mod mgmt;
pub mod pools;

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;
use std::time::{Duration, SystemTime};
use std::{io, process, thread};

use clap::Parser;
use drpc::{Order, progress};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use self::log_masks::LogMasks;
use self::mgmt::Mgmt;
use self::pools::Pools;
use crate::contract::SrvClient;
use crate::messages::srv::NotifyReadyReq;
use crate::{host, log, registry, server};

/// Serves module `mgmt` at `daos_engine_<pid>.sock` until SIGTERM or ctrl-c, or the end of its standard input: then its server is gone.
#[derive(Parser, Debug)]
#[command(name = "daos-engine")]
pub struct Args {
    /// The folder of all sockets, the server's, too.
    #[arg(long)]
    socket_dir: PathBuf,
    /// Which of the server's engines it is.
    #[arg(long)]
    index: u32,
    /// How many targets it has.
    #[arg(long, default_value_t = 8)]
    targets: u32,
    /// How many containers each pool begins with. There is no data plane here that would make them.
    #[arg(long, default_value_t = 0)]
    containers: u32,
}

/// Runs an engine.
///
/// # Errors
///
/// If it can't begin, its server does not want it, or the system can't say what is ready.
pub fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let masks = LogMasks::new(log::init());
    let socket = args.socket_dir.join(format!("daos_engine_{}.sock", process::id()));
    let client = progress::Client::builder(args.socket_dir.join(server::SOCKET))
        .timeout(Duration::from_secs(10))
        .connect_progress()?;
    let server = SrvClient::new(client.clone());
    let mut engine = progress::Server::builder()
        .module(Mgmt::new(Pools::new(args.targets, args.containers), masks, server.clone()))
        .expect_modules(&[(registry::mgmt::ID, registry::mgmt::NAME)])
        .mode(0o600)
        .order(Order::Concurrent(64))
        .bind_progress(&socket)?;
    engine.drive(&client)?;
    let stop = Stop::at_a_signal(engine.waker())?;

    let ready = NotifyReadyReq {
        uri: format!("none://{}/{}", host::short_name(), args.index),
        nctxs: args.targets,
        drpc_listener_sock: socket.display().to_string(),
        instance_idx: args.index,
        ntgts: args.targets,
        incarnation: incarnation(),
        ..Default::default()
    };
    let unwanted = stop.clone();
    server.notify_ready(ready).when_done(move |heard| {
        if let Err(error) = heard {
            tracing::error!("the server does not want this engine: {error}");
            unwanted.stop();
        }
    });

    while !stop.is_asked_for() {
        engine.progress(Duration::MAX)?;
    }
    engine.begin_shutdown();
    while !engine.is_drained() {
        engine.progress(Duration::from_millis(10))?;
    }
    Ok(())
}

/// Whether the engine is to end.
#[derive(Clone)]
struct Stop {
    asked: Arc<AtomicBool>,
    engine: Waker,
}

impl Stop {
    /// Somebody says so; or its server is gone, and with it the other end of the standard input.
    fn at_a_signal(engine: Waker) -> io::Result<Self> {
        let stop = Stop { asked: Arc::default(), engine };
        let mut signals = Signals::new([SIGTERM, SIGINT])?;
        let signalled = stop.clone();
        thread::spawn(move || signals.forever().for_each(|_| signalled.stop()));
        let orphaned = stop.clone();
        thread::spawn(move || {
            // However it ends, nobody is there any more.
            let _ = io::copy(&mut io::stdin(), &mut io::sink());
            orphaned.stop();
        });
        Ok(stop)
    }

    fn stop(&self) {
        self.asked.store(true, Ordering::Release);
        self.engine.wake_by_ref();
    }

    fn is_asked_for(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }
}

/// A number that grows with each start.
fn incarnation() -> u64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    since.as_nanos().try_into().unwrap_or(u64::MAX)
}
