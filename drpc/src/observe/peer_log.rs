//! How much a peer may have logged: what it can cause as often as it likes must not fill a disk, nor stop who writes the log.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::rate::{Bucket, Rate};

/// What a peer can cause to be logged. Each kind has an allowance of its own, so that none hides another.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Line {
    CallFailed,
    CallUnreadable,
    ReplyTooLong,
    SessionRefused,
    SessionFaulted,
    Panicked,
    OutOfThreads,
    NotAccepted,
    ReplyUnknown,
    DescriptorsRefused,
    /// What was left out of all kinds.
    LeftOut,
}

impl Line {
    const KINDS: usize = Line::LeftOut as usize + 1;
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Line::CallFailed => "calls that failed",
            Line::CallUnreadable => "calls that can't be read",
            Line::ReplyTooLong => "replies that can't be sent",
            Line::SessionRefused => "connections that were refused",
            Line::SessionFaulted => "sessions that a fault closed",
            Line::Panicked => "panics",
            Line::OutOfThreads => "threads that can't be had",
            Line::NotAccepted => "connections that could not be accepted",
            Line::ReplyUnknown => "responses to calls that were never made",
            Line::DescriptorsRefused => "descriptors that can't be passed",
            Line::LeftOut => "lines of all kinds",
        })
    }
}

/// What one peer has had logged lately: all sessions of a user with a server, or the server of a client's connection.
#[derive(Debug, Default)]
pub(crate) struct PeerLog {
    /// `None` where the peer needs no name.
    uid: Option<u32>,
    allowances: Allowances,
    /// What all users of a server may have logged together: one may have many users.
    all: Option<Arc<Allowances>>,
}

/// The lines of each kind that may still be.
#[derive(Debug)]
struct Allowances([Mutex<Allowance>; Line::KINDS]);

impl Allowances {
    fn of(lines: Rate) -> Self {
        Allowances(std::array::from_fn(|_| Mutex::new(Allowance::of(lines))))
    }

    fn take(&self, line: Line, now: Instant) -> Option<u64> {
        self.of_kind(line).take(now)
    }

    /// So many are not logged, though they might have been.
    fn leave_out(&self, line: Line, count: u64) {
        self.of_kind(line).left_out += count;
    }

    fn of_kind(&self, line: Line) -> MutexGuard<'_, Allowance> {
        self.0[line as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Allowances {
    fn default() -> Self {
        Allowances::of(LINES)
    }
}

impl PeerLog {
    fn of(uid: u32, all: &Arc<Allowances>) -> Self {
        PeerLog { uid: Some(uid), allowances: Allowances::default(), all: Some(all.clone()) }
    }

    /// Whether a line of this kind is to be logged now. What was left out since the last one is told first.
    #[cold]
    pub(crate) fn admits(&self, line: Line) -> bool {
        let now = Instant::now();
        let Some(left_out) = self.allowances.take(line, now) else { return false };
        if let Some(all) = &self.all {
            let Some(of_all) = all.take(line, now) else {
                self.allowances.leave_out(line, left_out + 1);
                return false;
            };
            if of_all > 0 {
                tracing::warn!("{of_all} more of all users left out: {line}");
            }
        }
        self.tell(line, left_out);
        true
    }

    fn tell(&self, line: impl fmt::Display, left_out: u64) {
        if left_out > 0 {
            tracing::warn!(uid = self.uid, "{left_out} more left out: {line}");
        }
    }
}

impl Drop for PeerLog {
    fn drop(&mut self) {
        let allowances = self.allowances.0.iter_mut();
        let left_out: u64 = allowances
            .map(|allowance| allowance.get_mut().unwrap_or_else(PoisonError::into_inner).left_out)
            .sum();
        // Many users may be forgotten at once.
        let may_tell = |all: &Allowances| all.take(Line::LeftOut, Instant::now()).is_some();
        if left_out > 0 && self.all.as_deref().is_none_or(may_tell) {
            self.tell(Line::LeftOut, left_out);
        }
    }
}

/// The logs of a server's peers, by user: who connects anew has no new allowance.
#[derive(Debug)]
pub(crate) struct PeerLogs {
    of_users: Mutex<HashMap<u32, Arc<PeerLog>>>,
    all: Arc<Allowances>,
}

impl Default for PeerLogs {
    fn default() -> Self {
        PeerLogs { of_users: Mutex::default(), all: Arc::new(Allowances::of(LINES_OF_ALL)) }
    }
}

impl PeerLogs {
    /// How many users are remembered, beside those who have sessions.
    const REMEMBERED: usize = 1024;

    pub(crate) fn of(&self, uid: u32) -> Arc<PeerLog> {
        let mut logs = self.of_users.lock().unwrap_or_else(PoisonError::into_inner);
        let mut forgotten = Vec::new();
        if logs.len() >= Self::REMEMBERED && !logs.contains_key(&uid) {
            let without_sessions = logs.extract_if(|_, log| Arc::strong_count(log) == 1);
            forgotten.extend(without_sessions);
        }
        let log = logs.entry(uid).or_insert_with(|| Arc::new(PeerLog::of(uid, &self.all))).clone();
        // What these tell is written when nothing is locked.
        drop(logs);
        drop(forgotten);
        log
    }
}

/// How many lines of one kind there may be.
const LINES: Rate = Rate { most: 100, once_in: Duration::from_millis(100) };

/// The same of all users of a server.
const LINES_OF_ALL: Rate = Rate { most: 1000, once_in: Duration::from_millis(10) };

/// The lines of one kind that may still be.
#[derive(Debug)]
struct Allowance {
    lines: Bucket,
    left_out: u64,
}

impl Allowance {
    fn of(lines: Rate) -> Self {
        Allowance { lines: Bucket::new(lines), left_out: 0 }
    }

    /// Takes a line, if there is one left; gives how many were left out before it.
    fn take(&mut self, now: Instant) -> Option<u64> {
        if self.lines.take(now) {
            return Some(std::mem::take(&mut self.left_out));
        }
        self.left_out += 1;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_logged_and_what_is_left_out_is_counted() {
        let mut allowance = Allowance::of(LINES);
        let begin = Instant::now();
        let taken = (0..10_000).filter(|_| allowance.take(begin).is_some()).count();
        assert_eq!(taken, 100);
        let a_second_later = begin + Duration::from_secs(1);
        assert_eq!(allowance.take(a_second_later), Some(9_900));
        assert_eq!(allowance.take(a_second_later), Some(0));
    }

    #[test]
    fn users_and_kinds_have_allowances_of_their_own() {
        let logs = PeerLogs::default();
        while logs.of(1).admits(Line::CallFailed) {}
        assert!(logs.of(1).admits(Line::CallUnreadable));
        assert!(logs.of(2).admits(Line::CallFailed));
    }

    #[test]
    fn users_who_have_left_are_forgotten_once_they_are_many() {
        let logs = PeerLogs::default();
        let stays = logs.of(0);
        (1..5000).for_each(|uid| drop(logs.of(uid)));
        assert!(logs.of_users.lock().unwrap().len() <= PeerLogs::REMEMBERED);
        assert!(Arc::ptr_eq(&stays, &logs.of(0)));
    }

    #[test]
    fn many_users_in_turn_have_few_lines_together() {
        let logs = PeerLogs::default();
        let admitted = (0..100_000).filter(|turn| logs.of(turn % 5_000).admits(Line::SessionRefused)).count();
        assert!((1_000..5_000).contains(&admitted), "{admitted} lines");
    }
}
