//! A client without a library: packets that were made beforehand, and blocking calls. What is left is the kernel's time, and the
//! server's.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use drpc::wire::{Body, Call, DEFAULT_MESSAGE_LIMIT, Packets, Response, Wire};
use drpc::{Payload as _, Status};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketType, connect, recv, send, socket,
};

use crate::job::Job;
use crate::load::{self, Tally};
use crate::payload::Payload;

/// Connects by `connect`, and exchanges packets as the job says.
pub(super) fn call(
    job: &Job,
    connect: impl Fn() -> Result<End>,
    exchange: &Exchange,
    flow: Flow,
) -> Result<()> {
    load::drive_threads(job, connect, |lane, _, stop| match job.depth() {
        1 => ping_pong(lane, exchange, job.is_sequential(), stop),
        depth => pipeline(&mut lane[0], exchange, depth, flow, stop),
    })
}

/// When a call follows, of those that are in flight together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// One as soon as another is answered.
    Window,
    /// As many as there may be, once all are answered.
    Batches,
}

/// What goes out, and what comes back, in packets.
pub(super) struct Exchange {
    pub(super) request: Vec<Vec<u8>>,
    pub(super) reply: Vec<Vec<u8>>,
}

impl Exchange {
    /// A call, which comes back as it is.
    pub(super) fn echo(payload: &Payload) -> Exchange {
        let Exchange { request, .. } = Exchange::call(payload);
        Exchange { reply: request.clone(), request }
    }

    /// A call, and its response.
    pub(super) fn call(payload: &Payload) -> Exchange {
        let sequence = 1000;
        let body = payload.message().into_body().into_bytes();
        let call = Call { module: 7, method: 700, sequence, body: body.clone(), added: None };
        let response = Response { sequence, status: Status::SUCCESS, body, added: None };
        Exchange {
            request: packets(&call.head(), call.body),
            reply: packets(&response.head(), response.body),
        }
    }
}

fn packets(head: &[u8], body: bytes::Bytes) -> Vec<Vec<u8>> {
    let body = Body::from(body);
    let packets = Packets::new(Wire::Chunked, head, &body, DEFAULT_MESSAGE_LIMIT);
    packets.expect("a body of the benchmark is within the limit").map(|packet| packet.to_vec()).collect()
}

/// A socket as the floor and this client use it.
pub(super) fn seqpacket() -> Result<OwnedFd> {
    Ok(socket(AddressFamily::UNIX, SocketType::SEQPACKET, None)?)
}

/// One end of a connection, and a buffer for each packet of a message, used again and again.
pub(super) struct End {
    socket: OwnedFd,
    wait: RecvFlags,
    buffers: Vec<Vec<u8>>,
}

impl End {
    /// The end that a client has.
    pub(super) fn connect(path: &Path) -> Result<End> {
        let socket = seqpacket()?;
        connect(&socket, &SocketAddrUnix::new(path)?).context("connecting")?;
        Ok(End::of(socket))
    }

    /// The end that such a socket is.
    pub(super) fn of(socket: OwnedFd) -> End {
        End { socket, wait: RecvFlags::empty(), buffers: Vec::new() }
    }

    /// Spins where it would sleep.
    pub(super) fn spinning(self) -> End {
        End { wait: RecvFlags::DONTWAIT, ..self }
    }

    /// Gives its socket buffers of this size.
    pub(super) fn with_socket_buffers(self, size: usize) -> Result<End> {
        set_socket_send_buffer_size(&self.socket, size)?;
        set_socket_recv_buffer_size(&self.socket, size)?;
        Ok(self)
    }

    /// Sends every message back, until the client closes.
    pub(super) fn echo_all(&mut self, lengths: &[usize]) {
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
fn ping_pong(lane: &mut [End], exchange: &Exchange, timed: bool, stop: &AtomicBool) -> Result<Tally> {
    let mut tally = Tally::new(timed);
    while !(stop.load(Ordering::Relaxed) && tally.calls >= lane.len()) {
        let end = &mut lane[tally.calls % lane.len()];
        let begun = tally.begin();
        for packet in &exchange.request {
            send_whole(&end.socket, packet, SendFlags::NOSIGNAL)?;
        }
        for (place, packet) in exchange.reply.iter().enumerate() {
            let received = end.recv(place, packet.len())?;
            ensure!(received == packet.len(), "{received} bytes came back of {}", packet.len());
        }
        tally.end(begun);
    }
    ensure!(lane[0].buffers == exchange.reply, "other bytes came back than were expected");
    Ok(tally)
}

/// So many calls in flight on one connection. Sends as long as the socket takes it, and receives when it does not: both sides
/// blocked in sending would be the end.
fn pipeline(
    end: &mut End,
    Exchange { request, reply }: &Exchange,
    depth: usize,
    flow: Flow,
    stop: &AtomicBool,
) -> Result<Tally> {
    let mut tally = Tally::sampling();
    let mut in_flight = VecDeque::with_capacity(depth);
    let (mut sent, mut received, mut batch) = (0, 0, 0);
    loop {
        if in_flight.is_empty() {
            batch = 0;
        }
        let has_room = match flow {
            Flow::Window => in_flight.len() < depth,
            Flow::Batches => batch < depth,
        };
        let begins = sent % request.len() == 0;
        if !begins || (has_room && !stop.load(Ordering::Relaxed)) {
            let begun = begins.then(|| tally.begin());
            let packet = &request[sent % request.len()];
            match send_whole(&end.socket, packet, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(()) => {
                    sent += 1;
                    batch += usize::from(begins);
                    in_flight.extend(begun);
                    continue;
                }
                // The server may wait for the rest of this message as well as for room for its reply.
                Err(Errno::AGAIN) if end.wait_either()? == Readiness::Sending => continue,
                Err(Errno::AGAIN) => {}
                Err(error) => return Err(io::Error::from(error).into()),
            }
        }
        if in_flight.is_empty() {
            return Ok(tally);
        }
        let place = received % reply.len();
        let length = end.recv(place, reply[place].len())?;
        ensure!(length == reply[place].len(), "{length} bytes came back of {}", reply[place].len());
        received += 1;
        if received % reply.len() == 0 {
            tally.end(in_flight.pop_front().flatten());
        }
    }
}
