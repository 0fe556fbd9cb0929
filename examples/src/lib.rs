//! What the examples share: the messages of `proto/hello.proto` and the constants of `proto/modules.toml`, both made by
//! `build.rs`.

/// The messages of `proto/hello.proto`.
#[allow(missing_docs, reason = "prost makes items that the .proto file has no comment for")]
pub mod hello {
    drpc::include_proto!("hello");
}

/// The IDs of `proto/modules.toml`.
pub mod registry {
    drpc::include_registry!();
}
