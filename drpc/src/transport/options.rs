//! Socket options that have no safe wrapper elsewhere.

use std::io;
use std::mem::size_of_val;
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::c_int;
use rustix::io::Errno;

// Not in the libc crate for this system.
const MIPS: bool = cfg!(any(
    target_arch = "mips",
    target_arch = "mips64",
    target_arch = "mips32r6",
    target_arch = "mips64r6"
));
const SPARC: bool = cfg!(any(target_arch = "sparc", target_arch = "sparc64"));
pub(super) const SO_PEERSEC: c_int = if MIPS || SPARC { 30 } else { 31 };
pub(super) const SO_PEERGROUPS: c_int = if SPARC { 0x3d } else { 59 };
const SO_PASSRIGHTS: c_int = if SPARC { 0x5c } else { 83 };

/// Whether the kernel lets a peer pass descriptors, by this socket and those that it will accept; if not, the peer's `sendmsg` fails
/// (`EPERM`). Before Linux 6.16 there is no such thing, and the error says so: they come, or are dropped as their packet is received.
///
/// To drop one can take as long as its sender likes: the last descriptor of a TCP socket lingers where it is closed.
pub(super) fn pass_descriptors(socket: BorrowedFd<'_>, passes: bool) -> io::Result<()> {
    // It changes nothing for a peer that passes none.
    set(socket, SO_PASSRIGHTS, passes.into())
}

/// The value of an option, with a guess of how many bytes it has.
pub(super) fn get(socket: BorrowedFd<'_>, option: c_int, guess: usize) -> io::Result<Vec<u8>> {
    let mut value = vec![0; guess];
    loop {
        match get_into(socket, option, &mut value) {
            Ok(len) => {
                value.truncate(len);
                return Ok(value);
            }
            // It is longer; the kernel says how long.
            Err((error, len)) => match Errno::from_io_error(&error) {
                Some(Errno::RANGE) if len > value.len() => value.resize(len, 0),
                _ => return Err(error),
            },
        }
    }
}

/// `getsockopt`: how long the value is, or also that beside the error.
#[allow(unsafe_code, reason = "socket options that have no safe wrapper")]
fn get_into(socket: BorrowedFd<'_>, option: c_int, value: &mut [u8]) -> Result<usize, (io::Error, usize)> {
    let mut len = libc::socklen_t::try_from(value.len()).expect("a short buffer");
    // SAFETY: the pointers are to `len` bytes and to `len` itself, all live and writable for the whole call; the kernel
    // writes at most `len` bytes, and any bytes are valid.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            value.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    match result {
        0 => Ok(len as usize),
        _ => Err((io::Error::last_os_error(), len as usize)),
    }
}

#[allow(unsafe_code, reason = "socket options that have no safe wrapper")]
fn set(socket: BorrowedFd<'_>, option: c_int, value: c_int) -> io::Result<()> {
    // SAFETY: the pointer is to an integer that lives for the whole call, of the length that is said; the kernel only reads it.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            (&raw const value).cast(),
            size_of_val(&value) as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;
    use crate::transport::{Mode, Socket};

    #[test]
    fn an_option_longer_than_the_guess_is_read_whole() {
        let socket = Socket::new(Mode::NonBlocking).unwrap();
        let whole = get(socket.as_fd(), libc::SO_TYPE, 4).unwrap();
        assert_eq!(whole, libc::SOCK_SEQPACKET.to_ne_bytes());
    }
}
