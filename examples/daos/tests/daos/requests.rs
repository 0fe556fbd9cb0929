//! Bad requests: what DAOS says of them (P, E4, D7).

use drpc::{CallError, Der, Status, Wire};
use drpc_daos::contract::{MgmtClient, SecAgentClient, SecClient};
use drpc_daos::messages::auth::{Credential, ValidateCredReq};
use drpc_daos::messages::ctl::{SetLogMasksReq, SmdDevReq};
use drpc_daos::messages::mgmt::{
    ClientTelemetryReq, ModifyAclReq, PoolCreateReq, PoolDestroyReq, PoolMonitorReq, PoolQueryReq,
    PoolSetPropReq, SetRankReq, SystemGetPropReq,
};
use drpc_daos::messages::shared::ras_event::{ExtendedInfo, PoolSvcEventInfo};
use drpc_daos::messages::shared::{CheckListPoolReq, ClusterEventReq, RasEvent};
use drpc_daos::messages::srv::{GetPoolSvcReq, NotifyReadyReq, PoolFindByLabelReq};
use uuid::Uuid;

use crate::support::{SYSTEM, WIRES, control, engine, label, pool, query, srv, start};

/// The status of a call that has none in its body.
fn status<R: std::fmt::Debug>(result: Result<R, CallError>) -> Option<Status> {
    result.unwrap_err().status()
}

#[test]
fn a_pool_that_can_not_be_is_refused_in_the_body() {
    let node = start();
    for wire in WIRES {
        let control = control(&node, wire);
        let name = format!("tank-{wire:?}");
        let taken = pool(&name);
        assert_eq!(control.pool_create(taken.clone()).unwrap().status, 0);
        let refused = [
            (Der::EXIST, pool(&name)),
            (Der::EXIST, PoolCreateReq { properties: vec![label("other")], ..taken.clone() }),
            (Der::INVAL, PoolCreateReq { uuid: "no UUID".into(), ..pool("new") }),
            (Der::INVAL, PoolCreateReq { sys: "another".into(), ..pool("new") }),
            (Der::INVAL, PoolCreateReq { ranks: vec![7], ..pool("new") }),
            (Der::INVAL, PoolCreateReq { acl: vec!["nonsense".into()], ..pool("new") }),
            (Der::INVAL, pool("with a space")),
        ];
        for (code, req) in refused {
            assert_eq!(Der::from(control.pool_create(req.clone()).unwrap().status), code, "{req:?}");
        }
        // Nothing is left of what was refused, not even its label.
        let free = pool(&format!("new-{wire:?}"));
        assert_eq!(control.pool_create(free).unwrap().status, 0);
    }
}

#[test]
fn a_label_can_not_be_taken_by_renaming_either() {
    let node = start();
    let control = control(&node, Wire::Chunked);
    control.pool_create(pool("tank")).unwrap();
    control.pool_create(pool("pond")).unwrap();
    let properties = vec![label("tank")];
    let rename = PoolSetPropReq { sys: SYSTEM.into(), id: "pond".into(), properties, ..Default::default() };
    assert_eq!(control.pool_set_prop(rename.clone()).unwrap().status, Der::EXIST.code());
    assert_eq!(query(&control, "pond").label, "pond");
    let itself = PoolSetPropReq { id: "tank".into(), ..rename };
    assert_eq!(control.pool_set_prop(itself).unwrap().status, 0);
}

#[test]
fn an_unknown_pool_does_not_exist_anywhere() {
    let node = start();
    let unknown = Uuid::new_v4().to_string();
    let not_there = Der::NONEXIST.code();
    for wire in WIRES {
        for mgmt in [control(&node, wire), engine(&node, wire)] {
            assert_eq!(query(&mgmt, &unknown).status, not_there);
        }
        assert_eq!(query(&control(&node, wire), "no such label").status, not_there);
        assert_eq!(query(&engine(&node, wire), "no UUID").status, Der::INVAL.code());
        let srv = srv(&node, wire);
        let reply = srv.pool_find_bylabel(PoolFindByLabelReq { label: "nobody".into() }).unwrap();
        assert_eq!(reply.status, not_there);
        assert_eq!(srv.get_pool_svc(GetPoolSvcReq { uuid: unknown.clone() }).unwrap().status, not_there);
        assert_eq!(status(srv.get_pool_svc(GetPoolSvcReq { uuid: "x".into() })), Some(Status::FAILURE));
    }
}

#[test]
fn another_system_is_not_served() {
    let node = start();
    let inval = Der::INVAL.code();
    let req = PoolQueryReq { sys: "another".into(), id: "tank".into(), ..Default::default() };
    assert_eq!(control(&node, Wire::Chunked).pool_query(req).unwrap().status, inval);
    let agent = MgmtClient::new(node.agent_client(Wire::Chunked).unwrap());
    let req = ClientTelemetryReq { sys: "another".into(), ..Default::default() };
    assert_eq!(agent.setup_client_telem(req).unwrap().status, inval);
    // There is no body to say it in, and DAOS's agent takes whatever it is told.
    let req = PoolMonitorReq { sys: "another".into(), ..Default::default() };
    agent.notify_pool_connect(req.clone()).unwrap();
    agent.notify_pool_disconnect(req).unwrap();
    let req = PoolMonitorReq { sys: SYSTEM.into(), pool_uuid: "x".into(), ..Default::default() };
    agent.notify_pool_connect(req).unwrap();
}

#[test]
fn an_engine_that_is_none_is_not_ready() {
    // P: a path that is no socket, or an index out of range, is FAILURE.
    let node = start();
    let srv = srv(&node, Wire::Chunked);
    let file = node.folder().join("pools.redb").display().to_string();
    let socket = node.folder().join("daos_server.sock").display().to_string();
    for (path, instance_idx) in [(&file, 0), (&socket, 0), (&socket, 7)] {
        let req = NotifyReadyReq { drpc_listener_sock: path.clone(), instance_idx, ..Default::default() };
        assert_eq!(status(srv.notify_ready(req)), Some(Status::FAILURE));
    }
}

#[test]
fn an_event_has_come_whatever_becomes_of_it() {
    let node = start();
    let srv = srv(&node, Wire::Chunked);
    assert_eq!(
        status(srv.cluster_event(ClusterEventReq { sequence: 9, event: None })),
        Some(Status::FAILURE)
    );
    for pool in [Uuid::new_v4().to_string(), "x".into()] {
        let info = PoolSvcEventInfo { svc_reps: vec![0], version: 1 };
        let event = RasEvent {
            pool_uuid: pool,
            extended_info: Some(ExtendedInfo::PoolSvcInfo(info)),
            ..Default::default()
        };
        let reply = srv.cluster_event(ClusterEventReq { sequence: 9, event: Some(event) }).unwrap();
        assert_eq!((reply.sequence, reply.status), (9, 0));
    }
}

#[test]
fn a_credential_that_lacks_a_part_is_bad_input() {
    let node = start();
    let sec = SecClient::new(node.server_client(Wire::Chunked).unwrap());
    let cred = SecAgentClient::new(node.agent_client(Wire::Chunked).unwrap()).request_creds().unwrap().cred;
    let without = |part: fn(&mut Credential)| {
        let mut cred = cred.clone();
        cred.as_mut().map(part);
        ValidateCredReq { cred }
    };
    let requests =
        [ValidateCredReq::default(), without(|cred| cred.token = None), without(|cred| cred.verifier = None)];
    for req in requests {
        let reply = sec.validate_creds(req).unwrap();
        assert_eq!((reply.status, reply.token), (Der::INVAL.code(), None));
    }
}

#[test]
fn a_label_that_was_given_twice_can_be_changed() {
    let node = start();
    let control = control(&node, Wire::Chunked);
    let req = PoolCreateReq { properties: vec![label("tank"), label("pond")], ..pool("tank") };
    assert_eq!(control.pool_create(req).unwrap().status, 0);
    let properties = vec![label("lake")];
    let req = PoolSetPropReq { sys: SYSTEM.into(), id: "pond".into(), properties, ..Default::default() };
    assert_eq!(control.pool_set_prop(req).unwrap().status, 0);
    let reply = query(&control, "lake");
    assert_eq!((reply.status, &reply.label[..]), (0, "lake"));
    assert_eq!(query(&control, "pond").status, Der::NONEXIST.code());
}

/// The engine had done it, and answered too late: the server must not keep the pool, and its label, for ever.
#[test]
fn a_pool_that_its_engine_has_destroyed_already_can_be_destroyed() {
    let node = start();
    let control = control(&node, Wire::Chunked);
    let req = pool("tank");
    assert_eq!(control.pool_create(req.clone()).unwrap().status, 0);
    let destroy = PoolDestroyReq { sys: SYSTEM.into(), id: req.uuid, recursive: true, ..Default::default() };
    assert_eq!(engine(&node, Wire::Chunked).pool_destroy(destroy.clone()).unwrap().status, 0);
    assert_eq!(control.pool_destroy(destroy).unwrap().status, 0);
    assert_eq!(control.pool_create(pool("tank")).unwrap().status, 0);
}

#[test]
fn a_method_that_a_program_does_not_serve_is_unknown_to_it() {
    // D7
    let node = start();
    for wire in WIRES {
        let unknown = Some(Status::UNKNOWN_METHOD);
        assert_eq!(status(engine(&node, wire).smd_list_devs(SmdDevReq {})), unknown);
        assert_eq!(status(engine(&node, wire).notify_exit()), unknown);
        assert_eq!(status(control(&node, wire).set_rank(SetRankReq::default())), unknown);
        assert_eq!(status(srv(&node, wire).chk_list_pool(CheckListPoolReq {})), unknown);
        let agent = MgmtClient::new(node.agent_client(wire).unwrap());
        assert_eq!(status(agent.pool_create(pool("tank"))), unknown);
    }
}

#[test]
fn an_engine_keeps_its_rank_its_log_masks_and_its_acls_from_nonsense() {
    let node = start();
    let engine = engine(&node, Wire::Chunked);
    let req = SetRankReq { rank: 5, ..Default::default() };
    assert_eq!(engine.set_rank(req).unwrap().status, Der::ALREADY.code());
    let masks = |masks: &str| SetLogMasksReq { masks: masks.into(), ..Default::default() };
    let reply = engine.set_log_masks(masks("LOUD")).unwrap();
    assert_eq!((reply.status, reply.errors.len()), (Der::INVAL.code(), 1));
    assert_eq!(engine.set_log_masks(masks("ERR,mgmt=DEBUG")).unwrap().status, 0);

    control(&node, Wire::Chunked).pool_create(pool("tank")).unwrap();
    let entries = vec!["A::bob@:everything".into()];
    let req = ModifyAclReq { sys: SYSTEM.into(), id: "tank".into(), entries, ..Default::default() };
    let reply = control(&node, Wire::Chunked).pool_overwrite_acl(req).unwrap();
    assert_eq!((reply.status, reply.acl), (Der::INVAL.code(), None));
}

#[test]
fn a_property_of_the_system_that_is_not_set_is_a_failure() {
    let node = start();
    let req = SystemGetPropReq { sys: SYSTEM.into(), keys: vec!["nothing".into()] };
    assert_eq!(status(srv(&node, Wire::Chunked).get_sys_props(req)), Some(Status::FAILURE));
}
