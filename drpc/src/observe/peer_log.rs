//! How much a peer may have logged: what it can cause as often as it likes must not fill a disk, nor stop who writes the log.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
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
}

impl Line {
    const KINDS: usize = Line::DescriptorsRefused as usize + 1;
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
        })
    }
}

/// What one peer has had logged lately: all sessions of a user with a server, or the server of a client's connection.
#[derive(Debug, Default)]
pub(crate) struct PeerLog {
    /// `None` where the peer needs no name.
    uid: Option<u32>,
    allowances: [Mutex<Allowance>; Line::KINDS],
}

impl PeerLog {
    /// Whether a line of this kind is to be logged now. What was left out since the last one is told first.
    #[cold]
    pub(crate) fn admits(&self, line: Line) -> bool {
        let mut allowance = self.allowances[line as usize].lock().unwrap_or_else(PoisonError::into_inner);
        let Some(left_out) = allowance.take(Instant::now()) else { return false };
        drop(allowance);
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
        let left_out = self
            .allowances
            .iter_mut()
            .map(|allowance| allowance.get_mut().unwrap_or_else(PoisonError::into_inner).left_out);
        let left_out = left_out.sum();
        self.tell("lines of all kinds", left_out);
    }
}

/// The logs of a server's peers, by user: who connects anew has no new allowance.
#[derive(Debug, Default)]
pub(crate) struct PeerLogs(Mutex<HashMap<u32, Arc<PeerLog>>>);

impl PeerLogs {
    /// How many users are remembered, beside those who have sessions.
    const REMEMBERED: usize = 1024;

    pub(crate) fn of(&self, uid: u32) -> Arc<PeerLog> {
        let mut logs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if logs.len() >= Self::REMEMBERED && !logs.contains_key(&uid) {
            logs.retain(|_, log| Arc::strong_count(log) > 1);
        }
        logs.entry(uid)
            .or_insert_with(|| Arc::new(PeerLog { uid: Some(uid), allowances: Default::default() }))
            .clone()
    }
}

/// How many lines of one kind there may be.
const LINES: Rate = Rate { most: 100, once_in: Duration::from_millis(100) };

/// The lines of one kind that may still be.
#[derive(Debug)]
struct Allowance {
    lines: Bucket,
    left_out: u64,
}

impl Allowance {
    /// Takes a line, if there is one left; gives how many were left out before it.
    fn take(&mut self, now: Instant) -> Option<u64> {
        if self.lines.take(now) {
            return Some(std::mem::take(&mut self.left_out));
        }
        self.left_out += 1;
        None
    }
}

impl Default for Allowance {
    fn default() -> Self {
        Allowance { lines: Bucket::new(LINES), left_out: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_logged_and_what_is_left_out_is_counted() {
        let mut allowance = Allowance::default();
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
        assert!(logs.0.lock().unwrap().len() <= PeerLogs::REMEMBERED);
        assert!(Arc::ptr_eq(&stays, &logs.of(0)));
    }
}
