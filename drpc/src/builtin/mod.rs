//! The modules that the crate brings along, for a server that is told to serve them. Their IDs are the highest that there are
//! (`BUILT_IN_IDS` of drpc-registry), which no registry lists: far from DAOS's, and from those that follow on each other.
//!
//! They are written by hand: the attribute would look for them in the registry of whoever builds this.

pub mod health;
pub mod reflection;

/// The module ID of a number among these.
const fn module_id(number: i32) -> i32 {
    21_474_800 + number
}
