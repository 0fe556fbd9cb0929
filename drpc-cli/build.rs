//! Compiles DAOS's messages, which `--daos` knows, into the tool.

use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;

use prost::Message;

const FOLDER: &str = "daos";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={FOLDER}");
    let mut files = Vec::new();
    for entry in fs::read_dir(FOLDER)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    files.sort();
    let mut compiler = protox::Compiler::new([FOLDER])?;
    compiler.include_imports(true).include_source_info(true).open_files(&files)?;
    let mut set = compiler.file_descriptor_set();
    for info in set.file.iter_mut().filter_map(|file| file.source_code_info.as_mut()) {
        // Comments are what `drpc describe` shows; where all else stood would be most of what is read at each start.
        info.location
            .retain(|location| location.leading_comments.is_some() || location.trailing_comments.is_some());
        info.location.iter_mut().for_each(|location| location.span.clear());
    }
    let out = env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    fs::write(Path::new(&out).join("daos.bin"), set.encode_to_vec())?;
    Ok(())
}
