//! One registry in every form; what compilers say to the generated ones; and the way from form to form and back.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use drpc_registry::{ModuleEntry, Registry};

use crate::{differs, folder};

#[test]
fn a_registry_in_every_form() {
    let forms = folder("tests/forms");
    let registry = sample();
    let texts = [
        ("sample.sorted.toml", registry.to_toml()),
        ("sample.h", registry.to_c_header()),
        ("sample.go", registry.to_go(&"modules".parse().expect("a good name"))),
        ("sample.py", registry.to_python()),
        ("sample.md", registry.to_markdown()),
        ("sample.rs", registry.to_rust()),
    ];
    let differences: Vec<_> =
        texts.iter().filter_map(|(name, text)| differs(&forms.join(name), text)).collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn an_empty_registry_has_every_form_too() {
    let empty = Registry::parse("modules.toml", "").expect("nothing is wrong with it");
    assert_eq!(empty.to_toml(), "");
    assert_eq!(empty.to_markdown().lines().count(), 2);
    let again = Registry::parse("modules.h", &empty.to_c_header()).expect("a good header");
    assert!(again.modules().is_empty());
    assert_eq!(again.next_free_id(), Some(0));
}

/// M: the whole of DAOS's list, in TOML and in DAOS's own form, by DAOS's names.
#[test]
fn the_two_forms_of_daoss_list_are_equal() {
    let [toml, header] = daos();
    assert_eq!(outline(&toml), outline(&header));
    for (module, id, name) in
        [("sec_agent", 101, "request_creds"), ("mgmt", 226, "pool_reint"), ("sec", 401, "validate_creds")]
    {
        let method = header.module_named(module).and_then(|module| module.method(id));
        assert_eq!(method.map(|method| method.name.as_str()), Some(name));
    }
    let counts: Vec<_> = toml
        .modules()
        .iter()
        .map(|module| (module.id, module.methods.len(), module.reserved.len()))
        .collect();
    assert_eq!(counts, [(0, 0, 0), (1, 1, 0), (2, 46, 6), (3, 10, 1), (4, 1, 0)]);
}

#[test]
fn a_cpp_header_is_a_header() {
    let text = sample().to_c_header();
    for path in ["modules.hpp", "modules.hh", "modules.hxx", "MODULES.H"] {
        assert_eq!(outline(&parse(path, &text)), outline(&parse("modules.h", &text)), "{path}");
    }
}

/// Whoever has a header need not write it anew: every way to write an `enum` that C has comes to the same, for us as for the compiler.
#[test]
fn an_enum_is_read_however_c_lets_it_be_written() {
    let entries = fs::read_dir(folder("tests/headers")).expect("the folder of headers");
    let paths: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    assert!(paths.len() >= 10);
    let output = scratch("headers");
    for path in paths {
        let registry = Registry::load(&path).expect("a good header");
        let greeter = registry.modules().first().expect("a module");
        let ids = ["hello", "bye"].map(|name| greeter.method_named(name).map(|method| method.id));
        let found = (registry.modules().len(), greeter.id, greeter.name.as_str(), greeter.methods.len(), ids);
        assert_eq!(found, (1, 5, "greeter", 2, [Some(501), Some(502)]), "{}", path.display());

        let is_cpp = path.extension().is_some_and(|extension| extension == "hpp");
        let (compiler, standard) = if is_cpp { ("g++", "-std=c++20") } else { ("gcc", "-std=c2x") };
        let Some(compiler) = program(compiler, "--version") else { continue };
        let scope = if is_cpp { "(int)daos::ids::drpc_greeter_method::" } else { "" };
        let using = if is_cpp { "using namespace daos::ids;" } else { "" };
        let check = format!(
            "#include {path:?}\n{using}\n\
             _Static_assert(DRPC_MODULE_GREETER == 5 && {scope}DRPC_METHOD_GREETER_HELLO == 501, \"\");\n\
             _Static_assert({scope}DRPC_METHOD_GREETER_BYE == 502, \"\");\n"
        );
        let file = output.join(if is_cpp { "check.cpp" } else { "check.c" });
        fs::write(
            &file,
            check.replace("_Static_assert", if is_cpp { "static_assert" } else { "_Static_assert" }),
        )
        .expect("a writable folder");
        succeed(Command::new(&compiler).args([standard, "-fsyntax-only"]).arg(&file));
    }
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    for (path, text) in [("modules.toml", sample().to_toml()), ("modules.h", sample().to_c_header())] {
        assert_eq!(outline(&parse(path, &format!("\u{feff}{text}"))), outline(&parse(path, &text)), "{path}");
    }
}

#[test]
fn from_header_to_toml_and_back_nothing_changes() {
    for header in [daos()[1].to_c_header(), sample().to_c_header()] {
        let toml = parse("modules.h", &header).to_toml();
        let again = parse("modules.toml", &toml).to_c_header();
        assert_eq!(again, header);
        assert_eq!(parse("modules.h", &again).to_toml(), toml);
    }
}

#[test]
fn toml_is_its_own_sorted_form() {
    for registry in daos().into_iter().chain([sample()]) {
        let toml = registry.to_toml();
        assert_eq!(parse("modules.toml", &toml).to_toml(), toml);
    }
}

#[test]
fn a_c_compiler_has_no_complaint() {
    let Some(gcc) = program("gcc", "--version") else { return };
    let output = scratch("c");
    for (name, registry) in named_registries() {
        let file = output.join(format!("{name}.h"));
        fs::write(&file, registry.to_c_header()).expect("a writable folder");
        let mut gcc = Command::new(&gcc);
        gcc.args(["-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only", "-x", "c", "-include"]);
        succeed(gcc.arg(&file).arg("/dev/null"));
    }
}

#[test]
fn python_has_the_numbers() {
    let Some(python) = program("python3", "--version") else { return };
    let output = scratch("python");
    for (name, registry) in named_registries() {
        let constants = registry.to_python();
        let first = registry.modules().iter().min_by_key(|module| module.id);
        let check = first.map_or_else(String::new, |module| {
            format!("assert Module.{} == {}\n", module.name.to_uppercase(), module.id)
        });
        let file = output.join(format!("{name}.py"));
        fs::write(&file, format!("{constants}\n\n{check}")).expect("a writable folder");
        succeed(Command::new(&python).args(["-W", "error"]).arg(&file));
    }
}

/// The constants are laid out as `gofmt` would, and `go vet` has no complaint.
#[test]
fn gos_own_tools_have_no_complaint() {
    let Some(go) = program("go", "version") else { return };
    let root = succeed(Command::new(&go).args(["env", "GOROOT"]));
    let gofmt = Path::new(root.trim()).join("bin/gofmt");
    let output = scratch("go");
    for (name, registry) in named_registries() {
        let package = output.join(name);
        fs::create_dir_all(&package).expect("a writable folder");
        let file = package.join("modules.go");
        fs::write(&file, registry.to_go(&"modules".parse().expect("a good name")))
            .expect("a writable folder");
        fs::write(package.join("go.mod"), "module modules\n\ngo 1.18\n").expect("a writable folder");
        let laid_out = succeed(Command::new(&gofmt).arg("-d").arg(&file));
        assert_eq!(laid_out, "", "{name}");
        succeed(Command::new(&go).args(["vet", "./..."]).current_dir(&package));
    }
}

/// The constants raise no warning where none of them is used.
#[test]
fn a_rust_compiler_has_no_complaint() {
    let output = scratch("rust");
    for (name, registry) in named_registries() {
        let generated = output.join(format!("{name}_registry.rs"));
        fs::write(&generated, registry.to_rust()).expect("a writable folder");
        let user = output.join(format!("{name}.rs"));
        let text = format!(
            "//! A crate that is strict and uses nothing.\n#![deny(warnings, missing_docs, unreachable_pub, unused)]\n\
             mod registry {{ include!({generated:?}); }}\n"
        );
        fs::write(&user, text).expect("a writable folder");
        let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        rustc.args(["--edition", "2024", "--crate-type", "lib", "--emit", "metadata", "--out-dir"]);
        succeed(rustc.arg(&output).arg(&user));
    }
}

fn sample() -> Registry {
    Registry::load(folder("tests/forms/sample.toml")).expect("a good registry")
}

/// DAOS's list, as TOML and as a header.
fn daos() -> [Registry; 2] {
    ["modules.toml", "drpc_modules.h"]
        .map(|name| Registry::load(folder("../proto/daos").join(name)).expect("a good registry"))
}

fn named_registries() -> [(&'static str, Registry); 3] {
    let [daos, _] = daos();
    [("sample", sample()), ("daos", daos), ("empty", parse("modules.toml", ""))]
}

fn parse(path: &str, text: &str) -> Registry {
    Registry::parse(path, text).expect("what was written can be read")
}

/// All that both forms can hold, besides the reasons of reservations.
fn outline(registry: &Registry) -> Vec<String> {
    let module = |module: &ModuleEntry| {
        let methods =
            module.methods.iter().map(|method| format!("{} {} {}", method.id, method.name, method.doc));
        let reserved = module.reserved.iter().map(|reserved| format!("{} reserved", reserved.id));
        let mut members: Vec<_> = methods.chain(reserved).collect();
        members.insert(0, format!("{} {} {}", module.id, module.name, module.doc));
        members
    };
    registry.modules().iter().flat_map(module).collect()
}

fn scratch(name: &str) -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("a writable target folder");
    folder
}

/// A program, if this machine has it; else it is said that the test is skipped.
fn program(name: &str, version: &str) -> Option<String> {
    let found = Command::new(name).arg(version).output().is_ok();
    if !found {
        eprintln!("skipped: there is no {name}");
    }
    found.then(|| name.to_owned())
}

/// Runs a program, which must succeed, and gives what it prints.
fn succeed(command: &mut Command) -> String {
    let output = command.output().expect("a program that runs");
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}
