//! This host's name.

/// The host's name up to its first dot.
pub(crate) fn short_name() -> String {
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy();
    name.split('.').next().unwrap_or_default().to_owned()
}
