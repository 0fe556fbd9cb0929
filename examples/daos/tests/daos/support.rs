//! What the tests share.

use std::path::Path;
use std::process::Command;

use drpc::blocking::Client;
use drpc::{Wire, WireMode};
use drpc_daos::agent;
use drpc_daos::contract::{MgmtClient, SrvClient};
use drpc_daos::messages::mgmt::{PoolCreateReq, PoolQueryReq, PoolQueryResp};
use drpc_daos::messages::{KnownProperty, PoolProperty, PropertyValue};
use drpc_daos::node::{Node, Process, Programs, beside};
use drpc_daos::pool;
use uuid::Uuid;

pub(crate) const SYSTEM: &str = "daos_server";

pub(crate) const WIRES: [Wire; 2] = [Wire::Chunked, Wire::Plain];

pub(crate) fn start() -> Node {
    Node::start(&programs(), false).unwrap()
}

pub(crate) fn programs() -> Programs {
    beside(Path::new(env!("CARGO_BIN_EXE_daos-server")))
}

pub(crate) fn control(node: &Node, wire: impl Into<WireMode>) -> MgmtClient<Client> {
    MgmtClient::new(node.control_client(wire).unwrap())
}

pub(crate) fn engine(node: &Node, wire: impl Into<WireMode>) -> MgmtClient<Client> {
    MgmtClient::new(node.engine_client(wire).unwrap())
}

pub(crate) fn srv(node: &Node, wire: impl Into<WireMode>) -> SrvClient<Client> {
    SrvClient::new(node.server_client(wire).unwrap())
}

/// A client process that tells the agent of a pool handle and exits without closing it.
pub(crate) fn client_that_dies(node: &Node, pool: &str, handle: &str) -> Process {
    let mut client = Command::new(env!("CARGO_BIN_EXE_daos-demo"));
    std::os::unix::process::CommandExt::arg0(&mut client, "daos-client");
    client.arg("--agent").arg(node.folder().join(agent::SOCKET)).args(["--pool", pool, "--handle", handle]);
    Process::start("client", client, false).unwrap()
}

pub(crate) fn pool(name: &str) -> PoolCreateReq {
    PoolCreateReq {
        uuid: Uuid::new_v4().to_string(),
        sys: SYSTEM.into(),
        user: "bob@".into(),
        user_group: "users@".into(),
        acl: vec!["A::OWNER@:rw".into()],
        properties: vec![label(name)],
        tier_bytes: vec![1 << 30],
        ..Default::default()
    }
}

pub(crate) fn label(label: &str) -> PoolProperty {
    KnownProperty { number: pool::LABEL, value: Some(PropertyValue::Strval(label.into())) }.into()
}

pub(crate) fn query(mgmt: &MgmtClient<Client>, id: &str) -> PoolQueryResp {
    mgmt.pool_query(PoolQueryReq { sys: SYSTEM.into(), id: id.into(), ..Default::default() }).unwrap()
}
