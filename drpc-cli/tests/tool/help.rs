//! What is made of the definition of the command line: help, completions, man pages.

use std::fs;

use crate::support::Folder;

#[test]
fn every_shell_gets_completions_of_every_command() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish"] {
        let said = folder.drpc(&format!("completions {shell}")).assert().code(0).stderr_eq("");
        let script = String::from_utf8(said.get_output().stdout.clone()).unwrap();
        for word in ["describe", "trace", "template", "completions"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    folder.drpc("completions tcsh").assert().code(2).stdout_eq("");
}

#[test]
fn every_command_has_a_man_page() {
    let folder = Folder::new();
    folder.drpc("man pages/man1").assert().code(0).stdout_eq("").stderr_eq("");
    let mut pages: Vec<_> =
        fs::read_dir(folder.path("pages/man1")).unwrap().map(|page| page.unwrap()).collect();
    pages.sort_by_key(fs::DirEntry::file_name);
    let names: Vec<_> = pages.iter().map(|page| page.file_name().into_string().unwrap()).collect();
    for name in ["drpc.1", "drpc-call.1", "drpc-registry-check.1"] {
        assert!(names.iter().any(|page| page == name), "{names:?}");
    }
    assert!(
        folder
            .read("pages/man1/drpc-call.1")
            .contains("drpc call /run/greeter.sock greeter.hello @request.json")
    );
    folder.write("file", "");
    let refused = folder.drpc("man file").assert().code(3).stdout_eq("");
    assert!(
        String::from_utf8_lossy(&refused.get_output().stderr)
            .starts_with("drpc: can't write man pages to file: ")
    );
}

/// Elsewhere than on a terminal nothing is coloured, nor where nobody wants colours.
#[test]
fn colours_are_for_terminals_and_for_who_wants_them() {
    let folder = Folder::with_registry();
    folder.write("wrong.toml", "[[module]]\nid = 5\n");
    for line in ["registry check wrong.toml", "list none.sock", "call", "--help", "list --help"] {
        let said = folder.drpc(line).output().unwrap();
        assert!(!said.stdout.contains(&0x1b) && !said.stderr.contains(&0x1b), "{line}");
    }
    let forced = folder.drpc("registry check wrong.toml").env("CLICOLOR_FORCE", "1");
    assert!(forced.output().unwrap().stderr.contains(&0x1b));
    let unwanted = folder.drpc("registry check wrong.toml").env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1");
    assert!(!unwanted.output().unwrap().stderr.contains(&0x1b));
}
