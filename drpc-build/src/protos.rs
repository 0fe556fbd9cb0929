//! From `.proto` files to prost messages, without protoc.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::{env, fs};

use drpc_registry::{Manifests, doc_text};
use prost_build::{Module, Service, ServiceGenerator};
use protox::Compiler;
use protox::prost_reflect::prost_types::FileDescriptorSet;

use crate::error::Failure;
use crate::write::write_if_changed;
use crate::{descriptors, leftovers, watch};

/// What cargo should hear of.
pub(crate) struct Compiled {
    /// The files that were read, imported ones included, and the folders where another one could appear.
    pub(crate) inputs: Vec<PathBuf>,
    pub(crate) warnings: Vec<String>,
}

/// The services that nobody makes code of.
#[derive(Clone, Default)]
pub(crate) struct Services(Rc<RefCell<Vec<String>>>);

/// prost-build asks for one generator of services at most: this one is asked unless a build script sets its own.
impl ServiceGenerator for Services {
    fn generate(&mut self, service: Service, _code: &mut String) {
        let methods: Vec<_> = service
            .methods
            .iter()
            .map(|method| {
                format!(
                    "`{}({}) -> {}`",
                    method.name.trim_start_matches("r#"),
                    method.input_type,
                    method.output_type
                )
            })
            .collect();
        self.0.borrow_mut().push(format!(
            "no code is made of service `{}` of package `{}`: write an `impl` block with `#[drpc_module(id = …)]`, and in it a \
             handler with `#[method(…)]` for {}",
            service.proto_name,
            service.package,
            if methods.is_empty() { "each method".to_owned() } else { methods.join(", ") },
        ));
    }
}

/// Compiles the files, whose imports are looked for in `includes`.
pub(crate) fn compile(
    config: &mut prost_build::Config,
    services: &Services,
    protos: &[&Path],
    includes: &[&Path],
    out_dir: &Path,
) -> Result<Compiled, Vec<Failure>> {
    let mut compiler = Compiler::new(includes).map_err(|error| vec![Failure::proto(error, None)])?;
    compiler.include_source_info(true).include_imports(true);
    let mut failures: Vec<Failure> = Vec::new();
    for proto in protos {
        if let Err(error) = compiler.open_file(proto) {
            let failure = explain(proto, includes, error);
            // Two files that import a third both report its mistake.
            if !failures.iter().any(|known| known.to_string() == failure.to_string()) {
                failures.push(failure);
            }
        }
    }
    if !failures.is_empty() {
        return Err(failures);
    }
    let mut descriptors = compiler.file_descriptor_set();
    plain_comments(&mut descriptors);
    let packages = packages(&descriptors);
    // By its name in protobuf, a message in a handler's signature is found among the descriptors.
    config.enable_type_names();
    write(config, descriptors, &packages, out_dir).map_err(|failure| vec![failure])?;

    let mut warnings = services.0.take();
    let mut inputs: Vec<PathBuf> =
        compiler.files().filter_map(|file| file.path().map(Path::to_owned)).collect();
    inputs.extend(watch::folders(includes, &inputs, out_dir));
    if let Some(manifests) = manifests() {
        warnings.extend(missing_crate(&packages, manifests.of_package(), out_dir));
        // They say what the messages call the crate.
        inputs.extend(manifests.paths().map(Path::to_owned));
    }
    // Comments are no part of what a message is.
    let without_comments = compiler.include_source_info(false).encode_file_descriptor_set();
    descriptors::add(out_dir, &without_comments).map_err(|error| vec![error])?;
    Ok(Compiled { inputs, warnings })
}

/// The packages of which code may be made, as the files have them; `_` for none.
fn packages(descriptors: &FileDescriptorSet) -> BTreeSet<String> {
    let files = descriptors.file.iter().filter(|file| {
        !(file.message_type.is_empty() && file.enum_type.is_empty() && file.service.is_empty())
    });
    let named = files.map(|file| file.package());
    named.map(|package| if package.is_empty() { "_" } else { package }.to_owned()).collect()
}

/// Makes code of comments, which are Markdown to rustdoc: what looks like an example there is none.
fn plain_comments(descriptors: &mut FileDescriptorSet) {
    let sources = descriptors.file.iter_mut().filter_map(|file| file.source_code_info.as_mut());
    for location in sources.flat_map(|source| &mut source.location) {
        let comments = location.leading_comments.iter_mut().chain(&mut location.trailing_comments);
        for comment in comments.chain(&mut location.leading_detached_comments) {
            *comment = doc_text(comment);
        }
    }
}

/// Writes a file for each package, which `include_proto!` finds by the package's name.
fn write(
    config: &mut prost_build::Config,
    descriptors: FileDescriptorSet,
    packages: &BTreeSet<String>,
    out_dir: &Path,
) -> Result<(), Failure> {
    for package in packages {
        for name in [file_of(package), format!("{package}.rs")] {
            leftovers::note(out_dir, &name).map_err(|error| Failure::write(out_dir, error))?;
        }
    }
    config.compile_fds(descriptors).map_err(Failure::Generate)?;
    for package in packages {
        // prost-build spells file names as it spells modules: `daos_api.r#type.rs`.
        let (file, by_package) = (file_of(package), format!("{package}.rs"));
        if file != by_package && out_dir.join(&file).exists() {
            let path = out_dir.join(by_package);
            write_if_changed(&path, format!("include!({file:?});\n").as_bytes())
                .map_err(|error| Failure::write(&path, error))?;
        }
    }
    Ok(())
}

/// The name of the file that prost-build makes of a package.
fn file_of(package: &str) -> String {
    let package = if package == "_" { "" } else { package };
    Module::from_protobuf_package_name(package).to_file_name_or("_")
}

/// What says how the package depends on others; nothing outside of cargo.
pub(crate) fn manifests() -> Option<Manifests> {
    Manifests::read(env::var_os("CARGO_MANIFEST_DIR")?.as_ref()).ok()
}

/// What to say if the messages need a crate that the package doesn't seem to have: the well-known types are in one of their own.
fn missing_crate(packages: &BTreeSet<String>, dependencies: &str, out_dir: &Path) -> Option<String> {
    let needs_it = |package: &&String| {
        fs::read_to_string(out_dir.join(file_of(package))).is_ok_and(|code| code.contains("::prost_types::"))
    };
    let package = packages.iter().find(needs_it)?;
    let warning = format!(
        "package `{package}` has fields of `google.protobuf`'s types, which are in the crate prost-types: add `prost-types = \
         \"0.14\"` under [dependencies]"
    );
    let has_it = dependencies.contains("prost-types") || dependencies.contains("prost_types");
    (!has_it).then_some(warning)
}

/// Adds to an error what to do, where protox doesn't say so.
fn explain(proto: &Path, includes: &[&Path], error: protox::Error) -> Failure {
    // A file that does not exist is not "in no include path".
    let exists = proto.exists() || includes.iter().any(|include| include.join(proto).exists());
    if error.is_file_not_found()
        && !exists
        && let Err(missing) = fs::metadata(proto)
    {
        return Failure::read(proto, missing);
    }
    let text = error
        .file()
        .and_then(|name| includes.iter().find_map(|include| fs::read_to_string(include.join(name)).ok()));
    let help = match text {
        Some(text) if text.starts_with('\u{feff}') => {
            Some("save the file as UTF-8 without a byte-order mark, which it begins with")
        }
        Some(text) if error.is_parse() && says_edition(&text) => {
            Some("write `syntax = \"proto3\";` in place of `edition = …;`: editions are not supported")
        }
        _ => None,
    };
    Failure::proto(error, help)
}

/// Whether a line begins with `edition = "…"`.
fn says_edition(text: &str) -> bool {
    text.lines()
        .filter_map(|line| line.trim_start().strip_prefix("edition"))
        .any(|rest| rest.trim_start().starts_with('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_names_the_crate_for_its_members() {
        let root = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let of_member = || Manifests::read(&root.path().join("crates/member")).unwrap();
        put(
            "Cargo.toml",
            "[workspace.dependencies]\nmy-rpc = { package = \"drpc-uds\", version = \"1\" }\nother = \"1\"",
        );
        put("crates/member/Cargo.toml", "[dependencies]\nmy-rpc.workspace = true");
        assert_eq!(of_member().name_of_drpc().as_deref(), Some("my_rpc"));
        let paths = ["crates/member/Cargo.toml", "Cargo.toml"].map(|name| root.path().join(name));
        assert!(of_member().paths().eq(&paths));

        put("crates/Cargo.toml", "[package]\nname = \"no_workspace\"");
        assert_eq!(of_member().name_of_drpc().as_deref(), Some("my_rpc"));

        put("crates/member/Cargo.toml", "[dependencies]\nmy-rpc = \"1\"");
        assert_eq!(of_member().name_of_drpc(), None);
        assert!(of_member().paths().eq(&paths[..1]));
    }
}
