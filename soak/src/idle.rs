//! What connections cost that nobody calls on.

use std::path::Path;

use drpc::CallOptions;
use drpc::blocking::Client;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::measure::Measure;
use crate::server::ServerProcess;
use crate::sessions::{ECHO, builder, check};
use crate::{Driver, Error};

/// What a connection may cost the server, in bytes.
fn most(driver: Driver) -> usize {
    match driver {
        Driver::Tokio | Driver::Steps => 4 << 10,
        // Of its stack, what a thread has used.
        Driver::Threads => 32 << 10,
    }
}

/// Descriptors that a process needs besides its connections', with room to spare.
const OTHER_DESCRIPTORS: u64 = 64;

/// Opens so many connections, and measures what they cost the server: fresh ones, and ones that have called once.
pub(crate) fn run(driver: Driver, wanted: usize) -> Result<(), Error> {
    let connections = as_many_as_may_be(wanted)?;
    let directory = tempfile::tempdir()?;
    let socket = directory.path().join("idle.sock");
    let server = ServerProcess::start(driver, &socket)?;
    // What the first calls make for all later ones.
    for _ in 0..100 {
        call(&builder(&socket).connect_blocking()?)?;
    }

    let before = server.measure(0)?;
    let clients = connect(&socket, connections)?;
    let fresh = server.measure(connections)?;
    clients.iter().try_for_each(call)?;
    let called = server.measure(connections)?;
    drop(clients);
    let after = server.measure(0)?;
    server.stop()?;

    println!("no connection       {before}");
    let mut too_much = None;
    for (name, measure) in [("fresh", fresh), ("after a call each", called)] {
        let each = cost(before, measure, connections);
        println!("{name:<20}{measure}: {each} bytes for each of {connections} connections");
        if each >= most(driver) {
            too_much = too_much.or(Some((name, each)));
        }
    }
    println!("all closed          {after}");
    match too_much {
        None => Ok(()),
        Some((name, each)) => Err(format!(
            "an idle connection ({name}) costs the server {each} bytes, and less than {} are right",
            most(driver)
        )
        .into()),
    }
}

fn connect(socket: &Path, connections: usize) -> Result<Vec<Client>, Error> {
    (0..connections).map(|_| Ok(builder(socket).connect_blocking()?)).collect()
}

fn call(client: &Client) -> Result<(), Error> {
    let response = client.call_raw(ECHO, "ping", &CallOptions::new())?;
    check(&response.body, b"ping")
}

/// The memory of one connection in bytes, rounded up.
fn cost(before: Measure, with: Measure, connections: usize) -> usize {
    (with.resident.saturating_sub(before.resident) * 1024).div_ceil(connections)
}

/// How many connections the limit of descriptors lets us have. It is raised as far as it may be, for the server too, which
/// inherits it.
fn as_many_as_may_be(wanted: usize) -> Result<usize, Error> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    let room = match limit.maximum {
        None => return Ok(wanted),
        Some(hard) => usize::try_from(hard.saturating_sub(OTHER_DESCRIPTORS))?,
    };
    if room >= wanted {
        return Ok(wanted);
    }
    if room == 0 {
        return Err(format!(
            "the hard limit of descriptors (`ulimit -Hn`) leaves no room: raise it to {wanted} and more"
        )
        .into());
    }
    eprintln!(
        "note: {room} connections in place of {wanted}, since the hard limit of descriptors (`ulimit -Hn`) is {}",
        room as u64 + OTHER_DESCRIPTORS
    );
    Ok(room)
}
