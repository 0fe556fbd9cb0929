//! From `.proto` files to prost messages, without protoc.

use std::fs;
use std::path::{Path, PathBuf};

use protox::Compiler;

use crate::error::Failure;
use crate::{descriptors, leftovers};

/// Compiles the files and answers with all that were read, imported ones included.
pub(crate) fn compile(
    config: &mut prost_build::Config,
    protos: &[&Path],
    includes: &[&Path],
    out_dir: &Path,
) -> Result<Vec<PathBuf>, Vec<Failure>> {
    let mut compiler = Compiler::new(includes).map_err(|error| vec![Failure::Proto(error)])?;
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
    let descriptors = compiler.file_descriptor_set();
    for file in &descriptors.file {
        // prost-build names a file after its package.
        let package = file.package.as_deref().filter(|package| !package.is_empty()).unwrap_or("_");
        leftovers::note(out_dir, &format!("{package}.rs"))
            .map_err(|error| vec![Failure::write(out_dir, error)])?;
    }
    // Comments are no part of what a message is.
    let without_comments = compiler.include_source_info(false).encode_file_descriptor_set();
    descriptors::add(out_dir, &without_comments).map_err(|error| vec![error])?;
    // By its name in protobuf, a message in a handler's signature is found among the descriptors.
    config.enable_type_names();
    config.compile_fds(descriptors).map_err(|error| vec![Failure::Generate(error)])?;
    Ok(compiler.files().filter_map(|file| file.path().map(Path::to_owned)).collect())
}

/// A file that does not exist is not "in no include path".
fn explain(proto: &Path, includes: &[&Path], error: protox::Error) -> Failure {
    let exists = proto.exists() || includes.iter().any(|include| include.join(proto).exists());
    match fs::metadata(proto) {
        Err(missing) if error.is_file_not_found() && !exists => Failure::read(proto, missing),
        _ => Failure::Proto(error),
    }
}
