//! Checks the registry, and makes messages and constants.

/// One file for each part of the protocol; all are in `proto/daos`.
const PROTOS: [&str; 12] = [
    "acl.proto",
    "auth.proto",
    "check.proto",
    "checker.proto",
    "chk.proto",
    "client.proto",
    "cont.proto",
    "ctl.proto",
    "event.proto",
    "pool.proto",
    "srv.proto",
    "svc.proto",
];

fn main() -> Result<(), drpc_build::Error> {
    let protos = PROTOS.map(|proto| format!("../../proto/daos/{proto}"));
    drpc_build::configure()
        .registry("../../proto/daos/modules.toml")
        .prost(|config| {
            // Stored and returned as they came, with what a newer peer put in them.
            config.extern_path(".auth.Token", "crate::messages::Token");
            config.extern_path(".mgmt.PoolProperty", "crate::messages::PoolProperty");
        })
        .compile_protos(&protos, &["../../proto/daos"])
}
