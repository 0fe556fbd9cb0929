//! What happens.

use std::error::Error;
use std::fmt::Display;
use std::path::Path;
use std::process::Command;

use drpc::{Der, WireMode};
use drpc_daos::contract::{MgmtClient, SecAgentClient, SecClient, SrvClient};
use drpc_daos::messages::auth::{Credential, Sys, ValidateCredReq};
use drpc_daos::messages::mgmt::{
    DeleteAclReq, GetAclReq, GetAttachInfoReq, ListContReq, ModifyAclReq, PoolCreateReq, PoolGetPropReq,
    PoolQueryReq, PoolSetPropReq,
};
use drpc_daos::messages::srv::{ListPoolsReq, PoolFindByLabelReq};
use drpc_daos::messages::{KnownProperty, PoolProperty, PropertyValue};
use drpc_daos::node::{Node, Process, Programs};
use drpc_daos::{agent, pool};
use prost::Message;
use rustix::process::{Signal, kill_process};
use uuid::Uuid;

const SYSTEM: &str = "daos_server";

pub(crate) fn play(programs: &Programs, client: &Path) -> Result<(), Box<dyn Error>> {
    step("A server starts, its engine comes up, and an agent starts");
    let mut node = Node::start(programs, true)?;
    let sys = || SYSTEM.to_owned();
    let control = MgmtClient::new(node.control_client(WireMode::Auto)?);
    let srv = SrvClient::new(node.server_client(WireMode::Auto)?);
    let agent = node.agent_client(WireMode::Auto)?;

    step("A client asks its agent how to reach the system");
    let req = GetAttachInfoReq { sys: sys(), all_ranks: true, ..Default::default() };
    let info = MgmtClient::new(agent.clone()).get_attach_info(req)?;
    Der::check(info.status)?;
    for rank in &info.rank_uris {
        tell(format!("rank {} is at {}", rank.rank, rank.uri));
    }

    step("The agent vouches for it, and the server believes that; but not a changed token");
    let reply = SecAgentClient::new(agent).request_creds()?;
    Der::check(reply.status)?;
    let mut credential = reply.cred.ok_or("a credential without an error")?;
    let user = user(&credential)?;
    tell(format!("it is {} of {} on {}", user.user, user.groups.join(", "), user.machinename));
    let sec = SecClient::new(node.server_client(WireMode::Auto)?);
    tell(check(sec.validate_creds(ValidateCredReq { cred: Some(credential.clone()) })?.status));
    if let Some(token) = &mut credential.token {
        token.data =
            Sys { user: "root@".into(), machinename: "elsewhere".into(), ..user.clone() }.encode_to_vec();
    }
    tell(check(sec.validate_creds(ValidateCredReq { cred: Some(credential) })?.status));

    step("A pool is made, and found by its label, which nobody else can have");
    let mut req = PoolCreateReq {
        uuid: Uuid::new_v4().to_string(),
        sys: sys(),
        user: user.user,
        user_group: user.group,
        acl: vec!["A::OWNER@:rw".into(), "A:G:GROUP@:r".into()],
        properties: vec![label("tank")],
        tier_bytes: vec![1 << 30, 1 << 40],
        ..Default::default()
    };
    tell(check(control.pool_create(req.clone())?.status));
    let found = srv.pool_find_bylabel(PoolFindByLabelReq { label: "tank".into() })?;
    tell(format!("tank is {}, with its service on ranks {:?}", found.uuid, found.svcreps));
    req.uuid = Uuid::new_v4().to_string();
    tell(check(control.pool_create(req)?.status));

    step("It is queried, renamed, and opened to others");
    let query = PoolQueryReq { sys: sys(), id: "tank".into(), ..Default::default() };
    let reply = control.pool_query(query)?;
    tell(format!(
        "{} targets, {} GiB free",
        reply.total_targets,
        gib(reply.tier_stats.iter().map(|tier| tier.free))
    ));
    let rename = PoolSetPropReq {
        sys: sys(),
        id: "tank".into(),
        properties: vec![label("pond")],
        ..Default::default()
    };
    tell(check(control.pool_set_prop(rename)?.status));
    let asked = vec![KnownProperty { number: pool::LABEL, value: None }.into()];
    let req = PoolGetPropReq { sys: sys(), id: "pond".into(), properties: asked, ..Default::default() };
    tell(format!("its label is {}", pool::label(&control.pool_get_prop(req)?.properties)));
    let entries = vec!["A:G:readers@:r".into()];
    control.pool_update_acl(ModifyAclReq { sys: sys(), id: "pond".into(), entries, ..Default::default() })?;
    let principal = "GROUP@".into();
    let reply = control.pool_delete_acl(DeleteAclReq {
        sys: sys(),
        id: "pond".into(),
        principal,
        ..Default::default()
    })?;
    tell(format!("its ACL is {}", reply.acl.unwrap_or_default().entries.join(" ")));

    step("A client opens it, and dies without a word: the agent has its handle evicted");
    let mut dying = Command::new(client);
    dying.arg("--agent").arg(node.folder().join(agent::SOCKET));
    dying.args(["--pool", &found.uuid, "--handle", &Uuid::new_v4().to_string()]);
    let _dying = Process::start("client", dying, true)?;
    node.agent.wait_for("evicted")?;

    step("The engine is killed: the server tells of it, and starts it again, with all that it had");
    let killed = node.engine;
    kill_process(killed, Signal::KILL)?;
    node.server.wait_for("RAS event: engine 0 died")?;
    node.wait_for_engine()?;
    tell(format!("it was process {}, and is {}", killed.as_raw_nonzero(), node.engine.as_raw_nonzero()));
    let reply = control.pool_get_acl(GetAclReq { sys: sys(), id: "pond".into(), ..Default::default() })?;
    tell(format!("the ACL of pond is {}", reply.acl.unwrap_or_default().entries.join(" ")));
    let reply =
        control.list_containers(ListContReq { sys: sys(), id: "pond".into(), ..Default::default() })?;
    tell(format!("and there are {} containers", reply.containers.len()));

    step("The server is killed, too, and its successor knows the pool");
    node.server.end(Signal::KILL)?;
    node.restart_server()?;
    for listed in
        SrvClient::new(node.server_client(WireMode::Auto)?).list_pools(ListPoolsReq::default())?.pools
    {
        tell(format!("{} is {}", listed.label, listed.uuid));
    }

    step("All is shut down, and nothing left");
    tell(format!("the agent: {}", node.agent.end(Signal::TERM)?));
    tell(format!("the server: {}", node.server.end(Signal::TERM)?));
    let mut left: Vec<_> =
        node.folder().read_dir()?.map(|file| Ok(file?.file_name())).collect::<std::io::Result<_>>()?;
    left.sort();
    tell(format!("what is left: {left:?}"));
    let folder = node.folder().to_owned();
    drop(node);
    tell(format!("and then: {}", if folder.exists() { "still that" } else { "nothing" }));
    Ok(())
}

fn step(what: &str) {
    println!("\n── {what}");
}

fn tell(what: impl Display) {
    println!("   {what}");
}

/// What a reply's status says (E4).
fn check(status: i32) -> String {
    Der::check(status).map_or_else(|code| format!("refused: {code}"), |()| "done".to_owned())
}

/// Who a credential is about.
fn user(credential: &Credential) -> Result<Sys, Box<dyn Error>> {
    let token = credential.token.as_ref().ok_or("a credential without a token")?;
    Ok(Sys::decode(&token.data[..])?)
}

fn label(label: &str) -> PoolProperty {
    KnownProperty { number: pool::LABEL, value: Some(PropertyValue::Strval(label.into())) }.into()
}

fn gib(bytes: impl Iterator<Item = u64>) -> u64 {
    bytes.sum::<u64>() >> 30
}
