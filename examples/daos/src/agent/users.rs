//! The system's database of users and groups.

use std::ffi::CString;

use nix::errno::Errno;
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

/// A user, by the names that the system has.
pub(super) struct Names {
    pub(super) user: String,
    pub(super) group: String,
    pub(super) groups: Vec<String>,
}

/// Why somebody has no name.
#[derive(Debug, thiserror::Error)]
pub enum UnknownUser {
    /// The system has no such user.
    #[error("the system knows no user {0}")]
    User(u32),
    /// The system has no such group.
    #[error("the system knows no group {0}")]
    Group(u32),
    /// The database can't be read.
    #[error("can't read the system's users and groups")]
    Database(#[from] Errno),
}

/// Looks a user up, with all groups that the database has for them. Blocks: the database may be on the network.
pub(super) fn look_up(uid: u32, gid: u32) -> Result<Names, UnknownUser> {
    let user = User::from_uid(Uid::from_raw(uid))?.ok_or(UnknownUser::User(uid))?;
    let group = Group::from_gid(Gid::from_raw(gid))?.ok_or(UnknownUser::Group(gid))?;
    let name = CString::new(user.name.as_str()).map_err(|_| UnknownUser::User(uid))?;
    let mut groups = Vec::new();
    for gid in getgrouplist(&name, user.gid)? {
        // One without a name gives nobody any right.
        groups.extend(Group::from_gid(gid)?.map(|group| group.name));
    }
    Ok(Names { user: user.name, group: group.name, groups })
}
