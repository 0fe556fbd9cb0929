//! Which of the IDs that the kernel shows stand for nobody in particular.
//!
//! In a user namespace, the users that have no number there are all shown as one: the overflow ID. Outside of any it is an ordinary one
//! (`nobody`), since every user has a number of their own.

use std::fs;
use std::sync::OnceLock;

/// The user ID that stands for every user without a number; `None` where there are none.
pub(super) fn unmapped_uid() -> Option<u32> {
    static UID: OnceLock<Option<u32>> = OnceLock::new();
    *UID.get_or_init(|| overflow_id("/proc/self/uid_map", "/proc/sys/kernel/overflowuid"))
}

/// The group ID that stands for every group without a number; `None` where there are none.
pub(super) fn unmapped_gid() -> Option<u32> {
    static GID: OnceLock<Option<u32>> = OnceLock::new();
    *GID.get_or_init(|| overflow_id("/proc/self/gid_map", "/proc/sys/kernel/overflowgid"))
}

fn overflow_id(map: &str, overflow: &str) -> Option<u32> {
    // Without /proc it is not known to be in a namespace.
    let map = fs::read_to_string(map).ok()?;
    if maps_all(&map) {
        return None;
    }
    Some(fs::read_to_string(overflow).ok().and_then(|id| id.trim().parse().ok()).unwrap_or(65534))
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
}
