//! What a build script asks for, and the order in which it is done.

use std::path::{Path, PathBuf};
use std::{env, fs};

use drpc_registry::{GoPackage, Registry};

use crate::error::{Error, Failure};
use crate::protos::{self, Services};
use crate::write::{date_back, write_if_changed};
use crate::{descriptors, leftovers};

/// Begins to configure a build script.
pub fn configure() -> Builder {
    let services = Services::default();
    let mut prost = prost_build::Config::new();
    prost.service_generator(Box::new(services.clone()));
    let has_feature = |feature: &str| {
        env::var_os(format!("CARGO_FEATURE_{}", feature.to_uppercase().replace('-', "_"))).is_some()
    };
    if let Some(drpc) = protos::manifests().and_then(|manifests| manifests.name_of_drpc_with(has_feature)) {
        prost.prost_path(format!("::{drpc}::prost"));
    }
    Builder { registry: None, outputs: Vec::new(), prost, services, out_dir: None, failures: Vec::new() }
}

/// The configuration of a build script; [`configure`] begins it.
#[must_use = "nothing happens before `compile_protos` or `generate`"]
pub struct Builder {
    registry: Option<PathBuf>,
    outputs: Vec<Output>,
    prost: prost_build::Config,
    /// What is left out of the messages.
    services: Services,
    out_dir: Option<PathBuf>,
    /// What is wrong with the configuration itself.
    failures: Vec<Failure>,
}

/// A further file to make of the registry.
struct Output {
    path: PathBuf,
    write: Box<dyn Fn(&Registry) -> String>,
}

impl Builder {
    /// Checks the registry at `path`, generates constants from it, and tells `#[drpc_module]` where it is.
    ///
    /// A path that ends in `.h` (or `.hh`, `.hpp`, `.hxx`) is read as a C header of DAOS's form, any other as TOML. The
    /// constants are included with `drpc::include_registry!()`; see [`Registry::to_rust`].
    pub fn registry(mut self, path: impl Into<PathBuf>) -> Self {
        self.registry = Some(path.into());
        self
    }

    /// Also writes the registry as a C header; see [`Registry::to_c_header`].
    ///
    /// Paths are relative to the package, as everywhere here. A file that would not change is not touched.
    pub fn c_header(self, path: impl Into<PathBuf>) -> Self {
        self.output(path, Registry::to_c_header)
    }

    /// Also writes the registry as Go constants of the package named; see [`Registry::to_go`].
    ///
    /// The path is relative to the package. A file that would not change is not touched. A name that is not valid for a Go package
    /// is an error of [`compile_protos`](Self::compile_protos) and [`generate`](Self::generate).
    pub fn go(mut self, path: impl Into<PathBuf>, package: impl AsRef<str>) -> Self {
        match package.as_ref().parse::<GoPackage>() {
            Ok(package) => self.output(path, move |registry| registry.to_go(&package)),
            Err(error) => {
                self.failures.push(Failure::GoPackage(error));
                self
            }
        }
    }

    /// Also writes the registry as a Markdown table; see [`Registry::to_markdown`].
    ///
    /// The path is relative to the package. A file that would not change is not touched.
    pub fn markdown(self, path: impl Into<PathBuf>) -> Self {
        self.output(path, Registry::to_markdown)
    }

    /// Configures prost-build.
    ///
    /// Generated messages use `drpc::prost`, under the name that Cargo.toml gives the `drpc` crate; in a package that does not depend on it, or in a build without the
    /// feature that brings it along, they use `prost`. Set `prost_path` for another.
    ///
    /// If you set a service generator, the warning about services is not shown.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), drpc_build::Error> {
    /// drpc_build::configure()
    ///     .prost(|config| {
    ///         config.bytes(["."]);
    ///     })
    ///     .compile_protos(&["proto/hello.proto"], &["proto"])
    /// # }
    /// ```
    pub fn prost(mut self, set: impl FnOnce(&mut prost_build::Config)) -> Self {
        set(&mut self.prost);
        self
    }

    /// Writes the messages and constants to `path` instead of `OUT_DIR`.
    pub fn out_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.out_dir = Some(path.into());
        self
    }

    /// Does everything configured, and generates prost messages from `protos`, whose imports are searched in `includes`.
    ///
    /// The messages of a package `hello` are written to `hello.rs`, and included with `drpc::include_proto!("hello")`. The name is what
    /// the file says after `package`, even `daosApi.type`. Code in comments becomes plain text, never a doctest. Fields with
    /// `google.protobuf` types need the crate `prost-types`; a cargo warning says so if it is missing.
    ///
    /// # Errors
    ///
    /// One error with every mistake in the registry and in the `.proto` files, or with the reason why a file could
    /// not be read or written.
    pub fn compile_protos(
        self,
        protos: &[impl AsRef<Path>],
        includes: &[impl AsRef<Path>],
    ) -> Result<(), Error> {
        let protos: Vec<_> = protos.iter().map(AsRef::as_ref).collect();
        let includes: Vec<_> = includes.iter().map(AsRef::as_ref).collect();
        self.run(&protos, &includes)?.print();
        Ok(())
    }

    /// Does everything configured, without any `.proto` files.
    ///
    /// # Errors
    ///
    /// One error with every mistake in the registry, or with the reason why a file could not be read or written.
    pub fn generate(self) -> Result<(), Error> {
        self.run(&[], &[])?.print();
        Ok(())
    }

    fn output(mut self, path: impl Into<PathBuf>, write: impl Fn(&Registry) -> String + 'static) -> Self {
        self.outputs.push(Output { path: path.into(), write: Box::new(write) });
        self
    }

    /// Does everything but talk to cargo. A failed half does not keep the other from reporting its own mistakes.
    fn run(mut self, protos: &[&Path], includes: &[&Path]) -> Result<Directives, Error> {
        let out_dir = match self.out_dir.take().or_else(|| env::var_os("OUT_DIR").map(PathBuf::from)) {
            Some(out_dir) => out_dir,
            None => return Err(Failure::NoOutDir.into()),
        };
        self.prost.out_dir(&out_dir);
        let mut directives = Directives::default();
        let mut failures = std::mem::take(&mut self.failures);
        failures.extend(self.run_registry(&out_dir, &mut directives).err());
        // An empty path is the folder where the script runs.
        let is_missing = |include: &&&Path| !include.as_os_str().is_empty() && !include.is_dir();
        let missing: Vec<_> =
            includes.iter().filter(is_missing).map(|include| include.to_path_buf()).collect();
        if !missing.is_empty() {
            failures.extend(missing.into_iter().map(Failure::NoInclude));
        } else if !protos.is_empty() || !includes.is_empty() {
            match protos::compile(&mut self.prost, &self.services, protos, includes, &out_dir) {
                Ok(compiled) => {
                    directives.inputs.extend(compiled.inputs);
                    directives.warnings = compiled.warnings;
                }
                Err(mistakes) => failures.extend(mistakes),
            }
        } else if failures.is_empty() {
            failures.extend(descriptors::add(&out_dir, &[]).err());
        }
        if failures.is_empty() {
            // Only now: what is wrong today was made yesterday, and perhaps is kept in the repository.
            failures.extend(leftovers::remove(&out_dir).err().map(|error| Failure::write(&out_dir, error)));
        }
        if failures.is_empty() { Ok(directives) } else { Err(Error::new(failures)) }
    }

    fn run_registry(&self, out_dir: &Path, directives: &mut Directives) -> Result<(), Failure> {
        let Some(path) = &self.registry else {
            return match self.outputs.first() {
                Some(output) => Err(Failure::NoRegistry(output.path.clone())),
                None => Ok(()),
            };
        };
        let registry = Registry::load(path).map_err(|error| Failure::registry(path, error))?;
        let absolute = fs::canonicalize(path).map_err(|error| Failure::read(path, error))?;
        let is_registry =
            |output: &&Output| fs::canonicalize(&output.path).is_ok_and(|output| output == absolute);
        if let Some(output) = self.outputs.iter().find(is_registry) {
            return Err(Failure::IsRegistry(output.path.clone()));
        }
        let put = |path: &Path, text: String| {
            write_if_changed(path, text.as_bytes()).map_err(|error| Failure::write(path, error))
        };
        let constants = "drpc_registry.rs";
        leftovers::note(out_dir, constants).map_err(|error| Failure::write(out_dir, error))?;
        put(&out_dir.join(constants), registry.to_rust())?;
        directives.inputs.push(path.clone());
        for output in &self.outputs {
            put(&output.path, (output.write)(&registry))?;
            date_back(&output.path, out_dir);
            // Who edits or removes it, has it made again.
            directives.inputs.push(output.path.clone());
        }
        directives.registry = Some(absolute);
        Ok(())
    }
}

/// What cargo has to be told.
#[derive(Debug, Default)]
struct Directives {
    /// The files and folders whose change makes the script run again: what it reads, and what it makes outside of `OUT_DIR`.
    inputs: Vec<PathBuf>,
    /// Where `#[drpc_module]` finds the registry.
    registry: Option<PathBuf>,
    /// What a user should hear of, though the build goes on.
    warnings: Vec<String>,
}

impl Directives {
    fn print(&self) {
        for input in &self.inputs {
            println!("cargo::rerun-if-changed={}", input.display());
        }
        for warning in &self.warnings {
            println!("cargo::warning={warning}");
        }
        if let Some(registry) = &self.registry {
            println!("cargo::rustc-env=DRPC_BUILD_REGISTRY={}", registry.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io;
    use std::time::{Duration, SystemTime};

    use super::*;

    const REGISTRY: &str =
        "[[module]]\nid = 5\nname = \"greeter\"\nmethod = [{ number = 1, name = \"hello\" }]\n";
    const PROTO: &str = "syntax = \"proto3\";\npackage hello;\nimport \"names.proto\";\n\
                         message Hello { names.Name name = 1; }\n";
    const IMPORTED: &str = "syntax = \"proto3\";\npackage names;\nimport \"google/protobuf/empty.proto\";\n\
                            message Name { string first = 1; }\n";

    /// A package with a registry and two `.proto` files.
    fn package() -> tempfile::TempDir {
        let package = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(package.path().join("out")).expect("a new folder");
        put(&package, "modules.toml", REGISTRY);
        put(&package, "hello.proto", PROTO);
        put(&package, "names.proto", IMPORTED);
        package
    }

    fn put(package: &tempfile::TempDir, name: &str, text: &str) {
        fs::write(package.path().join(name), text).expect("a writable folder");
    }

    fn get(package: &tempfile::TempDir, name: &str) -> String {
        fs::read_to_string(package.path().join("out").join(name)).expect("a file that was written")
    }

    fn configured(package: &tempfile::TempDir) -> Builder {
        configure().registry(package.path().join("modules.toml")).out_dir(package.path().join("out"))
    }

    fn run(builder: Builder, package: &tempfile::TempDir) -> Result<Directives, String> {
        let proto = package.path().join("hello.proto");
        let result = builder.run(&[&proto], &[package.path()]);
        // The folder has another name each time.
        result.map_err(|error| format!("{error:?}").replace(&package.path().display().to_string(), "PACKAGE"))
    }

    #[test]
    fn a_script_makes_messages_and_constants() {
        let package = package();
        let beside = |name: &str| package.path().join("out").join(name);
        let builder = configured(&package)
            .c_header(beside("include/modules.h"))
            .go(beside("ids.go"), "ids")
            .markdown(beside("ids.md"));
        run(builder, &package).expect("nothing is wrong");
        assert!(get(&package, "drpc_registry.rs").contains("pub const HELLO: i32 = 501;"));
        assert!(get(&package, "hello.rs").contains("pub struct Hello {"));
        assert!(get(&package, "names.rs").contains("pub struct Name {"));
        assert!(get(&package, "include/modules.h").contains("DRPC_METHOD_GREETER_HELLO = 501"));
        assert!(get(&package, "ids.go").contains("package ids\n"));
        assert!(get(&package, "ids.md").contains("| `hello` |"));
    }

    #[test]
    fn cargo_hears_of_every_input_and_of_nothing_else() {
        let package = package();
        let directives = run(configured(&package), &package).expect("nothing is wrong");
        let inputs = ["modules.toml", "names.proto", "hello.proto"].map(|name| package.path().join(name));
        // What the messages call the crate, the package's own manifest says.
        let manifests = protos::manifests().expect("is run by cargo");
        assert!(manifests.paths().next().is_some());
        let expected = inputs.iter().map(PathBuf::as_path).chain(manifests.paths());
        assert!(directives.inputs.iter().eq(expected), "{:?}", directives.inputs);
        assert_eq!(directives.registry, fs::canonicalize(&inputs[0]).ok());
    }

    #[test]
    fn each_half_does_without_the_other() {
        let package = package();
        let directives = configured(&package).run(&[], &[]).expect("nothing is wrong");
        assert_eq!(directives.inputs, [package.path().join("modules.toml")]);

        let directives =
            run(configure().out_dir(package.path().join("out")), &package).expect("nothing is wrong");
        let manifests = protos::manifests().expect("is run by cargo");
        assert_eq!(directives.inputs.len(), 2 + manifests.paths().count());
        assert_eq!(directives.registry, None);
    }

    /// The end of the script: what comes next is another run of it.
    fn end_of_run(package: &tempfile::TempDir) {
        leftovers::forget(&package.path().join("out"));
        descriptors::forget(&package.path().join("out"));
    }

    /// What lies in the output folder, each with the time when it was written.
    fn made(package: &tempfile::TempDir) -> BTreeMap<String, SystemTime> {
        let entries = fs::read_dir(package.path().join("out")).expect("a readable folder");
        let entry = |entry: io::Result<fs::DirEntry>| {
            let entry = entry.expect("a readable folder");
            let written = entry.metadata().and_then(|file| file.modified()).expect("a file's time");
            (entry.file_name().into_string().expect("our own name"), written)
        };
        entries.map(entry).collect()
    }

    #[test]
    fn an_unchanged_file_is_not_touched() {
        let package = package();
        let proto = PROTO.replace("package hello", "package daosApi.type");
        put(&package, "hello.proto", &proto);
        let builder = || configured(&package).c_header(package.path().join("out/modules.h"));
        run(builder(), &package).expect("nothing is wrong");
        for name in made(&package).into_keys() {
            let file = fs::File::options().write(true).open(package.path().join("out").join(name));
            file.and_then(|file| file.set_modified(SystemTime::UNIX_EPOCH)).expect("our own file");
        }
        let before = made(&package);
        assert!(before.len() >= 6, "{before:?}");
        end_of_run(&package);
        run(builder(), &package).expect("nothing is wrong");
        assert_eq!(made(&package), before);
    }

    #[test]
    fn a_mistake_costs_nobody_a_file_that_was_made_before() {
        let package = package();
        run(configured(&package), &package).expect("nothing is wrong");
        let before = made(&package);
        put(&package, "modules.toml", "[[module]]\nid = 5\n");
        end_of_run(&package);
        run(configured(&package), &package).expect_err("a mistake");
        put(&package, "modules.toml", REGISTRY);
        put(&package, "hello.proto", "syntax = \"proto3\";\nmassage Hello {}\n");
        end_of_run(&package);
        run(configured(&package), &package).expect_err("another one");
        assert_eq!(made(&package), before);

        end_of_run(&package);
        configured(&package).run(&[], &[]).expect("nothing is wrong");
        assert!(!made(&package).contains_key("hello.rs"), "nobody asks for it any more");
    }

    /// Else C and Rust would have different IDs, however often one builds.
    #[test]
    fn a_file_that_was_made_of_the_registry_is_made_again_if_it_is_changed() {
        let package = package();
        let header = package.path().join("include/modules.h");
        let directives = configured(&package).c_header(&header).run(&[], &[]).expect("nothing is wrong");
        assert_eq!(directives.inputs, [package.path().join("modules.toml"), header.clone()]);
        let text = fs::read_to_string(&header).expect("a file that was written");
        fs::write(&header, text.replace("501", "502")).expect("our own file");
        configured(&package).c_header(&header).run(&[], &[]).expect("nothing is wrong");
        assert_eq!(fs::read_to_string(&header).expect("a file that was written"), text);
    }

    #[test]
    fn a_file_that_was_just_made_is_no_reason_to_run_again() {
        let package = package();
        let [begun, header] = ["invoked.timestamp", "modules.h"].map(|name| package.path().join(name));
        let before = SystemTime::now() - Duration::from_secs(60);
        fs::File::create(&begun).and_then(|file| file.set_modified(before)).expect("our own file");
        configured(&package).c_header(&header).run(&[], &[]).expect("nothing is wrong");
        let written = || fs::metadata(&header).and_then(|file| file.modified()).expect("our own file");
        assert_eq!(written(), before);
        let edited = before - Duration::from_secs(60);
        let file = fs::File::options().write(true).open(&header).expect("our own file");
        file.set_modified(edited).expect("our own file");
        configured(&package).c_header(&header).run(&[], &[]).expect("nothing is wrong");
        assert_eq!(written(), edited, "what was not written stays as it is");
    }

    #[test]
    fn the_registry_itself_is_not_written() {
        let package = package();
        let [registry, link] = ["modules.h", "link.h"].map(|name| package.path().join(name));
        let kept = "/* ours */ enum drpc_module { DRPC_MODULE_GREETER = 5, NUM_DRPC_MODULES };\n";
        put(&package, "modules.h", kept);
        std::os::unix::fs::symlink(&registry, &link).expect("a new link");
        for output in [&registry, &link] {
            let builder = configured(&package).registry(&registry).c_header(output);
            let error = run(builder, &package).expect_err("it would be overwritten");
            let name = output.file_name().expect("a file").to_string_lossy();
            assert_eq!(
                error,
                format!(
                    "PACKAGE/{name} can't be written: it is the registry itself\n  = help: name another file, or none"
                )
            );
        }
        assert_eq!(fs::read_to_string(&registry).expect("our own file"), kept);
    }

    #[test]
    fn the_descriptors_of_all_that_was_compiled_stand_in_one_file() {
        let package = package();
        let descriptors = || fs::read(package.path().join("out/drpc_descriptors.bin")).expect("a file");
        let holds = |text: &str| descriptors().windows(text.len()).any(|bytes| bytes == text.as_bytes());
        configured(&package).run(&[], &[]).expect("nothing is wrong");
        assert_eq!(descriptors(), b"");

        put(&package, "hello.proto", &PROTO.replace("message", "// A comment.\nmessage"));
        run(configured(&package), &package).expect("nothing is wrong");
        assert!(holds("Hello") && holds("names.proto") && !holds("A comment"));
        assert!(get(&package, "hello.rs").contains("const NAME: &'static str = \"Hello\""));

        put(&package, "more.proto", "syntax = \"proto3\";\npackage more;\nmessage More {}\n");
        let more = package.path().join("more.proto");
        configured(&package).run(&[&more], &[package.path()]).expect("nothing is wrong");
        assert!(holds("Hello") && holds("More"));
    }

    #[test]
    fn prost_can_be_configured() {
        let package = package();
        let builder = configured(&package).prost(|config| {
            config.type_attribute(".", "#[derive(Eq)]");
        });
        run(builder, &package).expect("nothing is wrong");
        assert!(get(&package, "hello.rs").contains("#[derive(Eq)]"));
    }

    #[test]
    fn mistakes_in_the_registry_and_in_protos_come_together() {
        let package = package();
        put(&package, "modules.toml", "[[module]]\nid = 5\n");
        put(&package, "hello.proto", &PROTO.replace("names.Name", "names.Nam"));
        let expected = "\
the registry PACKAGE/modules.toml has 1 mistake

error: `[[module]]` without `name`
 --> PACKAGE/modules.toml:1:1
  |
1 | [[module]]
  | ^^^^^^^^^^ `name` is missing
  |
  = help: add `name = \"…\"`, in lower_snake_case

hello.proto:4:17: 'names.Nam' resolves to 'names.Nam', which is not defined";
        assert_eq!(run(configured(&package), &package).expect_err("two mistakes"), expected);
    }

    #[test]
    fn syntax_errors_and_missing_imports_name_their_place() {
        let package = package();
        put(&package, "hello.proto", "syntax = \"proto3\";\nmassage Hello {}\n");
        let error = run(configured(&package), &package).expect_err("a syntax error");
        assert!(error.starts_with("hello.proto:2:1: expected "), "{error}");

        put(&package, "hello.proto", &PROTO.replace("names.proto", "nams.proto"));
        let error = run(configured(&package), &package).expect_err("a missing import");
        assert_eq!(error, "hello.proto:3:1: import 'nams.proto' not found");
    }

    /// prost-build spells the file `daos_api.r#type.rs`.
    #[test]
    fn a_package_is_found_by_its_name_and_its_files_go_with_it() {
        let package = package();
        let out = package.path().join("out");
        put(&package, "hello.proto", &PROTO.replace("package hello", "package daosApi.type"));
        run(configured(&package), &package).expect("nothing is wrong");
        assert_eq!(get(&package, "daosApi.type.rs"), "include!(\"daos_api.r#type.rs\");\n");
        assert!(get(&package, "daos_api.r#type.rs").contains("pub struct Hello {"));

        end_of_run(&package);
        configured(&package).run(&[], &[]).expect("nothing is wrong");
        assert!(!out.join("daosApi.type.rs").exists() && !out.join("daos_api.r#type.rs").exists());
    }

    #[test]
    fn what_is_not_supported_is_named_with_what_to_do() {
        let package = package();
        put(&package, "hello.proto", &format!("\u{feff}{PROTO}"));
        let error = run(configured(&package), &package).expect_err("a byte-order mark");
        assert!(error.starts_with("hello.proto:1:1: "), "{error}");
        assert!(
            error.ends_with(
                "\n  = help: save the file as UTF-8 without a byte-order mark, which it begins with"
            ),
            "{error}"
        );

        put(&package, "hello.proto", &PROTO.replace("syntax = \"proto3\"", "edition = \"2023\""));
        let error = run(configured(&package), &package).expect_err("an edition");
        assert!(
            error.contains("  = help: write `syntax = \"proto3\";` in place of `edition = …;`"),
            "{error}"
        );
    }

    #[test]
    fn a_service_is_a_warning() {
        let package = package();
        let service = "service Greeter { rpc SayHello(Hello) returns (names.Name); }\n";
        put(&package, "hello.proto", &format!("{PROTO}{service}"));
        let warnings = run(configured(&package), &package).expect("nothing is wrong").warnings;
        assert_eq!(
            warnings,
            [
                "no code is made of service `Greeter` of package `hello`: write an `impl` block with `#[drpc_module(id = …)]`, and \
              in it a handler with `#[method(…)]` for `say_hello(Hello) -> super::names::Name`"
            ]
        );
    }

    #[test]
    fn comments_hold_no_examples() {
        let package = package();
        let comment = "// Greets:\n//\n//     let x = 1;\n//\n// ```\n// let y = 1;\n// ```\n";
        put(&package, "hello.proto", &PROTO.replace("message", &format!("{comment}message")));
        run(configured(&package), &package).expect("nothing is wrong");
        let hello = get(&package, "hello.rs");
        assert!(hello.contains("/// Greets:\n///\n/// ````text\n///      let x = 1;\n"), "{hello}");
    }

    /// This package doesn't have prost-types.
    #[test]
    fn well_known_types_need_a_crate() {
        let package = package();
        let imported = IMPORTED.replace("empty.proto", "timestamp.proto");
        put(&package, "names.proto", &imported.replace("string first", "google.protobuf.Timestamp first"));
        let warnings = run(configured(&package), &package).expect("nothing is wrong").warnings;
        assert_eq!(
            warnings,
            [
                "package `names` has fields of `google.protobuf`'s types, which are in the crate prost-types: add `prost-types = \
              \"0.14\"` under [dependencies]"
            ]
        );
        assert!(get(&package, "names.rs").contains("::prost_types::Timestamp"));
    }

    #[test]
    fn a_folder_where_a_file_may_appear_is_watched() {
        let package = package();
        let folder = |name: &str| package.path().join(name);
        fs::create_dir(folder("first")).expect("a new folder");
        fs::create_dir(folder("then")).expect("a new folder");
        fs::rename(folder("names.proto"), folder("then/names.proto")).expect("our own file");
        fs::rename(folder("hello.proto"), folder("then/hello.proto")).expect("our own file");
        let includes = [folder("first"), folder("then")];
        let includes: Vec<_> = includes.iter().map(PathBuf::as_path).collect();
        let hello = folder("then/hello.proto");
        let inputs = configured(&package).run(&[&hello], &includes).expect("nothing is wrong").inputs;
        assert!(includes.iter().all(|include| inputs.iter().any(|input| input == include)), "{inputs:?}");

        let inputs = configured(&package).run(&[], &includes).expect("nothing is wrong").inputs;
        assert_eq!(inputs[1..3], includes, "a list of files may be empty today");
    }

    /// Nobody would be told of a file that comes to stand there, and before another one.
    #[test]
    fn a_missing_include_is_named() {
        let package = package();
        let proto = package.path().join("hello.proto");
        let none = package.path().join("none");
        let error = configured(&package).run(&[&proto], &[package.path(), &none]).expect_err("not there");
        let expected = format!(
            "there is no include folder {}\n  = help: make it, correct the path, or leave it out",
            none.display()
        );
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_missing_proto_is_named() {
        let package = package();
        fs::remove_file(package.path().join("hello.proto")).expect("our own file");
        let expected = "can't read PACKAGE/hello.proto: No such file or directory (os error 2)";
        assert_eq!(run(configured(&package), &package).expect_err("a missing file"), expected);
    }

    #[test]
    fn a_proto_outside_of_the_includes_is_named() {
        let package = package();
        let proto = package.path().join("hello.proto");
        let error =
            configured(&package).run(&[&proto], &[&package.path().join("out")]).expect_err("not included");
        assert!(error.to_string().ends_with("hello.proto' is not in any include path"), "{error}");
    }

    #[test]
    fn a_go_package_has_a_name_that_go_takes() {
        let package = package();
        let error = configured(&package).go("ids.go", "my ids").generate().expect_err("no name");
        assert!(error.to_string().starts_with("`my ids` can't be the name of a Go package"), "{error}");
    }

    #[test]
    fn an_output_needs_a_registry() {
        let error = configure().out_dir("out").c_header("modules.h").generate().expect_err("no registry");
        assert_eq!(
            error.to_string(),
            "modules.h can't be written: no registry is configured\n  = help: add `.registry(\"…\")`"
        );
    }
}
