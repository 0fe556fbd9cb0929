use std::io::{self, ErrorKind, IoSlice};
use std::mem::MaybeUninit;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use drpc::Wire;
use drpc::wire::{Call, Response};
use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    self, AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown,
    SocketAddrUnix, SocketFlags, SocketType,
};

use super::PATIENCE;

/// One end of a `SOCK_SEQPACKET` connection that sends and receives packets byte by byte, with nothing of drpc in between.
///
/// Everything here waits up to [`PATIENCE`] and then panics.
#[derive(Debug)]
pub(crate) struct RawPeer(OwnedFd);

/// The data of one chunk, at most (W2).
const MAX_DATA: usize = 131_048;

impl RawPeer {
    pub(crate) fn connect(path: &Path) -> RawPeer {
        Self::try_connect(path).expect("connects")
    }

    pub(crate) fn try_connect(path: &Path) -> io::Result<RawPeer> {
        let socket = unconnected()?;
        let address = SocketAddrUnix::new(path)?;
        retry_on_intr(|| net::connect(&socket, &address))?;
        Self::new(socket)
    }

    pub(super) fn new(socket: OwnedFd) -> io::Result<RawPeer> {
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
        set_socket_timeout(&socket, Timeout::Send, Some(PATIENCE))?;
        Ok(RawPeer(socket))
    }

    /// Sends one packet.
    pub(crate) fn send(&self, packet: &[u8]) {
        self.send_with(packet, SendFlags::NOSIGNAL).expect("sends");
    }

    /// Sends one packet if there is room for it; false if there is none.
    pub(crate) fn try_send(&self, packet: &[u8]) -> bool {
        match self.send_with(packet, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Ok(()) => true,
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Err(error) => panic!("can't send: {error}"),
        }
    }

    /// Sends one packet; false if nobody is at the other end any more.
    pub(crate) fn send_unless_closed(&self, packet: &[u8]) -> bool {
        match self.send_with(packet, SendFlags::NOSIGNAL) {
            Ok(()) => true,
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => false,
            Err(error) => panic!("can't send: {error}"),
        }
    }

    fn send_with(&self, packet: &[u8], flags: SendFlags) -> io::Result<()> {
        let sent = retry_on_intr(|| net::send(&self.0, packet, flags))?;
        assert_eq!(sent, packet.len());
        Ok(())
    }

    /// Receives one packet, however long; `None` at end of file.
    ///
    /// An empty packet is told from end of file by whether the peer can still send, so it takes a peer that stays.
    pub(crate) fn recv(&self) -> Option<Vec<u8>> {
        let mut packet = Vec::with_capacity(1 << 20);
        loop {
            match net::recv(&self.0, spare_capacity(&mut packet), RecvFlags::empty()) {
                // The peer closed with something unread. That is told once, and before what it sent.
                Err(Errno::CONNRESET) => {}
                // A child of another test's has ended, while a thread that starts one takes no signal.
                Err(Errno::INTR) => {}
                Err(error) => panic!("nothing came: {error}"),
                Ok(_) if packet.is_empty() && self.is(PollFlags::RDHUP) => return None,
                Ok(_) => return Some(packet),
            }
        }
    }

    pub(crate) fn recv_packet(&self) -> Vec<u8> {
        self.recv().expect("a packet, not end of file")
    }

    #[track_caller]
    pub(crate) fn assert_closed(&self) {
        let next = self.recv();
        assert!(next.is_none(), "expected end of file, and got {next:02x?}");
    }

    /// No more will be sent; what the peer sends is still received.
    pub(crate) fn half_close(&self) {
        net::shutdown(&self.0, Shutdown::Write).expect("shuts its sending half down");
    }

    /// Whether something can be received.
    pub(crate) fn has_packet(&self) -> bool {
        self.is(PollFlags::IN)
    }

    /// No more is received: what the peer sends from now on fails.
    pub(crate) fn refuse_more(&self) {
        net::shutdown(&self.0, Shutdown::Read).expect("shuts its receiving half down");
    }

    /// Receives a packet, takes no more of what is sent, and then closes.
    pub(crate) fn refuse_rest(self) {
        self.recv_packet();
        self.refuse_more();
        while self.recv().is_some() {}
    }

    /// Passes a descriptor along with a packet.
    pub(crate) fn pass(&self, descriptor: impl AsFd, packet: &[u8]) -> io::Result<()> {
        self.pass_all(&[descriptor.as_fd()], packet)
    }

    pub(crate) fn pass_all(&self, descriptors: &[BorrowedFd<'_>], packet: &[u8]) -> io::Result<()> {
        let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
        let mut control = SendAncillaryBuffer::new(&mut room);
        assert!(control.push(SendAncillaryMessage::ScmRights(descriptors)));
        retry_on_intr(|| net::sendmsg(&self.0, &[IoSlice::new(packet)], &mut control, SendFlags::NOSIGNAL))?;
        Ok(())
    }

    fn is(&self, flags: PollFlags) -> bool {
        let mut fds = [PollFd::new(&self.0, flags)];
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).expect("polls");
        fds[0].revents().intersects(flags | PollFlags::HUP)
    }
}

/// Messages, in the framing that this file writes by itself.
impl RawPeer {
    pub(crate) fn send_message(&self, wire: Wire, message: &[u8]) {
        for packet in packets_of(wire, message) {
            self.send(&packet);
        }
    }

    pub(crate) fn send_call(&self, wire: Wire, module: i32, method: i32, sequence: i64, body: &[u8]) {
        let call = Call::<bytes::Bytes> { module, method, sequence, body: body.to_vec().into(), added: None };
        self.send_message(wire, &call.encode());
    }

    pub(crate) fn send_reply(&self, wire: Wire, sequence: i64, status: i32, body: &[u8]) {
        let response = Response::<bytes::Bytes> {
            sequence,
            status: status.into(),
            body: body.to_vec().into(),
            added: None,
        };
        self.send_message(wire, &response.encode());
    }

    /// Receives one message, and checks that its chunks come in order and alone (W3, W10).
    pub(crate) fn recv_message(&self, wire: Wire) -> Option<Vec<u8>> {
        if wire == Wire::Plain {
            return self.recv();
        }
        let mut message = Vec::new();
        for due in 0.. {
            let packet = match self.recv() {
                None if due == 0 => return None,
                packet => packet.expect("the rest of a message"),
            };
            let number = |at: usize| u64::from_le_bytes(packet[at..at + 8].try_into().unwrap());
            let (total, size, place) = (number(0), number(8), number(16));
            assert_eq!(place & 0xffff_ffff, due, "chunks come in order");
            assert_eq!(size as usize, packet.len() - 24);
            message.extend_from_slice(&packet[24..]);
            if due + 1 == place >> 32 {
                assert_eq!(message.len() as u64, total);
                break;
            }
        }
        Some(message)
    }

    pub(crate) fn recv_response(&self, wire: Wire) -> Response {
        let message = self.recv_message(wire).expect("a response, not end of file");
        Response::decode(message.into()).expect("a response")
    }

    /// Receives a call, or `None` at end of file.
    pub(crate) fn recv_call(&self, wire: Wire) -> Option<Call> {
        let message = self.recv_message(wire)?;
        Some(Call::decode(message.into()).expect("a call"))
    }

    /// Calls a method of module 7 with bodies of 100 KB, reading no reply, until the server takes no more; gives the sequences.
    ///
    /// That the server takes no more has no event. So it is asked again and again, with a call of another session in between,
    /// which shows that the server is not merely slow.
    pub(crate) fn fill(&self, wire: Wire, method: i32, first: i64, other: &RawPeer) -> Range<i64> {
        let mut next = first;
        let mut refused = 0;
        while refused < 20 {
            let call = Call::<bytes::Bytes> {
                module: 7,
                method,
                sequence: next,
                body: vec![b'x'; 100_000].into(),
                added: None,
            };
            if self.try_send(&packets_of(wire, &call.encode())[0]) {
                next += 1;
                refused = 0;
            } else {
                refused += 1;
                other.assert_served(Wire::Chunked);
            }
            assert!(next < first + 10_000, "the server takes all that it is sent");
        }
        first..next
    }

    /// Calls the echo method and checks the reply: the session lives, and nothing else is on its way.
    #[track_caller]
    pub(crate) fn assert_served(&self, wire: Wire) {
        self.send_call(wire, 7, 700, 4242, b"are you there?");
        let response = self.recv_response(wire);
        assert_eq!((response.sequence, response.status.code()), (4242, 0));
        assert_eq!(response.body, "are you there?");
    }
}

impl AsFd for RawPeer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

pub(super) fn unconnected() -> io::Result<OwnedFd> {
    Ok(net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// A chunk's header (W2).
pub(crate) fn header(total: u64, size: u64, index: u32, chunks: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(24);
    bytes.extend_from_slice(&total.to_le_bytes());
    bytes.extend_from_slice(&size.to_le_bytes());
    bytes.extend_from_slice(&index.to_le_bytes());
    bytes.extend_from_slice(&chunks.to_le_bytes());
    bytes
}

/// A message that fits one chunk, framed (W3).
pub(crate) fn frame(message: &[u8]) -> Vec<u8> {
    assert!(message.len() <= MAX_DATA);
    [header(message.len() as u64, message.len() as u64, 0, 1), message.to_vec()].concat()
}

/// A message's packets (W3, W7).
pub(crate) fn packets_of(wire: Wire, message: &[u8]) -> Vec<Vec<u8>> {
    if wire == Wire::Plain {
        return vec![message.to_vec()];
    }
    if message.is_empty() {
        return vec![header(0, 0, 0, 1)];
    }
    let chunks = message.chunks(MAX_DATA);
    let total_chunks = chunks.len() as u32;
    let packet = |(index, data): (usize, &[u8])| {
        [&header(message.len() as u64, data.len() as u64, index as u32, total_chunks), data].concat()
    };
    chunks.enumerate().map(packet).collect()
}
