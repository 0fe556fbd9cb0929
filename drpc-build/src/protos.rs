//! From `.proto` files to prost messages, without protoc.

use std::fs;
use std::path::{Path, PathBuf};

use protox::Compiler;

use crate::error::Failure;

/// Compiles the files and answers with all that were read, imported ones included.
pub(crate) fn compile(
    config: &mut prost_build::Config,
    protos: &[&Path],
    includes: &[&Path],
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
    config.compile_fds(compiler.file_descriptor_set()).map_err(|error| vec![Failure::Generate(error)])?;
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
