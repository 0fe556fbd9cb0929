use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode as FileMode, fchmod};
use rustix::io::Errno;

use super::seqpacket::Mode;
use super::{MAX_PATH, Socket};
use crate::server::{BindError, ExistingSocket};

/// A listening socket, and the file that it made.
#[derive(Debug)]
pub(crate) struct Listener {
    // Dropped first: while the socket is open, no other file can come to have the number of ours.
    pub(crate) file: SocketFile,
    pub(crate) socket: Socket,
}

/// The file of a listening socket. Dropped, it removes that file and no other (S7).
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Listener {
    /// Binds and listens (S1 to S3).
    pub(crate) fn bind(path: &Path, mode: u32, existing: ExistingSocket) -> Result<Self, BindError> {
        check_path(path)?;
        if mode == 0 || mode > 0o777 {
            return Err(BindError::mode(path, mode));
        }
        let failed = |cause: io::Error| BindError::io(path, cause);

        make_room(path, existing)?;
        let socket = Socket::new(Mode::NonBlocking).map_err(failed)?;
        // S2: the file takes its mode from the socket, less the umask, so it is never more open than it should be. Where
        // the umask took too much, the rest is given before anyone can connect: nobody listens yet.
        fchmod(&socket, FileMode::from_raw_mode(mode)).map_err(|errno| failed(errno.into()))?;
        socket.bind(path).map_err(|cause| match Errno::from_io_error(&cause) {
            Some(Errno::ADDRINUSE) => BindError::exists(path),
            _ => failed(cause),
        })?;
        let made = fs::symlink_metadata(path).map_err(failed)?;
        let file = SocketFile { path: path.to_owned(), device: made.dev(), inode: made.ino() };
        if made.permissions().mode() & 0o777 != mode {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(failed)?;
        }
        socket.listen().map_err(failed)?;
        Ok(Listener { file, socket })
    }
}

impl SocketFile {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Another server may have replaced the file since: that one is not ours to remove.
        let ours = |now: fs::Metadata| (now.dev(), now.ino()) == (self.device, self.inode);
        if fs::symlink_metadata(&self.path).is_ok_and(ours)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "could not remove the socket file");
        }
    }
}

/// S2: DAOS's C code silently cuts a path that is too long.
fn check_path(path: &Path) -> Result<(), BindError> {
    let len = path.as_os_str().len();
    match len {
        0 => Err(BindError::empty_path()),
        1..=MAX_PATH => Ok(()),
        _ => Err(BindError::path_too_long(path, len)),
    }
}

/// Sees to it that nothing stands at the path, as far as the policy allows (S3). Only sockets are ever removed.
fn make_room(path: &Path, existing: ExistingSocket) -> Result<(), BindError> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(BindError::io(path, error)),
    };
    if existing == ExistingSocket::Fail {
        return Err(BindError::exists(path));
    }
    if !found.file_type().is_socket() {
        return Err(BindError::not_a_socket(path));
    }
    if existing == ExistingSocket::ReplaceStale {
        match probe(path) {
            Probe::Gone => return Ok(()),
            Probe::Stale => {}
            Probe::InUse => return Err(BindError::in_use(path)),
            Probe::Failed(cause) => return Err(BindError::io(path, cause)),
        }
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(BindError::io(path, error)),
        _ => Ok(()),
    }
}

enum Probe {
    /// A server answers there, of whatever kind.
    InUse,
    /// The server that made the file is dead.
    Stale,
    /// The file has gone away by itself.
    Gone,
    Failed(io::Error),
}

fn probe(path: &Path) -> Probe {
    match Socket::new(Mode::NonBlocking).and_then(|socket| socket.connect(path)) {
        Ok(()) => Probe::InUse,
        Err(cause) => match Errno::from_io_error(&cause) {
            Some(Errno::CONNREFUSED) => Probe::Stale,
            Some(Errno::NOENT) => Probe::Gone,
            // A full backlog, or a server of another socket type.
            Some(Errno::AGAIN | Errno::PROTOTYPE) => Probe::InUse,
            _ => Probe::Failed(cause),
        },
    }
}
