//! The open sessions of a server, as far as a caller may see them.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::messages::{CallInfo, SessionInfo, Sessions};
use crate::dispatch::authorization::Allow;
use crate::handler::session::{RunningCall, ServedModule, Session};

/// How many sessions stand on a page.
const PAGE: usize = 256;

/// How many running calls of a session are told of.
const CALLS: usize = 16;

/// The open sessions, by their numbers.
#[derive(Default)]
pub(crate) struct Live(Mutex<BTreeMap<u64, Arc<Session>>>);

impl Live {
    pub(crate) fn opened(&self, session: &Arc<Session>) {
        self.sessions().insert(session.id(), session.clone());
    }

    pub(crate) fn closed(&self, session: &Session) {
        self.sessions().remove(&session.id());
    }

    /// Those after a number that the caller may see.
    pub(super) fn page(&self, caller: &Session, after: u64) -> Sessions {
        let seen = seen_by(caller);
        let behind = (Bound::Excluded(after), Bound::Unbounded);
        let visible: Vec<_> = {
            let sessions = self.sessions();
            let visible = sessions.range(behind).map(|(_, session)| session);
            visible.filter(|session| seen.allows(session)).take(PAGE + 1).cloned().collect()
        };
        let served = caller.served_modules();
        let page = visible.iter().take(PAGE).map(|session| info(session, caller, &served));
        Sessions { sessions: page.collect(), has_more: visible.len() > PAGE }
    }

    fn sessions(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Session>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose sessions the caller may see. A user without a number is anybody, and sees none.
fn seen_by(caller: &Session) -> Allow {
    if Allow::root().or(Allow::same_user()).allows(caller) {
        Allow::anyone()
    } else {
        Allow::uid(caller.peer().uid())
    }
}

fn info(session: &Session, caller: &Session, served: &[ServedModule]) -> SessionInfo {
    let peer = session.peer();
    let running = session.running_calls();
    SessionInfo {
        id: session.id(),
        uid: peer.uid(),
        gid: peer.gid(),
        pid: peer.pid(),
        process: peer.pid().and_then(process_name).unwrap_or_default(),
        opened_at_unix_ms: unix_ms(session.opened_at()),
        calls_done: session.calls_done(),
        calls_running: running.len().try_into().unwrap_or(u32::MAX),
        running: running.iter().filter_map(|call| call_info(call, served)).take(CALLS).collect(),
        is_own: session.id() == caller.id(),
    }
}

/// What the caller may know of a call: nothing, if it may not call the method.
fn call_info(call: &RunningCall, served: &[ServedModule]) -> Option<CallInfo> {
    let method = call.method();
    let module = served.iter().find(|module| module.open.contains(&method))?;
    Some(CallInfo {
        module: method.module(),
        method: method.id(),
        module_name: module.name.clone(),
        method_name: method.name().to_owned(),
        sequence: call.sequence(),
        age_us: call.since().elapsed().as_micros().try_into().unwrap_or(u64::MAX),
    })
}

fn process_name(pid: i32) -> Option<String> {
    let name = fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(String::from_utf8_lossy(&name).trim_end().to_owned())
}

pub(super) fn unix_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis().try_into().unwrap_or(u64::MAX)
}
