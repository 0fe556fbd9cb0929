//! Completions in the shells themselves, and man pages in groff.

use std::fs;
use std::process::Command;

use crate::support::Folder;

/// A folder with the completions for a shell; nothing where there is no such shell.
fn completions(shell: &str) -> Option<Folder> {
    let is_there = Command::new(shell).arg("--version").output().is_ok_and(|output| output.status.success());
    if !is_there {
        eprintln!("skipped: there is no {shell}");
        return None;
    }
    let folder = Folder::new();
    let script = folder.drpc(&format!("completions {shell}")).output().unwrap().stdout;
    folder.write("_drpc", &String::from_utf8(script).unwrap());
    Some(folder)
}

/// What a shell says to a script, in the folder.
fn said(folder: &Folder, shell: &str, script: &str) -> String {
    let output = Command::new("timeout")
        .args(["60", shell, "-c", script])
        .current_dir(folder.path("."))
        // Where this user's configuration is not.
        .env("HOME", folder.path("."))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn bash_completes() {
    let Some(folder) = completions("bash") else { return };
    let script = r#"
        . ./_drpc
        complete_last() {
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
            _drpc drpc "${@: -1}" "${@: -2:1}"
            echo "${COMPREPLY[*]}"
        }
        complete_last drpc de
        complete_last drpc call --te
        complete_last drpc call s.sock --wire ""
        complete_last drpc top s.sock --sort r
        complete_last drpc registry ne
    "#;
    assert_eq!(
        said(&folder, "bash", script),
        "describe\n--template\nauto chunked plain\nrate running\nnext\n"
    );
}

#[test]
fn fish_completes() {
    let Some(folder) = completions("fish") else { return };
    let script = "
        source ./_drpc
        for line in 'drpc de' 'drpc call --te' 'drpc top s.sock --sort r' 'drpc registry ne'
            complete -C $line | string split -f 1 \\t
        end
    ";
    assert_eq!(said(&folder, "fish", script), "describe\n--template\nrate\nrunning\nnext\n");
}

/// Completion is for people: it takes a terminal.
#[test]
fn zsh_completes() {
    let Some(folder) = completions("zsh") else { return };
    let script = r#"
        zmodload zsh/zpty
        zpty shell "zsh -f -i"
        zpty -w shell "PS1= ; fpath=($PWD \$fpath); autoload -Uz compinit; compinit -D -u; print rea''dy"
        zpty -r shell screen '*ready*'
        zpty -w -n shell $'drpc de\t'
        zpty -r shell screen '*describe*'
        print completed
    "#;
    assert_eq!(said(&folder, "zsh", script), "completed\n");
}

/// No page has anything that groff warns of.
#[test]
fn man_pages_are_formatted() {
    if Command::new("groff").arg("--version").output().is_err() {
        eprintln!("skipped: there is no groff");
        return;
    }
    let folder = Folder::new();
    folder.drpc("man pages").assert().code(0);
    for page in fs::read_dir(folder.path("pages")).unwrap() {
        let page = page.unwrap().path();
        let output =
            Command::new("groff").args(["-man", "-ww", "-Tascii", "-P-cbou"]).arg(&page).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{}", page.display());
        assert!(String::from_utf8_lossy(&output.stdout).contains("SYNOPSIS"), "{}", page.display());
    }
}
