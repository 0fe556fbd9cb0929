//! Files that are written only if they change.

use std::path::Path;
use std::time::SystemTime;
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

/// Has a file be no younger than this run of the script: what is younger cargo takes for changed since, and would run it once more.
pub(crate) fn date_back(path: &Path, out_dir: &Path) {
    let modified = |path: &Path| -> io::Result<SystemTime> { fs::metadata(path)?.modified() };
    // Where cargo notes when it began. Elsewhere the script does run once more, and changes nothing.
    let Some(begun) = out_dir.parent().and_then(|run| modified(&run.join("invoked.timestamp")).ok()) else {
        return;
    };
    if modified(path).is_ok_and(|written| written > begun) {
        let _ = fs::File::options().write(true).open(path).and_then(|file| file.set_modified(begun));
    }
}
