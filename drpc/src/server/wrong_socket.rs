use std::{fmt, io};

use rustix::io::Errno;

/// Why a descriptor is none that a server can listen on.
#[derive(Debug)]
pub(crate) enum WrongSocket {
    NotASocket,
    Internet,
    OtherFamily,
    Stream,
    Datagram,
    Connection,
    Unbound,
    Io(io::Error),
}

impl WrongSocket {
    /// What to do about it, if whoever runs the program made the socket with a systemd unit.
    pub(crate) fn advice_for_unit(&self) -> &'static str {
        match self {
            WrongSocket::NotASocket => {
                "; write `ListenSequentialPacket=` and a path, and nothing else, in the .socket unit"
            }
            WrongSocket::Internet | WrongSocket::OtherFamily => {
                "; give `ListenSequentialPacket=` in the .socket unit a path"
            }
            WrongSocket::Stream => {
                "; write `ListenSequentialPacket=`, not `ListenStream=`, in the .socket unit"
            }
            WrongSocket::Datagram => {
                "; write `ListenSequentialPacket=`, not `ListenDatagram=`, in the .socket unit"
            }
            WrongSocket::Connection => "; write `Accept=no` in the .socket unit",
            WrongSocket::Unbound | WrongSocket::Io(_) => "",
        }
    }

    /// What to do about it, if the program made the socket.
    pub(crate) fn advice_for_program(&self) -> &'static str {
        match self {
            WrongSocket::NotASocket
            | WrongSocket::Internet
            | WrongSocket::OtherFamily
            | WrongSocket::Stream
            | WrongSocket::Datagram => "; make it with `AF_UNIX` and `SOCK_SEQPACKET`",
            WrongSocket::Connection => "; give the listening socket that it was accepted from",
            WrongSocket::Unbound => "; bind it first",
            WrongSocket::Io(_) => "",
        }
    }
}

impl fmt::Display for WrongSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WrongSocket::NotASocket => "it is not a socket",
            WrongSocket::Internet => "it is an Internet socket, and dRPC needs a Unix one",
            WrongSocket::OtherFamily => "it is not a Unix socket",
            WrongSocket::Stream => "it is a stream socket, and dRPC needs SOCK_SEQPACKET",
            WrongSocket::Datagram => "it is a datagram socket, and dRPC needs SOCK_SEQPACKET",
            WrongSocket::Connection => "it is a connection, not a socket that listens",
            WrongSocket::Unbound => "it is bound to no address",
            WrongSocket::Io(cause) => return cause.fmt(f),
        })
    }
}

impl From<Errno> for WrongSocket {
    fn from(errno: Errno) -> Self {
        WrongSocket::Io(errno.into())
    }
}
