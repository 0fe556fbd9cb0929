//! One end of a connection, packet by packet, with nothing of drpc in between.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::io::{Errno, retry_on_intr};
use rustix::net::sockopt::{Timeout, set_socket_passcred, set_socket_timeout};
use rustix::net::{
    self, AddressFamily, RecvAncillaryBuffer, RecvFlags, SendFlags, Shutdown, SocketAddrUnix, SocketFlags,
    SocketType,
};

/// How long a peer may do nothing before it counts as hanging.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// An abstract name that nobody else has: nothing is left of it.
pub(crate) struct Name(String);

impl Name {
    pub(crate) fn new() -> Name {
        static LAST: AtomicU32 = AtomicU32::new(0);
        Name(format!("drpc-fuzz-{}-{}", process::id(), LAST.fetch_add(1, Ordering::Relaxed)))
    }

    /// As drpc's servers and clients write it.
    pub(crate) fn path(&self) -> PathBuf {
        format!("@{}", self.0).into()
    }

    fn address(&self) -> SocketAddrUnix {
        SocketAddrUnix::new_abstract_name(self.0.as_bytes()).expect("a short name")
    }
}

pub(crate) struct Listener(OwnedFd);

impl Listener {
    pub(crate) fn bind(name: &Name) -> Listener {
        let socket = unconnected();
        net::bind(&socket, &name.address()).expect("a name that is free");
        net::listen(&socket, 16).expect("listens");
        Listener(socket)
    }

    pub(crate) fn accept(&self) -> Peer {
        let accept = || net::accept_with(&self.0, SocketFlags::CLOEXEC);
        Peer::new(retry_on_intr(accept).expect("accepts"))
    }
}

pub(crate) struct Peer(OwnedFd);

impl Peer {
    pub(crate) fn connect(name: &Name) -> Peer {
        let socket = unconnected();
        retry_on_intr(|| net::connect(&socket, &name.address())).expect("somebody listens");
        Peer::new(socket)
    }

    fn new(socket: OwnedFd) -> Peer {
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE)).expect("takes a time-out");
        set_socket_timeout(&socket, Timeout::Send, Some(PATIENCE)).expect("takes a time-out");
        // A packet says then who sent it, and end of file does not: so an empty packet is known from it.
        set_socket_passcred(&socket, true).expect("takes the option");
        Peer(socket)
    }

    /// Sends one packet; false if it is taken no more.
    pub(crate) fn send(&self, packet: &[u8]) -> bool {
        // libFuzzer has its signals come now and then.
        match retry_on_intr(|| net::send(&self.0, packet, SendFlags::NOSIGNAL)) {
            Ok(_) => true,
            // A pack on the plain wire may be longer than the kernel takes: it is left out, for every server.
            Err(Errno::MSGSIZE) => true,
            Err(Errno::PIPE | Errno::CONNRESET) => false,
            Err(error) => panic!("the peer takes nothing: {error}"),
        }
    }

    /// No more will be sent.
    pub(crate) fn half_close(&self) {
        // The peer may have closed.
        let _ = net::shutdown(&self.0, Shutdown::Write);
    }

    /// Receives one packet; `None` at end of file.
    pub(crate) fn recv(&self) -> Option<Vec<u8>> {
        let mut packet = vec![0; 1 << 18];
        let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
        let mut control = RecvAncillaryBuffer::new(&mut room);
        loop {
            let into = &mut [IoSliceMut::new(&mut packet)];
            match net::recvmsg(&self.0, into, &mut control, RecvFlags::empty()) {
                // Told once, of a peer that closed with something unread, before what it had sent.
                Err(Errno::CONNRESET | Errno::INTR) => {}
                Err(error) => panic!("the peer hangs: {error}"),
                Ok(_) if control.drain().next().is_none() => return None,
                Ok(received) => {
                    packet.truncate(received.bytes);
                    return Some(packet);
                }
            }
        }
    }

    /// Receives all there is, up to end of file.
    pub(crate) fn recv_all(&self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.recv()).collect()
    }
}

fn unconnected() -> OwnedFd {
    net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .expect("a socket")
}
