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
    // Comments are what `drpc describe` shows.
    compiler.include_imports(true).include_source_info(true).open_files(&files)?;
    let out = env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    fs::write(Path::new(&out).join("daos.bin"), compiler.file_descriptor_set().encode_to_vec())?;
    Ok(())
}
