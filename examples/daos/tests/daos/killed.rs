//! Kills at random moments: no pool that was acknowledged is lost, and none that was acknowledged as destroyed comes back.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::hint;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread::{self, JoinHandle};

use drpc::blocking::Client;
use drpc::{Der, Wire};
use drpc_daos::contract::MgmtClient;
use drpc_daos::messages::mgmt::{GetAttachInfoReq, GetGroupStatusReq, PoolDestroyReq};
use drpc_daos::messages::srv::ListPoolsReq;
use drpc_daos::node::{Node, Programs};
use rustix::process::{Pid, Signal, kill_process};
use uuid::Uuid;

use crate::support::{SYSTEM, control, engine, pool, programs, query, srv, start};

const ROUNDS: usize = 10;

/// What was acknowledged, and what was asked for last and may be either way.
#[derive(Default)]
struct Known {
    there: BTreeSet<String>,
    gone: BTreeSet<String>,
    open: Option<String>,
}

impl Known {
    /// Makes pools, and destroys some, until the kill, or until that fails.
    fn work_until(&mut self, killed: &JoinHandle<()>, control: &MgmtClient<Client>) {
        for round in 0.. {
            if killed.is_finished() {
                return;
            }
            let req = pool(&format!("pool-{}", Uuid::new_v4()));
            let uuid = req.uuid.clone();
            self.open = Some(uuid.clone());
            match control.pool_create(req) {
                Ok(reply) if reply.status == 0 => self.there.insert(uuid.clone()),
                _ => return,
            };
            if round % 3 == 2 {
                self.there.remove(&uuid);
                let req = PoolDestroyReq {
                    sys: SYSTEM.into(),
                    id: uuid.clone(),
                    recursive: true,
                    ..Default::default()
                };
                match control.pool_destroy(req) {
                    Ok(reply) if reply.status == 0 => self.gone.insert(uuid),
                    _ => return,
                };
            }
        }
    }

    fn hold(&mut self, node: &Node) {
        let listed = srv(node, Wire::Chunked).list_pools(ListPoolsReq { include_all: true }).unwrap().pools;
        let listed: BTreeSet<_> = listed.into_iter().map(|pool| pool.uuid).collect();
        let open = self.open.take();
        let expected: BTreeSet<_> = self.there.iter().cloned().collect();
        let lost: Vec<_> = expected.difference(&listed).collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
        let more: Vec<_> = listed.difference(&expected).filter(|pool| Some(*pool) != open.as_ref()).collect();
        assert!(more.is_empty(), "nobody was told of {more:?}");
        // The engine has what the server knows, and nothing else.
        let control = control(node, Wire::Chunked);
        for uuid in &listed {
            assert_eq!(Der::from(query(&control, uuid).status), Der::SUCCESS, "{uuid}");
        }
        for uuid in &self.gone {
            assert_eq!(Der::from(query(&control, uuid).status), Der::NONEXIST, "{uuid}");
        }
        self.there = listed;
    }
}

/// An engine that stays down for as long as a file is there.
fn reluctant(programs: &Programs, folder: &Path) -> Programs {
    let script = folder.join("engine");
    let (down, engine) = (folder.join("down"), &programs.engine);
    let text =
        format!("#!/bin/sh\n[ -e '{}' ] && exit 1\nexec '{}' \"$@\"\n", down.display(), engine.display());
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
    Programs { engine: script, ..programs.clone() }
}

#[test]
fn who_has_died_is_dead_to_the_others_until_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::start_with(&reluctant(&programs(), folder.path()), 2, false).unwrap();
    let dead = |node: &Node| {
        let req = GetGroupStatusReq { map_version: 0 };
        engine(node, Wire::Chunked).group_status_get(req).unwrap().dead_ranks
    };
    fs::write(folder.path().join("down"), "").unwrap();
    kill_process(node.pids[1], Signal::KILL).unwrap();
    node.server.wait_for("engine 1 died").unwrap();
    node.server.wait_for("the group was told").unwrap();
    assert_eq!(dead(&node), [1]);

    let req = GetAttachInfoReq { sys: SYSTEM.into(), ..Default::default() };
    let ranks: Vec<_> = control(&node, Wire::Chunked)
        .get_attach_info(req)
        .unwrap()
        .rank_uris
        .iter()
        .map(|uri| uri.rank)
        .collect();
    assert_eq!(ranks, [0]);

    fs::remove_file(folder.path().join("down")).unwrap();
    node.server.wait_for("engine 1 is up").unwrap();
    node.server.wait_for("the group was told").unwrap();
    assert_eq!(dead(&node), [0; 0]);
}

/// Kills a process after a while that nobody can foresee.
fn kill_at_some_time(victim: Pid) -> JoinHandle<()> {
    let turns = Uuid::new_v4().as_u128() % 20_000_000;
    thread::spawn(move || {
        for _ in 0..turns {
            hint::spin_loop();
        }
        println!("killed after {turns} turns");
        kill_process(victim, Signal::KILL).unwrap();
    })
}

#[test]
fn a_server_that_is_killed_has_lost_nothing() {
    let mut node = start();
    let mut known = Known::default();
    for _ in 0..ROUNDS {
        let client = control(&node, Wire::Chunked);
        let killing = kill_at_some_time(node.server.pid());
        known.work_until(&killing, &client);
        killing.join().unwrap();
        node.server.end(Signal::KILL).unwrap();
        node.restart_server().unwrap();
        known.hold(&node);
    }
    assert!(!known.there.is_empty(), "nothing was tried");
}

#[test]
fn an_engine_that_is_killed_has_all_again() {
    let mut node = start();
    let mut known = Known::default();
    for _ in 0..ROUNDS {
        let client = control(&node, Wire::Chunked);
        let killing = kill_at_some_time(node.engine);
        known.work_until(&killing, &client);
        killing.join().unwrap();
        node.wait_for_engine().unwrap();
        known.hold(&node);
    }
    assert!(!known.there.is_empty(), "nothing was tried");
}
