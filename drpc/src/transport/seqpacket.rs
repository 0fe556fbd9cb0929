use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use std::{fmt, fs};

use bytes::Bytes;
use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionread};
use rustix::net::{
    self, AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

use super::address::socket_address;
use super::buffer::{with_buffer, with_room};
use super::options;
use super::peer::PeerCredentials;
use crate::budget::Account;
use crate::descriptors::{self, Arrived, Intake, Limits};
use crate::wire::{MAX_PACKET, Packet};

/// The longest path of a socket, in bytes: what a `sockaddr_un` holds before its NUL (S2).
pub(crate) const MAX_PATH: usize = 107;

/// The send buffer that is asked for, in bytes: eight packets of the greatest length.
const SEND_BUFFER: usize = 8 * MAX_PACKET;

/// The largest send buffer that the host lets anybody ask for, in bytes.
fn most_room() -> usize {
    static MOST: OnceLock<usize> = OnceLock::new();
    *MOST.get_or_init(|| {
        let limit = fs::read_to_string("/proc/sys/net/core/wmem_max");
        limit.ok().and_then(|limit| limit.trim().parse().ok()).unwrap_or(SEND_BUFFER)
    })
}

/// The longest packet, in bytes, that is put together on the stack before it is sent: for the kernel to gather its parts takes longer.
const SHORT: usize = 256;

/// The longest that is put together where the thread receives, which the processor's cache has already.
const MEDIUM: usize = 8 << 10;

/// A peer that is gone is an error, never SIGPIPE (S6).
const SEND: SendFlags = SendFlags::NOSIGNAL.union(SendFlags::DONTWAIT);

/// Room for all the descriptors that go with a packet, and its sender's credentials.
const CONTROL: usize = rustix::cmsg_space!(ScmRights(descriptors::MAX), ScmCredentials(1));

/// The times between which a time-out of the kernel's is kept.
const SHORTEST_TIMEOUT: Duration = Duration::from_micros(1);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(i32::MAX as u64);

/// A `SOCK_SEQPACKET` socket: every socket call of this crate is made here (W1).
#[derive(Debug)]
pub(crate) struct Socket {
    fd: OwnedFd,
    /// What it takes of the descriptors that its peer passes; nothing where the kernel lets none come.
    intake: OnceLock<Box<Intake>>,
}

/// Whether calls on a socket wait.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Blocking,
    NonBlocking,
}

/// What a socket is ready for.
pub(crate) enum Ready {
    /// A packet, or end of file, can be received.
    ToReceive,
    /// A packet can be sent, and there is nothing to receive.
    ToSend,
}

impl Socket {
    /// A socket that is neither bound nor connected.
    pub(crate) fn new(mode: Mode) -> io::Result<Self> {
        let socket = net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, mode.flags(), None)?;
        Ok(Socket::adopt(socket).with_room())
    }

    /// A socket that was made elsewhere, and is known to be of this kind.
    pub(crate) fn adopt(socket: OwnedFd) -> Self {
        let refused = options::pass_descriptors(socket.as_fd(), false).is_ok();
        let socket = Socket { fd: socket, intake: OnceLock::new() };
        if !refused {
            socket.take_descriptors(Limits::NONE);
        }
        socket
    }

    /// From now on the peer may pass descriptors, or the peers of what this will accept; so many of them are taken.
    pub(crate) fn take_descriptors(&self, limits: Limits) {
        self.intake.get_or_init(|| Box::new(Intake::new(limits))).set_limits(limits);
        if limits.take_any() {
            // Before Linux 6.16, there is nothing that would keep them from coming.
            let _ = options::pass_descriptors(self.fd.as_fd(), true);
        }
    }

    /// The descriptors that come from now on count as this user's.
    pub(crate) fn charge_descriptors(&self, user: Option<&Arc<Account>>) {
        if let (Some(intake), Some(user)) = (self.intake.get(), user) {
            intake.charge_to(user);
        }
    }

    /// The descriptors that have come since this was last asked. Of a socket that takes none there are none.
    #[inline]
    pub(crate) fn arrived(&self) -> Option<Box<Arrived>> {
        self.intake.get()?.arrived()
    }

    /// Connects to a listening socket. A full backlog is `WouldBlock` on a non-blocking socket.
    pub(crate) fn connect(&self, path: &Path) -> io::Result<()> {
        Ok(net::connect(&self.fd, &socket_address(path)?)?)
    }

    pub(crate) fn bind(&self, path: &Path) -> io::Result<()> {
        Ok(net::bind(&self.fd, &socket_address(path)?)?)
    }

    /// Starts to listen, with the longest backlog that the kernel allows (S1).
    pub(crate) fn listen(&self) -> io::Result<()> {
        Ok(net::listen(&self.fd, i32::MAX)?)
    }

    /// Accepts a connection, whose calls wait or not.
    pub(crate) fn accept(&self, mode: Mode) -> io::Result<Socket> {
        let fd = retry(|| net::accept_with(&self.fd, mode.flags()))?;
        let socket = Socket { fd, intake: OnceLock::new() }.with_room();
        if let Some(intake) = self.intake.get() {
            // Also one that was connected before this end was to take any.
            socket.take_descriptors(intake.limits());
        }
        Ok(socket)
    }

    /// Asks for room for several packets of the greatest length. The kernel takes memory only for what is queued.
    ///
    /// What the host allows may be less than what a socket has by itself, and to ask would take that away: then it is not asked.
    fn with_room(self) -> Self {
        let room = SEND_BUFFER.min(most_room());
        // The kernel reckons with twice the room, for what it keeps beside the bytes.
        if net::sockopt::socket_send_buffer_size(&self.fd).is_ok_and(|now| now / 2 < room) {
            // Less room is slower, and nothing else.
            let _ = net::sockopt::set_socket_send_buffer_size(&self.fd, room);
        }
        self
    }

    pub(crate) fn peer(&self) -> io::Result<PeerCredentials> {
        PeerCredentials::of(self.fd.as_fd())
    }

    /// Receives one packet, whole; `None` at end of file (W9). What was sent before the peer closed is received first.
    ///
    /// The packet is appended to `into`, if that is given, and the result is empty. Else it has `longest` bytes at most. One that
    /// is too long is an error that is [`OverLong`].
    ///
    /// End of file and a packet of 0 bytes read alike. A packet is empty where the peer can still send, or where more is queued
    /// behind it: on the plain wire it is a message.
    pub(crate) fn recv(&self, into: Option<&mut Vec<u8>>, longest: usize) -> io::Result<Option<Bytes>> {
        self.recv_with(into, longest, RecvFlags::empty())
    }

    /// As [`recv`](Self::recv), or says `WouldBlock`, whatever the socket's mode.
    pub(crate) fn try_recv(&self, into: Option<&mut Vec<u8>>, longest: usize) -> io::Result<Option<Bytes>> {
        self.recv_with(into, longest, RecvFlags::DONTWAIT)
    }

    fn recv_with(
        &self,
        into: Option<&mut Vec<u8>>,
        longest: usize,
        flags: RecvFlags,
    ) -> io::Result<Option<Bytes>> {
        let (packet, is_empty) = match into {
            Some(into) => (Bytes::new(), self.append_packet(into, longest, flags)? == 0),
            None => {
                let packet =
                    with_buffer(longest, |buffer| self.append_packet(buffer, longest, flags).map(drop))?;
                let is_empty = packet.is_empty();
                (packet, is_empty)
            }
        };
        if is_empty && self.peer_stopped_sending()? && ioctl_fionread(&self.fd)? == 0 {
            return Ok(None);
        }
        Ok(Some(packet))
    }

    /// Receives one packet behind what is in the buffer; gives its length.
    fn append_packet(&self, buffer: &mut Vec<u8>, longest: usize, flags: RecvFlags) -> io::Result<usize> {
        if let Some(intake) = self.intake.get() {
            self.take_in(intake, flags)?;
        }
        let before = buffer.len();
        let receive = || match net::recv(&self.fd, spare_capacity(&mut *buffer), RecvFlags::TRUNC | flags) {
            // The peer closed without reading all that was sent to it. That is told once, and before what it sent.
            Err(Errno::CONNRESET) => Err(Errno::INTR),
            result => result,
        };
        // MSG_TRUNC makes the kernel tell the packet's whole length, of which the buffer holds what fits.
        let (_, len) = retry(receive)?;
        // A buffer may have more room than a packet may take.
        match buffer.len() - before == len && len <= longest {
            true => Ok(len),
            false => Err(io::Error::new(io::ErrorKind::InvalidData, OverLong { len })),
        }
    }

    /// Takes in the descriptors of the packet that is next, or says what receiving it would say.
    ///
    /// The packet itself stays, so that it is received as any other is. The kernel then drops its own hold on descriptors of which there
    /// is another one here, which takes no time.
    #[cold]
    fn take_in(&self, intake: &Intake, flags: RecvFlags) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); CONTROL];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::PEEK | RecvFlags::CMSG_CLOEXEC | flags;
        let peek = || match net::recvmsg(&self.fd, &mut [], &mut control, flags) {
            Err(Errno::CONNRESET) => Err(Errno::INTR),
            result => result,
        };
        let packet = retry(peek)?;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                intake.take_in(descriptors.collect())?;
            }
        }
        if packet.flags.contains(ReturnFlags::CTRUNC) {
            intake.cut();
        }
        Ok(())
    }

    /// Hangs up, and drops what has come: its descriptors where they hold up nobody, those of one packet behind those of another, so that no
    /// more are open.
    #[cold]
    fn discard_rest(&self, intake: &Intake) {
        self.hang_up();
        // With its sender's credentials, even an empty packet is told from the end.
        if net::sockopt::set_socket_passcred(&self.fd, true).is_err() {
            return;
        }
        while let Some(descriptors) = discard_packet(&self.fd) {
            if descriptors.is_empty() {
                continue;
            }
            match self.fd.try_clone() {
                Ok(rest) => {
                    let uid = intake.uid().or_else(|| self.peer().ok().map(|peer| peer.uid()));
                    return descriptors::close_and(uid, descriptors, move || {
                        while let Some(descriptors) = discard_packet(&rest) {
                            descriptors::close_now(descriptors);
                        }
                    });
                }
                Err(_) => descriptors::close(descriptors),
            }
        }
    }

    /// Sends one packet, whole, and passes its descriptors, or says `WouldBlock`, whatever the socket's mode.
    #[inline]
    pub(crate) fn send(&self, packet: &Packet<'_>) -> io::Result<()> {
        if !packet.descriptors().is_empty() {
            return self.send_with(&packet.slices(), packet.descriptors());
        }
        match packet.join(&mut [0; SHORT]) {
            Some(packet) => self.send_piece(packet),
            None => self.send_longer(packet),
        }
    }

    #[inline(never)]
    fn send_longer(&self, packet: &Packet<'_>) -> io::Result<()> {
        if let Some(packet) = packet.as_one() {
            return self.send_piece(packet);
        }
        if packet.len() > MEDIUM {
            return self.send_parts(&packet.slices());
        }
        with_room(|room| {
            packet.append_to(room.as_mut_vec());
            self.send_piece(room)
        })
    }

    #[inline(always)]
    fn send_piece(&self, packet: &[u8]) -> io::Result<()> {
        retry(|| net::send(&self.fd, packet, SEND)).map(drop)
    }

    fn send_parts(&self, slices: &[IoSlice<'_>]) -> io::Result<()> {
        retry(|| net::sendmsg(&self.fd, slices, &mut SendAncillaryBuffer::default(), SEND)).map(drop)
    }

    /// How long a packet may be that is sent, in bytes (W7).
    pub(crate) fn longest_packet(&self) -> usize {
        // The kernel keeps 32 bytes of the buffer for itself.
        net::sockopt::socket_send_buffer_size(&self.fd).map_or(MAX_PACKET, |room| room.saturating_sub(32))
    }

    #[cold]
    fn send_with(&self, slices: &[IoSlice<'_>], descriptors: &[OwnedFd]) -> io::Result<()> {
        let descriptors: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        retry(|| {
            let mut space = [MaybeUninit::uninit(); CONTROL];
            let mut control = SendAncillaryBuffer::new(&mut space);
            match control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
                true => net::sendmsg(&self.fd, slices, &mut control, SEND),
                false => Err(Errno::INVAL),
            }
        })
        .map(drop)
    }

    /// Says that no more will be sent: the peer finds end of file behind what was.
    pub(crate) fn end_sending(&self) {
        // The connection may have ended by itself.
        let _ = net::shutdown(&self.fd, net::Shutdown::Write);
    }

    /// Says that no more will be received: what the peer sends from now on is refused (`EPIPE`). What it has sent before is still
    /// received, and then end of file, as if it had ended its sending. A thread that waits for a packet goes on.
    ///
    /// Of a listening socket: nobody connects any more, and who has connected is still accepted.
    pub(crate) fn end_receiving(&self) {
        // The connection may have ended by itself.
        let _ = net::shutdown(&self.fd, net::Shutdown::Read);
    }

    /// Ends the connection both ways.
    pub(crate) fn hang_up(&self) {
        // It may have ended by itself.
        let _ = net::shutdown(&self.fd, net::Shutdown::Both);
    }

    /// How long [`connect`](Self::connect) waits for room in the listener's backlog, on a blocking socket.
    pub(crate) fn set_connect_timeout(&self, timeout: Duration) -> io::Result<()> {
        Ok(net::sockopt::set_socket_timeout(&self.fd, net::sockopt::Timeout::Send, Some(timeout))?)
    }

    /// How long [`recv`](Self::recv) waits on a blocking socket before it says `WouldBlock`; without end, if that is no time.
    pub(crate) fn set_receive_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        // The kernel takes zero for no time-out, and no more seconds than a clock could tell.
        let timeout = timeout.map(|timeout| timeout.clamp(SHORTEST_TIMEOUT, LONGEST_TIMEOUT));
        Ok(net::sockopt::set_socket_timeout(&self.fd, net::sockopt::Timeout::Recv, timeout)?)
    }

    /// Waits until a packet or end of file can be received. False once the deadline has passed.
    pub(crate) fn wait_readable(&self, deadline: Option<Instant>) -> io::Result<bool> {
        Ok(!self.wait(PollFlags::IN, deadline)?.is_empty())
    }

    /// Waits until a packet can be sent, or the connection has ended. False once the deadline has passed.
    pub(crate) fn wait_writable(&self, deadline: Option<Instant>) -> io::Result<bool> {
        Ok(!self.wait(PollFlags::OUT, deadline)?.is_empty())
    }

    /// Waits until a packet can be sent, or something received. `None` once the deadline has passed.
    pub(crate) fn wait_either(&self, deadline: Option<Instant>) -> io::Result<Option<Ready>> {
        let ready = self.wait(PollFlags::IN | PollFlags::OUT, deadline)?;
        Ok(match ready.contains(PollFlags::IN) {
            true => Some(Ready::ToReceive),
            false => (!ready.is_empty()).then_some(Ready::ToSend),
        })
    }

    /// Waits for one of the events; gives those that have come, none once the deadline has passed.
    fn wait(&self, events: PollFlags, deadline: Option<Instant>) -> io::Result<PollFlags> {
        let mut fds = [PollFd::new(&self.fd, events)];
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let timeout = left.and_then(|left| Timespec::try_from(left).ok());
            match poll(&mut fds, timeout.as_ref()) {
                Err(Errno::INTR) => {}
                ready => return ready.map(|_| fds[0].revents()).map_err(io::Error::from),
            }
        }
    }

    /// Whether the peer has closed, or shut down its sending half.
    fn peer_stopped_sending(&self) -> io::Result<bool> {
        self.has(PollFlags::RDHUP)
    }

    /// Whether the peer has closed altogether: a half-close does not count, for its replies are still wanted.
    pub(crate) fn peer_closed(&self) -> io::Result<bool> {
        self.has(PollFlags::HUP)
    }

    fn has(&self, flags: PollFlags) -> io::Result<bool> {
        let mut fds = [PollFd::new(&self.fd, flags)];
        retry(|| poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })))?;
        Ok(fds[0].revents().intersects(flags | PollFlags::HUP))
    }
}

/// What the peer of a socket has passed and nobody has received would be closed with it, and hold up this thread.
impl Drop for Socket {
    fn drop(&mut self) {
        // One that listens may be others', too, and in a child that was forked each one is.
        if let Some(intake) = self.intake.get()
            && intake.is_ours()
            && net::sockopt::socket_acceptconn(&self.fd) == Ok(false)
        {
            self.discard_rest(intake);
        }
    }
}

impl Mode {
    fn flags(self) -> SocketFlags {
        match self {
            Mode::Blocking => SocketFlags::CLOEXEC,
            Mode::NonBlocking => SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// Drops a packet, and gives its descriptors; `None` if there was none.
fn discard_packet(socket: &OwnedFd) -> Option<Vec<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); CONTROL];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let received = net::recvmsg(socket, &mut [], &mut control, flags);
    let mut is_there = matches!(received, Err(Errno::INTR | Errno::CONNRESET));
    let mut passed = Vec::new();
    for message in control.drain() {
        is_there = true;
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            passed.extend(descriptors);
        }
    }
    is_there.then_some(passed)
}

/// Makes a system call again for as long as it is interrupted.
fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> io::Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
}

/// W10: a packet that was cut is an error, never a shortened message.
#[derive(Debug)]
pub(crate) struct OverLong {
    len: usize,
}

impl OverLong {
    /// The length of the packet that an error tells of, if it is such an error.
    pub(crate) fn len_of(error: &io::Error) -> Option<usize> {
        error.get_ref()?.downcast_ref().map(|OverLong { len }| *len)
    }
}

impl fmt::Display for OverLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = self.len;
        write!(f, "packet of {len} bytes is longer than the wire or the rest of its message allows")
    }
}

impl std::error::Error for OverLong {}

#[cfg(test)]
mod tests {
    use std::io::{Read, pipe};

    use super::*;

    /// Two connected sockets, as on a kernel that can't refuse descriptors: the first takes none.
    fn as_before_6_16() -> (Socket, Socket) {
        let (one, other) =
            net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        let (one, other) = (Socket::adopt(one), Socket::adopt(other));
        one.take_descriptors(Limits::NONE);
        let _ = options::pass_descriptors(one.as_fd(), true);
        (one, other)
    }

    #[test]
    fn where_the_kernel_lets_descriptors_come_that_nobody_takes_they_are_closed_elsewhere() {
        let (socket, peer) = as_before_6_16();
        for _ in 0..3 {
            let (mut reader, writer) = pipe().unwrap();
            peer.send(&Packet::raw(b"a packet", &[writer.into()])).unwrap();
            assert_eq!(socket.recv(None, MAX_PACKET).unwrap().unwrap(), "a packet");
            assert!(socket.arrived().is_some(), "its message is refused");
            assert_eq!(reader.read(&mut [0]).unwrap(), 0);
            assert!(socket.arrived().is_none());
        }
        // What nobody has received, too; also that of an empty packet behind another.
        let (mut reader, writer) = pipe().unwrap();
        peer.send(&Packet::raw(b"", &[])).unwrap();
        peer.send(&Packet::raw(b"", &[writer.into()])).unwrap();
        drop(socket);
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
        assert!(is_gone(&peer.send(&Packet::raw(b"a packet", &[]))));
    }

    fn is_gone(sent: &io::Result<()>) -> bool {
        sent.as_ref().is_err_and(crate::transport::is_peer_gone)
    }
}
