use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::{fmt, io, mem};

use rustix::io::Errno;

use super::namespace::{unmapped_gid, unmapped_uid};
use super::options::{self, SO_PEERGROUPS, SO_PEERSEC};
use super::remote::RemotePeer;

/// The process at the other end of a connection, as the kernel saw it when the connection was made ([D8](crate::guide::rules#dispatch)).
///
/// The kernel vouches for it: a client can't pretend to be another. It is read once, when the connection is accepted, so it names the process that
/// connected, even if that process has since changed its user or passed the socket on.
///
/// A caller on another host, whom a server of gRPC lets in, has no such credentials: [`remote`](Self::remote) has its certificate's names, and user and
/// group are 4294967295, which is nobody's.
///
/// Its `Display` is what a log wants: `uid=1000 gid=1000 pid=4711`.
///
/// ```
/// use drpc::{Bytes, Context, drpc_module};
///
/// struct Names;
///
/// #[drpc_module(id = 9)]
/// impl Names {
///     #[method(1)]
///     fn whoami(&self, context: &Context) -> Bytes {
///         context.peer().to_string().into()
///     }
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PeerCredentials {
    pid: Option<i32>,
    uid: u32,
    gid: u32,
    groups: Arc<[u32]>,
    security_label: Option<String>,
    remote: Option<Arc<RemotePeer>>,
}

/// The number that the kernel gives no user and no group.
const NOBODY: u32 = u32::MAX;

impl PeerCredentials {
    /// Credentials made up, to try rules of access with: those of a connection are read from the kernel.
    ///
    /// ```
    /// use drpc::PeerCredentials;
    ///
    /// let operator = PeerCredentials::new(1000, 1000).with_groups([27, 100]);
    /// assert!(operator.is_in_group(27) && operator.is_in_group(1000));
    /// ```
    #[must_use]
    pub fn new(uid: u32, gid: u32) -> Self {
        PeerCredentials { pid: None, uid, gid, groups: Arc::default(), security_label: None, remote: None }
    }

    /// The same with these supplementary groups.
    #[must_use]
    pub fn with_groups(self, groups: impl IntoIterator<Item = u32>) -> Self {
        PeerCredentials { groups: groups.into_iter().collect(), ..self }
    }

    /// Those of a caller on another host: none of this host's.
    ///
    /// ```
    /// use drpc::{PeerCredentials, RemotePeer};
    ///
    /// let peer = RemotePeer::new("192.0.2.7:50112").with_names(["CN=admin"]);
    /// let caller = PeerCredentials::of_remote(peer.into());
    /// assert!(caller.remote().is_some_and(|peer| peer.has_name("CN=admin")));
    /// assert_ne!(caller.uid(), 0);
    /// ```
    #[must_use]
    pub fn of_remote(peer: Arc<RemotePeer>) -> Self {
        PeerCredentials { remote: Some(peer), ..PeerCredentials::new(NOBODY, NOBODY) }
    }

    /// The caller, if it is on another host.
    #[must_use]
    pub fn remote(&self) -> Option<&RemotePeer> {
        self.remote.as_deref()
    }

    /// The process ID; `None` if the process is not visible from here (another PID namespace).
    ///
    /// For the log. The process may have ended, and its number may be another's by now.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        self.pid
    }

    /// The effective user ID. Inside of a user namespace, it may be [unmapped](Self::is_unmapped).
    #[must_use]
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// The effective group ID.
    #[must_use]
    pub fn gid(&self) -> u32 {
        self.gid
    }

    /// Whether the user has no number in this process's user namespace: the kernel shows all of them as one (65534). No
    /// [rule](crate::Allow) by user takes such a peer for anybody; nor does one by group, for groups that are not mapped.
    #[must_use]
    pub fn is_unmapped(&self) -> bool {
        unmapped_uid() == Some(self.uid)
    }

    /// The supplementary groups (`SO_PEERGROUPS`). Empty if the process has none, or the kernel does not tell (before
    /// Linux 4.13).
    #[must_use]
    pub fn groups(&self) -> &[u32] {
        &self.groups
    }

    /// Whether the process is in a group: its effective or a supplementary one.
    #[must_use]
    pub fn is_in_group(&self, gid: u32) -> bool {
        let is_known = self.remote.is_none() && unmapped_gid() != Some(gid);
        is_known && (self.gid == gid || self.groups.contains(&gid))
    }

    /// Whether it is this user, as far as this process can know.
    pub(crate) fn is_user(&self, uid: u32) -> bool {
        self.uid == uid && self.remote.is_none() && !self.is_unmapped()
    }

    /// The label that a security module such as `SELinux` or `AppArmor` gave the process (`SO_PEERSEC`); `None` where there is
    /// no such module.
    #[must_use]
    pub fn security_label(&self) -> Option<&str> {
        self.security_label.as_deref()
    }

    /// This process itself, without a label: the peer of an in-memory connection.
    #[must_use]
    pub fn this_process() -> Self {
        let groups = rustix::process::getgroups().unwrap_or_default();
        PeerCredentials {
            pid: Some(rustix::process::getpid().as_raw_nonzero().get()),
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            groups: groups.into_iter().map(|group| group.as_raw()).collect(),
            security_label: None,
            remote: None,
        }
    }

    /// Reads what the kernel knows of a connection's peer.
    ///
    /// Not through rustix: its process ID can't be 0, which is what the kernel says of a peer in another PID namespace, and it
    /// has neither groups nor label.
    pub(super) fn of(socket: BorrowedFd<'_>) -> io::Result<Self> {
        // `struct ucred`: three numbers of 32 bits.
        let credentials = options::get(socket, libc::SO_PEERCRED, mem::size_of::<libc::ucred>())?;
        let [pid, uid, gid] = numbers(&credentials)[..] else {
            return Err(io::Error::other("the kernel gave no credentials of the peer"));
        };
        Ok(PeerCredentials {
            pid: (pid != 0).then_some(pid.cast_signed()),
            uid,
            gid,
            groups: kept(groups(socket)?),
            security_label: security_label(socket)?,
            remote: None,
        })
    }
}

/// User, group and, if it is known, process: `uid=1000 gid=1000 pid=4711`. Of a caller on another host, names and address:
/// `CN=admin at 192.0.2.7:50112`.
impl fmt::Display for PeerCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(remote) = &self.remote {
            return fmt::Display::fmt(remote, f);
        }
        let PeerCredentials { pid, uid, gid, .. } = self;
        match self.is_unmapped() {
            true => write!(f, "uid={uid}(unmapped) gid={gid}")?,
            false => write!(f, "uid={uid} gid={gid}")?,
        }
        pid.map_or(Ok(()), |pid| write!(f, " pid={pid}"))
    }
}

/// As [`Display`](fmt::Display): a peer may be in thousands of groups.
impl fmt::Debug for PeerCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn groups(socket: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    match options::get(socket, SO_PEERGROUPS, 32 * mem::size_of::<libc::gid_t>()) {
        Ok(groups) => Ok(numbers(&groups)),
        Err(error) => absent(&error).then(Vec::new).ok_or(error),
    }
}

/// More than so many groups are kept once for all who are in just these: a process may be in 65,536, and connect as often as it likes.
const MANY_GROUPS: usize = 64;

/// A list of groups to keep with a session.
fn kept(groups: Vec<u32>) -> Arc<[u32]> {
    static LONG: Mutex<Vec<(u64, Weak<[u32]>)>> = Mutex::new(Vec::new());
    if groups.len() <= MANY_GROUPS {
        return groups.into();
    }
    // Two lists may differ at their ends alone.
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(&groups);
    let mut long = LONG.lock().unwrap_or_else(PoisonError::into_inner);
    long.retain(|(_, list)| list.strong_count() > 0);
    let mut alike = long.iter().filter(|(other, _)| *other == hash).filter_map(|(_, list)| list.upgrade());
    if let Some(same) = alike.find(|list| **list == *groups) {
        return same;
    }
    let groups = Arc::from(groups);
    long.push((hash, Arc::downgrade(&groups)));
    groups
}

fn security_label(socket: BorrowedFd<'_>) -> io::Result<Option<String>> {
    match options::get(socket, SO_PEERSEC, 128) {
        Ok(label) => {
            // Some modules count the end of the string, some don't.
            let label = label.split(|byte| *byte == 0).next().unwrap_or_default();
            Ok((!label.is_empty()).then(|| String::from_utf8_lossy(label).into_owned()))
        }
        Err(error) => absent(&error).then_some(None).ok_or(error),
    }
}

/// Whether the kernel has no such thing to tell of the peer.
fn absent(error: &io::Error) -> bool {
    let none = [Errno::NOPROTOOPT, Errno::OPNOTSUPP, Errno::NODATA, Errno::INVAL];
    Errno::from_io_error(error).is_some_and(|errno| none.contains(&errno))
}

/// The whole numbers of 32 bits in some bytes.
fn numbers(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks_exact(4).map(|number| u32::from_ne_bytes(number.try_into().expect("four bytes"))).collect()
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;
    use crate::transport::{Mode, Socket};

    #[test]
    fn many_groups_are_kept_once_and_forgotten_with_the_last_who_is_in_them() {
        let many: Vec<u32> = (0..65_536).collect();
        let [one, other] = [kept(many.clone()), kept(many.clone())];
        assert!(Arc::ptr_eq(&one, &other) && *one == *many);
        assert!(!Arc::ptr_eq(&one, &kept(many[1..].to_vec())));
        let last = Arc::downgrade(&one);
        drop((one, other));
        assert!(last.upgrade().is_none());
    }

    #[test]
    fn what_the_kernel_does_not_have_is_absent() {
        // D8: a socket without a peer has neither groups nor label, and that is no error.
        let socket = Socket::new(Mode::NonBlocking).unwrap();
        let peer = PeerCredentials::of(socket.as_fd()).unwrap();
        assert_eq!((peer.pid(), peer.groups(), peer.security_label()), (None, &[][..], None));
    }
}
