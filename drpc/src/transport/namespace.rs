//! Which of the IDs that the kernel shows stand for nobody in particular.
//!
//! In a user namespace, the users that have no number there are all shown as one: the overflow ID. Outside of any it is an ordinary one
//! (`nobody`), since every user has a number of their own.

use std::sync::OnceLock;
use std::{fs, io};

/// The overflow ID, where the kernel was not told another.
const OVERFLOW: u32 = 65_534;

/// Looks which IDs stand for nobody, as long as files can be opened: before there are peers, who may use up the process's descriptors.
pub(crate) fn look_at_namespace() {
    unmapped_uid();
    unmapped_gid();
}

/// The user ID that stands for every user without a number; `None` where there are none.
pub(super) fn unmapped_uid() -> Option<u32> {
    static UID: OnceLock<Option<u32>> = OnceLock::new();
    unmapped(&UID, "/proc/self/uid_map", "/proc/sys/kernel/overflowuid")
}

/// The group ID that stands for every group without a number; `None` where there are none.
pub(super) fn unmapped_gid() -> Option<u32> {
    static GID: OnceLock<Option<u32>> = OnceLock::new();
    unmapped(&GID, "/proc/self/gid_map", "/proc/sys/kernel/overflowgid")
}

fn unmapped(known: &OnceLock<Option<u32>>, map: &str, overflow: &str) -> Option<u32> {
    if let Some(known) = known.get() {
        return *known;
    }
    match overflow_id(map, overflow) {
        Ok(id) => *known.get_or_init(|| id),
        // It can't be told now, and is looked at again. Until then the usual one is nobody's: so nobody is let in who has no number.
        Err(_) => Some(OVERFLOW),
    }
}

fn overflow_id(map: &str, overflow: &str) -> io::Result<Option<u32>> {
    // Without /proc it is not known to be in a namespace.
    let Some(map) = read(map)? else { return Ok(None) };
    if maps_all(&map) {
        return Ok(None);
    }
    Ok(Some(read(overflow)?.and_then(|id| id.trim().parse().ok()).unwrap_or(OVERFLOW)))
}

/// What is in a file; `None` if there is none.
fn read(path: &str) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a map gives every ID a number: lines of the first ID inside, the first outside, and how many.
fn maps_all(map: &str) -> bool {
    let mapped: u64 =
        map.lines().filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok()).sum();
    // The last one is no ID.
    mapped >= u64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_namespace_maps_all() {
        assert!(maps_all("         0          0 4294967295\n"));
        assert!(!maps_all("         0       1000          1\n"));
        assert!(!maps_all("         0       1000          1\n         1     100000      65536\n"));
        assert!(!maps_all(""));
    }

    #[test]
    fn what_cant_be_read_now_is_looked_at_again_and_lets_nobody_in() {
        // A folder is there, and has no text.
        let known = OnceLock::new();
        assert_eq!(unmapped(&known, "/proc/self", "/proc/self"), Some(OVERFLOW));
        assert_eq!(known.get(), None);
        assert_eq!(unmapped(&known, "/there/is/none", "/there/is/none"), None);
        assert_eq!(known.get(), Some(&None));
    }
}
