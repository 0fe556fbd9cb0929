//! The kernel alone: the packets of a drpc call there and back, by blocking calls, without a protocol.
//!
//! The server has a thread for each connection. It receives a message to its last packet before it sends it back, as any RPC
//! must that hands whole messages to a handler.

use std::thread;

use anyhow::{Context, Result};
use rustix::net::{SocketAddrUnix, accept, bind, listen};

use super::bare::{self, End, Exchange, Flow, seqpacket};
use super::subject::{Kind, Subject};
use crate::control;
use crate::job::{Job, Setup};
use crate::payload::Payload;
use crate::setting::Load;

/// The floors: the plain one, and special ones.
pub(super) fn all() -> Vec<&'static dyn Subject> {
    const PLAIN: Floor = Floor {
        name: "floor",
        about: "blocking ping-pong of drpc's packets, a thread for each connection",
        kind: Kind::Floor,
        send_buffer: None,
        spin: false,
        flow: Flow::Window,
    };
    const SPECIAL: Floor = Floor { kind: Kind::SpecialFloor, ..PLAIN };
    vec![
        const { &PLAIN },
        const {
            &Floor {
                name: "floor-batch",
                about: "the floor with a client that sends a batch of calls, and then receives the replies to all of them",
                flow: Flow::Batches,
                ..PLAIN
            }
        },
        const {
            &Floor {
                name: "floor-sndbuf",
                about: "the floor with send buffers of 1 MiB",
                send_buffer: Some(1 << 20),
                ..SPECIAL
            }
        },
        const {
            &Floor {
                name: "floor-spin",
                about: "the floor with both sides spinning instead of sleeping",
                spin: true,
                ..SPECIAL
            }
        },
    ]
}

struct Floor {
    name: &'static str,
    about: &'static str,
    kind: Kind,
    send_buffer: Option<usize>,
    spin: bool,
    flow: Flow,
}

impl Subject for Floor {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    /// A batch of one is a call.
    fn takes(&self, load: Load, _: usize) -> bool {
        self.flow == Flow::Window || load.depth > 1
    }

    fn workers(&self) -> &'static [usize] {
        &[1]
    }

    fn serve(&self, setup: &Setup) -> Result<()> {
        let listener = seqpacket()?;
        bind(&listener, &SocketAddrUnix::new(&setup.socket)?).context("binding")?;
        listen(&listener, i32::MAX)?;
        control::ready();
        let Exchange { request, .. } = Exchange::echo(&Payload::thorough(setup.size));
        let lengths: Vec<usize> = request.iter().map(Vec::len).collect();
        loop {
            let mut end = self.set_up(End::of(accept(&listener).context("accepting")?))?;
            let lengths = lengths.clone();
            // A small stack: there may be ten thousand of them.
            thread::Builder::new().stack_size(64 << 10).spawn(move || end.echo_all(&lengths))?;
        }
    }

    fn call(&self, job: &Job) -> Result<()> {
        let exchange = Exchange::echo(&Payload::thorough(job.size));
        bare::call(job, || self.set_up(End::connect(&job.socket)?), &exchange, self.flow)
    }
}

impl Floor {
    fn set_up(&self, end: End) -> Result<End> {
        let end = if self.spin { end.spinning() } else { end };
        match self.send_buffer {
            Some(size) => end.with_socket_buffers(size),
            None => Ok(end),
        }
    }
}
