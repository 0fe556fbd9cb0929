//! The kernel alone: the packets of a drpc call there and back, by blocking calls, without a protocol.
//!
//! The server has a thread for each connection. It receives a message to its last packet before it sends it back, as any RPC
//! must that hands whole messages to a handler.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread;

use anyhow::{Context, Result, ensure};
use drpc::wire::{Call, DEFAULT_MESSAGE_LIMIT, Packets, Wire};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketType, accept, bind, connect, listen, recv,
    send, socket,
};

use super::{Kind, Subject};
use crate::control;
use crate::job::{Job, Setup};
use crate::load::{Meter, Tally, stop_after};
use crate::payload::Payload;

/// The floors: the plain one, and special ones.
pub(super) fn all() -> Vec<&'static dyn Subject> {
    const PLAIN: Floor = Floor {
        name: "floor",
        about: "blocking ping-pong of drpc's packets, a thread for each connection",
        kind: Kind::Floor,
        send_buffer: None,
        spin: false,
    };
    const SPECIAL: Floor = Floor { kind: Kind::SpecialFloor, ..PLAIN };
    vec![
        const { &PLAIN },
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

    fn workers(&self) -> &'static [usize] {
        &[1]
    }

    fn serve(&self, setup: &Setup) -> Result<()> {
        let listener = seqpacket()?;
        bind(&listener, &SocketAddrUnix::new(&setup.socket)?).context("binding")?;
        listen(&listener, i32::MAX)?;
        control::ready();
        let lengths = packets(&Payload::thorough(setup.size)).iter().map(Vec::len).collect::<Vec<_>>();
        loop {
            let mut end = self.end(accept(&listener).context("accepting")?)?;
            let lengths = lengths.clone();
            // A small stack: there may be ten thousand of them.
            thread::Builder::new().stack_size(64 << 10).spawn(move || end.echo_all(&lengths))?;
        }
    }

    fn call(&self, job: &Job) -> Result<()> {
        let payload = Payload::thorough(job.size);
        let packets = packets(&payload);
        // A thread for each connection that is in use at a time; where there are fewer than connections, each
        // thread takes its own in turn.
        let threads = job.lanes.min(job.connections);
        let depth = job.lanes.div_ceil(job.connections);
        let mut lanes: Vec<Vec<End>> = (0..threads).map(|_| Vec::new()).collect();
        for connection in 0..job.connections {
            lanes[connection % threads].push(self.connect(&job.socket)?);
        }
        let run = |lanes: &mut [Vec<End>], time| -> Result<Vec<Tally>> {
            let stop = stop_after(time);
            let stopped = || stop.load(Ordering::Relaxed);
            thread::scope(|scope| {
                let threads: Vec<_> = lanes
                    .iter_mut()
                    .map(|lane| {
                        scope.spawn(|| match depth {
                            1 => ping_pong(lane, &packets, job.is_sequential(), &stopped),
                            _ => pipeline(&mut lane[0], &packets, depth, &stopped),
                        })
                    })
                    .collect();
                threads.into_iter().map(|thread| thread.join().expect("a lane does not panic")).collect()
            })
        };
        run(&mut lanes, job.warm_up)?;
        control::ready();
        control::wait_for_go()?;
        let meter = Meter::start();
        let tallies = if job.window.is_zero() { Vec::new() } else { run(&mut lanes, job.window)? };
        control::done(&meter.stop(tallies))
    }
}

impl Floor {
    fn connect(&self, path: &Path) -> Result<End> {
        let socket = seqpacket()?;
        connect(&socket, &SocketAddrUnix::new(path)?).context("connecting")?;
        self.end(socket)
    }

    fn end(&self, socket: OwnedFd) -> Result<End> {
        if let Some(size) = self.send_buffer {
            set_socket_send_buffer_size(&socket, size)?;
            set_socket_recv_buffer_size(&socket, size)?;
        }
        let wait = if self.spin { RecvFlags::DONTWAIT } else { RecvFlags::empty() };
        Ok(End { socket, wait, buffers: Vec::new() })
    }
}

fn seqpacket() -> Result<OwnedFd> {
    Ok(socket(AddressFamily::UNIX, SocketType::SEQPACKET, None)?)
}

/// The packets of a drpc call with this body.
fn packets(payload: &Payload) -> Vec<Vec<u8>> {
    let call = Call { module: 7, method: 700, sequence: 1000, body: payload.bytes().clone(), added: None };
    let head = call.head();
    let packets = Packets::new(Wire::Chunked, &head, &call.body, DEFAULT_MESSAGE_LIMIT);
    packets.expect("a body of the benchmark is within the limit").map(|packet| packet.to_vec()).collect()
}

/// One end of a connection, and a buffer for each packet of a message, used again and again.
struct End {
    socket: OwnedFd,
    wait: RecvFlags,
    buffers: Vec<Vec<u8>>,
}

impl End {
    /// Sends every message back, until the client closes.
    fn echo_all(&mut self, lengths: &[usize]) {
        let served = (|| loop {
            for (place, length) in lengths.iter().enumerate() {
                if self.recv(place, *length)? == 0 {
                    return Ok::<_, Errno>(());
                }
            }
            for packet in &self.buffers {
                send_whole(&self.socket, packet, SendFlags::NOSIGNAL)?;
            }
        })();
        // A client that is done may leave replies unread.
        if let Err(error) = served
            && !matches!(error, Errno::PIPE | Errno::CONNRESET)
        {
            eprintln!("floor: {error}");
        }
    }

    /// Waits until a packet can be sent or received.
    fn wait_either(&self) -> Result<Readiness, Errno> {
        let mut ready = [PollFd::new(&self.socket, PollFlags::IN | PollFlags::OUT)];
        while let Err(error) = poll(&mut ready, None) {
            if error != Errno::INTR {
                return Err(error);
            }
        }
        Ok(if ready[0].revents().contains(PollFlags::OUT) {
            Readiness::Sending
        } else {
            Readiness::Receiving
        })
    }

    /// Receives a packet into the buffer of its place in the message; gives its length.
    fn recv(&mut self, place: usize, length: usize) -> Result<usize, Errno> {
        if self.buffers.len() <= place {
            self.buffers.resize_with(place + 1, Vec::new);
        }
        let buffer = &mut self.buffers[place];
        buffer.resize(length, 0);
        loop {
            match recv(&self.socket, &mut buffer[..], self.wait) {
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => std::hint::spin_loop(),
                received => return received.map(|(_, length)| length),
            }
        }
    }
}

/// What an end is ready for.
#[derive(PartialEq, Eq)]
enum Readiness {
    Sending,
    Receiving,
}

fn send_whole(socket: &OwnedFd, packet: &[u8], flags: SendFlags) -> Result<(), Errno> {
    loop {
        match send(socket, packet, flags) {
            Err(Errno::INTR) => {}
            sent => return sent.map(drop),
        }
    }
}

/// One call at a time, on each connection in turn.
fn ping_pong(
    lane: &mut [End],
    packets: &[Vec<u8>],
    timed: bool,
    stopped: &impl Fn() -> bool,
) -> Result<Tally> {
    let mut tally = Tally::new(timed);
    while !(stopped() && tally.calls >= lane.len()) {
        let turn = tally.calls % lane.len();
        let begun = tally.begin();
        for packet in packets {
            send_whole(&lane[turn].socket, packet, SendFlags::NOSIGNAL)?;
        }
        for (place, packet) in packets.iter().enumerate() {
            let received = lane[turn].recv(place, packet.len())?;
            ensure!(received == packet.len(), "{received} bytes came back of {}", packet.len());
        }
        tally.end(begun);
    }
    ensure!(lane[0].buffers == packets, "other bytes came back than were sent");
    Ok(tally)
}

/// So many messages in flight on one connection. Sends as long as the socket takes it, and receives when it does not: both
/// sides blocked in sending would be the end.
fn pipeline(end: &mut End, packets: &[Vec<u8>], depth: usize, stopped: &impl Fn() -> bool) -> Result<Tally> {
    let mut tally = Tally::new(false);
    let (mut sent, mut received) = (0, 0);
    let in_flight = depth * packets.len();
    loop {
        let more = !stopped() || sent % packets.len() != 0;
        if more && sent - received < in_flight {
            match send_whole(
                &end.socket,
                &packets[sent % packets.len()],
                SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
            ) {
                Ok(()) => {
                    sent += 1;
                    continue;
                }
                // The server may wait for the rest of this message as well as for room for its reply.
                Err(Errno::AGAIN) if end.wait_either()? == Readiness::Sending => continue,
                Err(Errno::AGAIN) => {}
                Err(error) => return Err(io::Error::from(error).into()),
            }
        }
        if sent == received {
            return Ok(tally);
        }
        let place = received % packets.len();
        let length = end.recv(place, packets[place].len())?;
        ensure!(length == packets[place].len(), "{length} bytes came back of {}", packets[place].len());
        received += 1;
        if received % packets.len() == 0 {
            tally.end(None);
        }
    }
}
