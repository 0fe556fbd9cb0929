//! What `daos-demo` plays, with assertions; and that it does.

use std::process::Command;

use drpc::{Der, Wire, WireMode};
use drpc_daos::contract::{MgmtClient, SecAgentClient, SecClient};
use drpc_daos::messages::auth::{Sys, ValidateCredReq};
use drpc_daos::messages::mgmt::{
    AclResp, DeleteAclReq, GetAclReq, GetAttachInfoReq, ListContReq, ModifyAclReq, PingRankReq,
    PoolDestroyReq, PoolEvictReq, PoolGetPropReq, PoolSetPropReq, SystemGetPropReq,
};
use drpc_daos::messages::mgmt::{GetGroupStatusReq, PoolCreateReq};
use drpc_daos::messages::srv::{GetPoolSvcReq, ListPoolsReq, PoolFindByLabelReq};
use prost::Message;
use rustix::process::{Signal, kill_process};
use uuid::Uuid;

use crate::support::{SYSTEM, WIRES, client_that_dies, control, engine, label, pool, query, srv, start};

#[test]
fn a_pool_outlives_its_engine_and_its_server() {
    let mut node = start();
    let req = PoolCreateReq { properties: vec![label("tank")], ..pool("tank") };
    let reply = control(&node, Wire::Chunked).pool_create(req.clone()).unwrap();
    assert_eq!((reply.status, reply.svc_ldr, &reply.svc_reps), (0, 0, &vec![0]));
    control(&node, Wire::Chunked)
        .pool_set_prop(PoolSetPropReq {
            sys: SYSTEM.into(),
            id: "tank".into(),
            properties: vec![label("pond")],
            ..Default::default()
        })
        .unwrap();
    let acl = control(&node, Wire::Chunked)
        .pool_update_acl(ModifyAclReq {
            sys: SYSTEM.into(),
            id: "pond".into(),
            entries: vec!["A:G:readers@:r".into()],
            ..Default::default()
        })
        .unwrap();
    let entries = |reply: AclResp| reply.acl.unwrap().entries;
    assert_eq!(entries(acl), ["A::OWNER@:rw", "A:G:readers@:r"]);

    let killed = node.engine;
    kill_process(killed, Signal::KILL).unwrap();
    let event = node.server.wait_for("RAS event: engine 0 died").unwrap();
    assert!(event.contains("SIGKILL") && event.contains("id=2"), "{event}");
    node.wait_for_engine().unwrap();
    assert_ne!(node.engine, killed);

    let is_there = |node: &drpc_daos::node::Node| {
        let reply = query(&control(node, Wire::Chunked), "pond");
        assert_eq!((reply.status, reply.uuid, reply.label), (0, req.uuid.clone(), "pond".to_owned()));
        let asked = GetAclReq { sys: SYSTEM.into(), id: "pond".into(), ..Default::default() };
        let reply = control(node, Wire::Chunked).pool_get_acl(asked).unwrap();
        assert_eq!(entries(reply), ["A::OWNER@:rw", "A:G:readers@:r"]);
    };
    is_there(&node);

    node.server.end(Signal::KILL).unwrap();
    node.restart_server().unwrap();
    is_there(&node);
    let old =
        srv(&node, Wire::Chunked).pool_find_bylabel(PoolFindByLabelReq { label: "tank".into() }).unwrap();
    assert_eq!(old.status, Der::NONEXIST.code());

    // What is shut down leaves its database alone.
    assert!(node.agent.end(Signal::TERM).unwrap().success());
    assert!(node.server.end(Signal::TERM).unwrap().success());
    let left: Vec<_> = node.folder().read_dir().unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left, ["pools.redb"]);
}

#[test]
fn a_credential_is_made_and_checked_on_both_wires() {
    let node = start();
    for wire in WIRES {
        let agent = SecAgentClient::new(node.agent_client(wire).unwrap());
        let reply = agent.request_creds().unwrap();
        assert_eq!(reply.status, 0);
        let cred = reply.cred.unwrap();
        let user = Sys::decode(&cred.token.as_ref().unwrap().data[..]).unwrap();
        assert!(user.user.ends_with('@') && user.group.ends_with('@') && user.groups.contains(&user.group));
        assert_eq!((user.stamp, user.machinename.contains('.')), (0, false));

        let sec = SecClient::new(node.server_client(wire).unwrap());
        let reply = sec.validate_creds(ValidateCredReq { cred: Some(cred.clone()) }).unwrap();
        assert_eq!((reply.status, reply.token), (0, cred.token.clone()));
        let mut forged = cred;
        forged.verifier.as_mut().unwrap().data[0] ^= 1;
        let reply = sec.validate_creds(ValidateCredReq { cred: Some(forged) }).unwrap();
        assert_eq!((reply.status, reply.token), (Der::NO_PERM.code(), None));
    }
}

#[test]
fn a_client_is_told_how_to_reach_the_system() {
    let node = start();
    let agent = MgmtClient::new(node.agent_client(WireMode::Auto).unwrap());
    let req = GetAttachInfoReq {
        sys: SYSTEM.into(),
        all_ranks: true,
        interface: "ib0".into(),
        ..Default::default()
    };
    let reply = agent.get_attach_info(req.clone()).unwrap();
    assert_eq!((reply.status, reply.rank_uris.len(), reply.ms_ranks), (0, 1, vec![0]));
    assert_eq!(reply.client_net_hint.unwrap().interface, "ib0");
    let reply = agent.get_attach_info(GetAttachInfoReq { sys: "another".into(), ..req }).unwrap();
    assert_eq!(reply.status, Der::INVAL.code());
}

#[test]
fn what_a_dead_client_had_open_is_evicted_once() {
    let mut node = start();
    let req = pool("tank");
    control(&node, Wire::Chunked).pool_create(req.clone()).unwrap();
    let handle = Uuid::new_v4().to_string();
    let _client = client_that_dies(&node, &req.uuid, &handle);
    node.agent.wait_for("evicted 1 handle(s)").unwrap();
    let again =
        PoolEvictReq { sys: SYSTEM.into(), id: "tank".into(), handles: vec![handle], ..Default::default() };
    let reply = control(&node, Wire::Chunked).pool_evict(again).unwrap();
    assert_eq!((reply.status, reply.count), (0, 0), "the engine has heard of it");
}

#[test]
fn engines_find_pools_and_properties_at_the_server() {
    let node = start();
    let req = pool("tank");
    control(&node, Wire::Chunked).pool_create(req.clone()).unwrap();
    for wire in WIRES {
        let srv = srv(&node, wire);
        let reply = srv.pool_find_bylabel(PoolFindByLabelReq { label: "tank".into() }).unwrap();
        assert_eq!((reply.status, &reply.uuid, reply.svcreps), (0, &req.uuid, vec![0]));
        let reply = srv.get_pool_svc(GetPoolSvcReq { uuid: req.uuid.clone() }).unwrap();
        assert_eq!((reply.status, reply.svcreps), (0, vec![0]));
        let pools = srv.list_pools(ListPoolsReq { include_all: true }).unwrap().pools;
        assert_eq!((pools.len(), &pools[0].label[..]), (1, "tank"));
        let keys = vec!["cleanliness".into()];
        let reply = srv.get_sys_props(SystemGetPropReq { sys: SYSTEM.into(), keys }).unwrap();
        assert_eq!(reply.properties["cleanliness"], "high");
    }
}

#[test]
fn a_pool_is_destroyed_with_its_containers_alone() {
    let node = start();
    let control = control(&node, Wire::Chunked);
    control.pool_create(pool("tank")).unwrap();
    let asked = ListContReq { sys: SYSTEM.into(), id: "tank".into(), ..Default::default() };
    assert_eq!(control.list_containers(asked).unwrap().containers.len(), 2);
    let mut req = PoolDestroyReq { sys: SYSTEM.into(), id: "tank".into(), ..Default::default() };
    assert_eq!(control.pool_destroy(req.clone()).unwrap().status, Der::BUSY.code());
    assert_eq!(query(&control, "tank").status, 0, "it is still there");
    req.recursive = true;
    assert_eq!(control.pool_destroy(req.clone()).unwrap().status, 0);
    assert_eq!(control.pool_destroy(req).unwrap().status, Der::NONEXIST.code());
}

#[test]
fn a_property_of_a_newer_daos_comes_back_unharmed_from_a_restarted_engine() {
    let mut node = start();
    control(&node, Wire::Chunked).pool_create(pool("tank")).unwrap();
    // Number 77 with the development head's `byteval` (4), which this build does not know.
    let newer = drpc_daos::messages::PoolProperty::decode(&b"\x08\x4d\x22\x03\x00\x01\x02"[..]).unwrap();
    let properties = vec![newer.clone()];
    let set = PoolSetPropReq { sys: SYSTEM.into(), id: "tank".into(), properties, ..Default::default() };
    assert_eq!(control(&node, Wire::Chunked).pool_set_prop(set).unwrap().status, 0);
    kill_process(node.engine, Signal::KILL).unwrap();
    node.wait_for_engine().unwrap();

    let asked = PoolGetPropReq { sys: SYSTEM.into(), id: "tank".into(), ..Default::default() };
    let reply = control(&node, Wire::Chunked).pool_get_prop(asked).unwrap();
    assert_eq!(reply.properties, [label("tank"), newer]);
}

#[test]
fn an_engine_knows_who_it_is_and_who_else_there_is() {
    let node = start();
    for wire in WIRES {
        let engine = engine(&node, wire);
        assert_eq!(engine.ping_rank(PingRankReq { rank: 0 }).unwrap().status, 0);
        assert_eq!(engine.ping_rank(PingRankReq { rank: 1 }).unwrap().status, Der::INVAL.code());
        let reply = engine.group_status_get(GetGroupStatusReq { map_version: 0 }).unwrap();
        assert_eq!((reply.status, reply.dead_ranks), (0, vec![]));
    }
}

#[test]
fn an_entry_that_is_not_there_can_not_be_removed() {
    let node = start();
    let control = control(&node, Wire::Chunked);
    control.pool_create(pool("tank")).unwrap();
    let principal = "u:nobody@".to_owned();
    let req = DeleteAclReq { sys: SYSTEM.into(), id: "tank".into(), principal, ..Default::default() };
    let reply = control.pool_delete_acl(req).unwrap();
    assert_eq!((reply.status, reply.acl), (Der::NONEXIST.code(), None));
}

#[test]
fn the_demo_plays_to_its_end_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Command::new(env!("CARGO_BIN_EXE_daos-demo")).env("TMPDIR", folder.path()).output().unwrap();
    let told = String::from_utf8(demo.stdout).unwrap();
    assert!(demo.status.success(), "{told}");
    for line in ["refused: DER_NO_PERM(-1001)", "refused: DER_EXIST(-1004)", "engine 0 died", "pond is "] {
        assert!(told.contains(line), "{line}: {told}");
    }
    assert!(told.ends_with("what is left: [\"pools.redb\"]\n   and then: nothing\n"), "{told}");
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}
