//! Clients that misbehave, on bare sockets. Each gives how many of its calls were answered right.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use drpc::wire::{Call, ChunkHeader, Codec, Wire};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType};

use crate::Error;
use crate::body::body;

/// How long a client that reads nothing stays once the server takes no more from it.
const STAY: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// How long the server may take to end a session whose message is not completed.
const PATIENCE: Timespec = Timespec { tv_sec: 60, tv_nsec: 0 };

/// Sends the first of a message's two chunks, and closes.
pub(crate) fn close_in_mid_message(socket: &Path) -> Result<usize, Error> {
    half_a_message(socket)?;
    Ok(0)
}

/// Sends the first of a message's two chunks, and ends the process with the socket open.
pub(crate) fn die_in_mid_message(socket: &Path) -> Result<(), Error> {
    let socket = half_a_message(socket)?;
    // The kernel closes it.
    std::mem::forget(socket);
    std::process::exit(0);
}

/// Sends the first of a message's two chunks, and nothing more: the server is to end the session.
pub(crate) fn stall_in_mid_message(socket: &Path) -> Result<usize, Error> {
    let socket = half_a_message(socket)?;
    let mut fds = [PollFd::new(&socket, PollFlags::IN)];
    if poll(&mut fds, Some(&PATIENCE))? == 0 {
        return Err("the server did not end a session that was stuck in mid message".into());
    }
    Ok(0)
}

/// Calls until the server takes no more, reads none of the replies, stays for a while, and closes.
pub(crate) fn never_read(socket: &Path) -> Result<usize, Error> {
    let socket = connect(socket)?;
    for sequence in 1.. {
        let call = Call { module: 7, method: 700, sequence, body: body(4, 8, 100_000), added: None };
        match send(&socket, &packets(&call)?[0], SendFlags::DONTWAIT) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error.into()),
        }
    }
    poll(&mut [PollFd::new(&socket, PollFlags::empty())], Some(&STAY))?;
    Ok(0)
}

/// Calls without reading, half-closes, and reads the replies: all must come (S6).
pub(crate) fn half_close(socket: &Path) -> Result<usize, Error> {
    const CALLS: i64 = 8;
    let socket = connect(socket)?;
    for sequence in 1..=CALLS {
        let call = Call { module: 7, method: 700, sequence, body: body(3, 3, 1000), added: None };
        send(&socket, &packets(&call)?[0], SendFlags::empty())?;
    }
    net::shutdown(&socket, net::Shutdown::Write)?;
    let mut codec = Codec::new(Wire::Chunked, 1 << 20);
    let mut buffer = vec![0; 1 << 17];
    for sequence in 1..=CALLS {
        let (len, _) = net::recv(&socket, &mut buffer[..], RecvFlags::empty())?;
        let message = codec.receive(buffer[..len].to_vec().into())?.ok_or("a reply in several packets")?;
        let response = drpc::wire::Response::decode(message)?;
        if response.sequence != sequence || response.body != body(3, 3, 1000) {
            return Err(format!("after a half-close, reply {sequence} is another one").into());
        }
    }
    Ok(CALLS as usize)
}

fn half_a_message(socket: &Path) -> Result<OwnedFd, Error> {
    let socket = connect(socket)?;
    let header =
        ChunkHeader { total_data_size: 200_000, chunk_data_size: 100_000, chunk_idx: 0, total_chunks: 2 };
    send(&socket, &[&header.to_bytes()[..], &[7; 100_000]].concat(), SendFlags::empty())?;
    Ok(socket)
}

fn connect(path: &Path) -> Result<OwnedFd, Error> {
    let socket = net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

fn send(socket: &OwnedFd, packet: &[u8], flags: SendFlags) -> io::Result<()> {
    net::send(socket, packet, flags | SendFlags::NOSIGNAL)?;
    Ok(())
}

fn packets(call: &Call) -> Result<Vec<Vec<u8>>, Error> {
    let (codec, head) = (Codec::new(Wire::Chunked, 1 << 20), call.head());
    Ok(codec.packets(&head, &call.body)?.map(|packet| packet.to_vec()).collect())
}
