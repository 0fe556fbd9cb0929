//! Generates the code of the peers that use Protocol Buffers, without protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=proto");
    #[cfg(feature = "grpc")]
    for_tonic()?;
    #[cfg(feature = "peers")]
    for_ttrpc()?;
    Ok(())
}

#[cfg(feature = "grpc")]
fn for_tonic() -> Result<(), Box<dyn std::error::Error>> {
    let files = protox::compile(["proto/echo.proto", "proto/streams.proto"], ["proto"])?;
    Ok(tonic_prost_build::configure().bytes(".").compile_fds(files)?)
}

#[cfg(feature = "peers")]
fn for_ttrpc() -> Result<(), Box<dyn std::error::Error>> {
    for name in ["echo", "streams"] {
        // A folder of its own: tonic's file has the same name.
        let folder = std::path::PathBuf::from(std::env::var("OUT_DIR")?).join("ttrpc").join(name);
        std::fs::create_dir_all(&folder)?;
        // Its own list of modules can't be included in the midst of a crate.
        std::fs::write(folder.join("modules.rs"), format!("pub mod {name};\npub mod {name}_ttrpc;\n"))?;
        ttrpc_codegen::Codegen::new()
            .out_dir(folder)
            .input(format!("proto/{name}.proto"))
            .include("proto")
            .rust_protobuf()
            .rust_protobuf_customize(
                ttrpc_codegen::ProtobufCustomize::default().tokio_bytes(true).gen_mod_rs(false),
            )
            .customize(ttrpc_codegen::Customize { async_all: true, ..Default::default() })
            .run()?;
    }
    Ok(())
}
