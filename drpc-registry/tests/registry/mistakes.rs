//! One registry per mistake in `tests/mistakes/`, named for it, and beside it the report that it must get.

use std::error::Error as _;
use std::fs;
use std::path::PathBuf;
use std::{env, process};

use drpc_registry::Registry;

use crate::{differs, folder};

#[test]
fn every_mistake_gets_its_report() {
    let mut differences = Vec::new();
    for path in registries() {
        let text = fs::read_to_string(&path).expect("a readable registry");
        let name = path.file_name().expect("a file");
        let error = Registry::parse(name, &text).expect_err(&format!("{} is accepted", path.display()));
        differences.extend(differs(&path.with_extension("txt"), &format!("{error}\n")));
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn debug_is_what_a_build_script_shows() {
    let error = Registry::parse("modules.toml", "[[module]]\nid = 5").expect_err("no name");
    assert_eq!(format!("{error:?}"), error.to_string());
    assert_eq!(error.mistakes().len(), 1);
    assert!(!error.is_unreadable());
}

#[test]
fn an_unreadable_file_says_why_and_what_to_do() {
    let error = Registry::load("no/such/modules.toml").expect_err("there is none");
    let expected = "the registry no/such/modules.toml can't be read: No such file or directory (os error 2)\n  = help: \
                    create the file, or correct the path";
    assert_eq!(error.to_string(), expected);
    assert!(error.is_unreadable());
    assert!(error.source().is_some());
}

#[test]
fn a_file_that_is_not_text_says_so() {
    let path = env::temp_dir().join(format!("drpc-registry-{}.toml", process::id()));
    fs::write(&path, b"name = \"\xff\"").expect("a writable temporary folder");
    let error = Registry::load(&path).expect_err("not UTF-8");
    fs::remove_file(&path).expect("the file just written");
    assert!(
        error.to_string().ends_with("stream did not contain valid UTF-8\n  = help: save the file as UTF-8")
    );
}

fn registries() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder("tests/mistakes")).expect("the folder of mistakes");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml" || extension == "h"));
    paths.sort();
    assert!(!paths.is_empty());
    paths
}
