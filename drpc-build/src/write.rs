//! Files that are written only if they change.

use std::path::Path;
use std::{fs, io};

/// Writes a file unless it holds the bytes already: a new time stamp would have everything built anew that includes it, and what
/// would not change may stand where nothing can be written.
pub(crate) fn write_if_changed(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(path, bytes)
}
