//! The file of a listening socket: how it comes to stand at its path, and how it goes (S2, S3, S7).
//!
//! - From looking what stands at the path until it listens, a server holds the folder's lock ([`FolderLock`]). So does one that
//!   removes its file. Hence no server of this crate meets another's socket between `bind` and `listen`, where it looks stale;
//!   and none removes a file that it has not looked at in the same turn.
//! - The file lets in nobody for whom it is not meant, from the moment it exists. That nobody listens yet is not enough: the kernel
//!   looks at the permissions first, and a little later whether the socket listens.
//! - Only the file that this server made is removed in the end. While its socket is open, no other file can come to have its number.
//! - A crash leaves that one file, which is stale from then on, and nothing else: the lock goes with its process.
//!
//! A server of another kind does not take the lock. If it starts at the very same instant, one of the two may lose the path.

use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::Duration;
use std::{fs, io};

use rustix::fs::{
    AtFlags, FileType, FlockOperation, Gid, Mode as FileMode, OFlags, Stat, Uid, chownat, fchmod, flock,
    fstat, open,
};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::config::{ExistingSocket, FileOptions};
use super::error::BindError;
use crate::transport::{Mode, Socket, generation};

/// The file of a listening socket. Dropped, it removes that file and no other (S7); in a forked child, none, unless it is the child that serves.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
    /// The process whose file it is: see [`generation`].
    process: AtomicU64,
}

impl SocketFile {
    /// Makes the file, and a socket that listens there.
    pub(super) fn listen(path: &Path, options: &FileOptions) -> Result<(SocketFile, Socket), BindError> {
        let mode = options.mode.unwrap_or(0o600);
        if mode == 0 || mode > 0o777 {
            return Err(BindError::mode(path, mode));
        }
        // To the kernel, this number means to leave the owner as it is.
        if options.uid == Some(u32::MAX) || options.gid == Some(u32::MAX) {
            return Err(BindError::owner(path, options, Errno::INVAL.into()));
        }
        let failed = |cause: io::Error| BindError::io(path, cause);

        // S2: the file takes its mode from the socket, less the umask, so it is never more open than it should be. If it is
        // to be given away, it lets in nobody before. What it lacks then is given before it listens.
        let give_away = options.uid.is_some() || options.gid.is_some();
        let first = FileMode::from_raw_mode(if give_away { 0 } else { mode });
        let socket = Socket::new(Mode::NonBlocking).map_err(failed)?;
        fchmod(&socket, first).map_err(|errno| failed(errno.into()))?;

        // Absolute, since the process may be in another folder when it removes the file.
        let absolute = std::path::absolute(path).map_err(failed)?;

        // If anything fails, these go in the opposite order: the lock, which the file's removal takes anew; the file; the socket.
        let file;
        let _alone = FolderLock::of(path);
        make_room(path, options.existing)?;
        socket.bind(path).map_err(|cause| match Errno::from_io_error(&cause) {
            Some(Errno::ADDRINUSE) => BindError::exists(path),
            _ => failed(cause),
        })?;
        let made = Made::at(path).map_err(failed)?;
        file = SocketFile {
            path: absolute,
            device: made.stat.st_dev,
            inode: made.stat.st_ino,
            process: AtomicU64::new(generation()),
        };
        if give_away {
            made.give(options).map_err(|cause| BindError::owner(path, options, cause))?;
        }
        if made.stat.st_mode & 0o777 != mode {
            made.set_mode(mode).map_err(failed)?;
        }
        socket.listen().map_err(failed)?;
        Ok((file, socket))
    }

    /// The file is of the process that serves, which may be a child of the one that made it: a daemon.
    pub(super) fn is_served_here(&self) {
        self.process.store(generation(), Ordering::Relaxed);
    }
}

/// The file that was just made, held so that nothing else is changed, whatever comes to stand at its path: the folder may be somebody
/// else's, who may put a link there.
struct Made {
    file: OwnedFd,
    stat: Stat,
}

impl Made {
    /// If it can't be held, it is removed.
    fn at(path: &Path) -> io::Result<Made> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened =
            open(path, flags, FileMode::empty()).and_then(|file| fstat(&file).map(|stat| (file, stat)));
        let (file, stat) = opened.inspect_err(|_| drop(fs::remove_file(path)))?;
        let is_socket = FileType::from_raw_mode(stat.st_mode) == FileType::Socket;
        match is_socket && stat.st_uid == geteuid().as_raw() {
            true => Ok(Made { file, stat }),
            false => Err(io::Error::other(
                "somebody put another file in the place of the socket that was just made; use a folder that only trusted users may \
                 write to",
            )),
        }
    }

    fn give(&self, options: &FileOptions) -> io::Result<()> {
        let (uid, gid) = (options.uid.map(Uid::from_raw), options.gid.map(Gid::from_raw));
        Ok(chownat(&self.file, "", uid, gid, AtFlags::EMPTY_PATH)?)
    }

    /// By way of /proc, since `fchmod` does not take what only holds a file, and before Linux 6.6 nothing else does.
    fn set_mode(&self, mode: u32) -> io::Result<()> {
        let held = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        fs::set_permissions(held, fs::Permissions::from_mode(mode))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.process.load(Ordering::Relaxed) != generation() {
            return;
        }
        let _alone = FolderLock::of(&self.path);
        // Another server may have replaced the file since: that one is not ours to remove.
        let ours = |now: fs::Metadata| (now.dev(), now.ino()) == (self.device, self.inode);
        if fs::symlink_metadata(&self.path).is_ok_and(ours)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "could not remove the socket file");
        }
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
    // Another user's, in a folder that anyone may write to (`/tmp`): whoever may write there may still not touch it.
    let in_the_way = |cause: io::Error| match cause.kind() {
        io::ErrorKind::PermissionDenied if found.uid() != geteuid().as_raw() => {
            BindError::of_another_user(path, found.uid(), cause)
        }
        _ => BindError::io(path, cause),
    };
    if existing == ExistingSocket::ReplaceStale {
        match probe(path) {
            Probe::Gone => return Ok(()),
            Probe::Stale => {}
            Probe::InUse => return Err(BindError::in_use(path)),
            Probe::Failed(cause) => return Err(in_the_way(cause)),
        }
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(in_the_way(error)),
        Ok(()) => Ok(()),
    }
}

/// Removes sockets in a directory that no server listens on any more, if `chosen` picks their names; returns their paths ([S8](crate::guide::rules#server)). For servers whose
/// socket has another name each time, so that no later one replaces it.
///
/// # Example
///
/// What `daos_server` does when it starts:
///
/// ```no_run
/// let removed = drpc::server::remove_stale_sockets("/var/run/daos_server", |name| {
///     name == "daos_server.sock" || (name.starts_with("daos_engine") && name.ends_with(".sock"))
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// If the directory can't be read, or one of them can't be removed.
pub fn remove_stale_sockets(
    folder: impl AsRef<Path>,
    mut chosen: impl FnMut(&str) -> bool,
) -> io::Result<Vec<PathBuf>> {
    let folder = folder.as_ref();
    let _alone = FolderLock::of_folder(folder);
    let mut removed = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(&mut chosen)
            && entry.file_type()?.is_socket()
            && matches!(probe(&entry.path()), Probe::Stale)
        {
            fs::remove_file(entry.path())?;
            removed.push(entry.path());
        }
    }
    Ok(removed)
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

/// The folder of a socket, for one server at a time: an advisory lock on the folder itself, so that no lock file is left about.
///
/// Servers hold it for microseconds. Anyone who may read the folder can hold it for longer, so it is not waited for without
/// end: who does not get it in a fifth of a second goes on without, as does who may not read the folder.
struct FolderLock(Option<OwnedFd>);

impl FolderLock {
    const PAUSE: Duration = Duration::from_millis(1);
    const TRIES: usize = 200;

    /// That of a socket's path.
    fn of(path: &Path) -> Self {
        match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => Self::of_folder(folder),
            _ => Self::of_folder(Path::new(".")),
        }
    }

    fn of_folder(folder: &Path) -> Self {
        // If the folder is not there, `bind` says so.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(opened) = open(folder, flags, FileMode::empty()) else { return FolderLock(None) };
        for _ in 0..Self::TRIES {
            match flock(&opened, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return FolderLock(Some(opened)),
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) => sleep(Self::PAUSE),
                Err(error) => {
                    tracing::debug!(folder = %folder.display(), %error, "the folder can't be locked");
                    return FolderLock(None);
                }
            }
        }
        tracing::warn!(folder = %folder.display(), "another program keeps the folder locked; going on without");
        FolderLock(None)
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        if let Some(folder) = &self.0 {
            // Not left to closing it: a process forked just now has it open, too.
            let _ = flock(folder, FlockOperation::Unlock);
        }
    }
}
