//! The folders where a file may appear that the next run would read.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// The folders to watch: a `.proto` file may be added where a build script lists them, or come before one that is imported.
///
/// cargo looks at all that is in a folder. So one that holds the package or its output is not watched, but in place of it the
/// folders in it where files were found.
pub(crate) fn folders(includes: &[&Path], files: &[PathBuf], out_dir: &Path) -> Vec<PathBuf> {
    let places: Vec<_> = [Some(out_dir.to_owned()), env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from)]
        .into_iter()
        .flatten()
        .filter_map(|place| fs::canonicalize(place).ok())
        .collect();
    let mut watched: Vec<(PathBuf, PathBuf)> = Vec::new();
    let parents = files.iter().filter_map(|file| file.parent());
    for folder in includes.iter().copied().chain(parents) {
        let Ok(full) = fs::canonicalize(folder) else { continue };
        let holds_a_place = places.iter().any(|place| place.starts_with(&full));
        if !holds_a_place && !watched.iter().any(|(_, other)| full.starts_with(other)) {
            watched.push((folder.to_owned(), full));
        }
    }
    watched.into_iter().map(|(folder, _)| folder).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_watched_unless_the_build_writes_into_them() {
        let root = tempfile::tempdir().unwrap();
        let folder = |name: &str| root.path().join(name);
        for name in ["proto/deep", "others", "target/out"] {
            fs::create_dir_all(folder(name)).unwrap();
        }
        let files = [folder("proto/a.proto"), folder("proto/deep/b.proto")];
        let watched = |includes: &[&Path]| folders(includes, &files, &folder("target/out"));
        assert_eq!(watched(&[&folder("others"), &folder("proto")]), [folder("others"), folder("proto")]);
        assert_eq!(watched(&[root.path()]), [folder("proto")]);
        assert_eq!(
            watched(&[&folder("none"), &folder("proto/deep")]),
            [folder("proto/deep"), folder("proto")]
        );
    }
}
