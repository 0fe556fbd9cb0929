//! What documents say of tests and code: it is there.

use std::fs;
use std::path::{Path, PathBuf};

/// The documents that name tests, as links: [`name`](the file that it is in).
const DOCUMENTS: [&str; 2] = ["SECURITY.md", "tests/integration/matrix/README.md"];

#[test]
fn every_test_that_a_document_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for document in DOCUMENTS {
        let document = root.join(document);
        let text = fs::read_to_string(&document).unwrap();
        // A test's name is a sentence, and has several words.
        let is_test_name = |name: &str| name.matches('_').count() > 1;
        let named: Vec<_> = links(&text).filter(|(name, _)| is_test_name(name)).collect();
        assert!(!named.is_empty(), "{} names no test", document.display());
        for (name, file) in named {
            let path = document.parent().unwrap().join(file);
            let source =
                fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(
                is_test(&source, name),
                "{} names `{name}`, which is no test of {file}",
                document.display()
            );
        }
    }
}

#[test]
fn every_file_with_unsafe_code_is_listed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let security = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let (_, listed) = security.split_once("## Unsafe code").unwrap();
    let listed: Vec<_> = links(listed).map(|(_, file)| root.join(file)).collect();
    let mut found = Vec::new();
    // The packages that are published; those that measure them have their own.
    for package in ["drpc", "drpc-macros", "drpc-registry", "drpc-build", "drpc-cli"] {
        collect(&root.join(package).join("src"), &mut found);
    }
    for file in &found {
        let source = fs::read_to_string(file).unwrap();
        let marks = ["#[allow(unsafe_code", "#[expect(unsafe_code", "#[unsafe("];
        let has_unsafe = source.lines().any(|line| marks.iter().any(|mark| line.trim().starts_with(mark)));
        assert_eq!(has_unsafe, listed.contains(file), "{}", file.display());
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => collect(&path, files),
            false => files.push(path),
        }
    }
}

/// The links whose text is a name: that, and what they lead to.
fn links(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split("[`").skip(1).filter_map(|link| {
        let (name, rest) = link.split_once("`](")?;
        Some((name, rest.split_once(')')?.0))
    })
}

fn is_test(source: &str, name: &str) -> bool {
    let Some(at) = source.find(&format!("fn {name}(")) else { return false };
    let attribute = source[..at].lines().rev().find(|line| line.trim_start().starts_with("#["));
    attribute.is_some_and(|attribute| attribute.contains("test"))
}
