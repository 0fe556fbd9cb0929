//! Checks the registry, and makes messages and constants.

fn main() -> Result<(), drpc_build::Error> {
    drpc_build::configure()
        .registry("../proto/modules.toml")
        .compile_protos(&["../proto/hello.proto"], &["../proto"])
}
