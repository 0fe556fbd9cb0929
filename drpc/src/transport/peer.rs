use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The process at the other end of a connection, as the kernel saw it when the connection was made (D8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCredentials {
    pid: Option<i32>,
    uid: u32,
    gid: u32,
}

impl PeerCredentials {
    /// The process ID; `None` if the process is not visible from here (another PID namespace).
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        self.pid
    }

    /// The effective user ID.
    #[must_use]
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// The effective group ID.
    #[must_use]
    pub fn gid(&self) -> u32 {
        self.gid
    }

    /// This process itself: the peer of an in-memory connection.
    #[must_use]
    pub fn this_process() -> Self {
        PeerCredentials {
            pid: Some(rustix::process::getpid().as_raw_nonzero().get()),
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
        }
    }

    /// Reads `SO_PEERCRED`.
    ///
    /// Not through rustix: its process ID can't be 0, which is what the kernel says of a peer in another PID namespace.
    #[allow(
        unsafe_code,
        reason = "the one socket option that has no safe wrapper which can say `no process ID`"
    )]
    pub(super) fn of(socket: BorrowedFd<'_>) -> io::Result<Self> {
        let mut credentials = libc::ucred { pid: 0, uid: 0, gid: 0 };
        let mut len = mem::size_of::<libc::ucred>() as libc::socklen_t;
        // SAFETY: the pointers are to a ucred and its length, both live and writable for the whole call; the kernel
        // writes at most `len` bytes, and any bytes are a valid ucred.
        let result = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERCRED,
                (&raw mut credentials).cast(),
                &raw mut len,
            )
        };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(PeerCredentials {
            pid: (credentials.pid != 0).then_some(credentials.pid),
            uid: credentials.uid,
            gid: credentials.gid,
        })
    }
}
