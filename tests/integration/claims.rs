//! What documents say that a test shows: the test is there.

use std::fs;
use std::path::Path;

/// The documents that name tests, as links: [`name`](the file that it is in).
const DOCUMENTS: [&str; 2] = ["SECURITY.md", "tests/integration/matrix/README.md"];

#[test]
fn every_test_that_a_document_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for document in DOCUMENTS {
        let document = root.join(document);
        let text = fs::read_to_string(&document).unwrap();
        let named: Vec<_> = links(&text).filter(|(_, file)| file.ends_with(".rs")).collect();
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
