use std::ffi::OsString;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::{fmt, io};

use rustix::net::SocketAddrUnix;

/// Where a server listens: a path, or a name in Linux's abstract namespace, which is written `@name`.
///
/// A path that begins with `@` is an abstract name to this crate's server and clients, as it is to systemd, `ss` and Go. A
/// file of such a name is `./@name`.
///
/// It is made of what [`ServerBuilder::bind`](crate::ServerBuilder::bind) takes, and the clients take it in turn.
///
/// ```no_run
/// # async fn example(server: drpc::Server) -> Result<(), drpc::ConnectError> {
/// println!("listening on {}", server.address());
/// let client = drpc::Client::connect(server.address()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address(PathBuf);

impl Address {
    pub(crate) fn new(path: &Path) -> Self {
        Address(path.to_owned())
    }

    /// The address that a socket is bound to; `None` if it is bound to none.
    #[cfg(any(feature = "server", feature = "progress", feature = "blocking-server"))]
    pub(crate) fn of(bound: &SocketAddr) -> Option<Self> {
        let path = match (bound.as_pathname(), bound.as_abstract_name()) {
            (Some(path), _) if abstract_name(path).is_some() => Path::new(".").join(path),
            (Some(path), _) => path.to_owned(),
            (None, Some(name)) => OsString::from_vec([b"@", name].concat()).into(),
            (None, None) => return None,
        };
        Some(Address(path))
    }

    /// The path of the socket's file; `None` if the address is an abstract name.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        abstract_name(&self.0).is_none().then_some(&self.0)
    }

    /// The name in the abstract namespace, without the `@`; `None` if the address is a path.
    #[must_use]
    pub fn abstract_name(&self) -> Option<&[u8]> {
        abstract_name(&self.0)
    }
}

impl AsRef<Path> for Address {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

/// The abstract name that a path means, if it is none of a file.
pub(crate) fn abstract_name(path: &Path) -> Option<&[u8]> {
    path.as_os_str().as_bytes().strip_prefix(b"@")
}

/// What [`MAX_PATH`](super::MAX_PATH) bounds, in bytes: a path, or an abstract name without its `@`.
pub(crate) fn name_len(path: &Path) -> usize {
    abstract_name(path).unwrap_or(path.as_os_str().as_bytes()).len()
}

/// The address in the kernel's form.
pub(super) fn socket_address(path: &Path) -> io::Result<SocketAddrUnix> {
    Ok(match abstract_name(path) {
        Some(name) => SocketAddrUnix::new_abstract_name(name)?,
        None => SocketAddrUnix::new(path)?,
    })
}

#[cfg(all(test, any(feature = "server", feature = "progress", feature = "blocking-server")))]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_written() {
        let file = |path| SocketAddr::from_pathname(path).unwrap();
        let name = |name: &str| SocketAddr::from_abstract_name(name).unwrap();
        for (bound, written) in [
            (file("/run/s"), "/run/s"),
            (file("s"), "s"),
            (file("@s"), "./@s"),
            (name("s"), "@s"),
            (name("s\0with\0zeros"), "@s\0with\0zeros"),
        ] {
            assert_eq!(Address::of(&bound), Some(Address::new(Path::new(written))));
        }
        assert_eq!(Address::of(&SocketAddr::from_pathname("").unwrap()), None, "no address");
    }

    #[test]
    fn an_address_is_a_path_or_a_name() {
        let name = Address::new(Path::new("@s"));
        assert_eq!((name.path(), name.abstract_name()), (None, Some(&b"s"[..])));
        let path = Address::new(Path::new("/run/@s"));
        assert_eq!((path.path(), path.abstract_name()), (Some(Path::new("/run/@s")), None));
    }
}
