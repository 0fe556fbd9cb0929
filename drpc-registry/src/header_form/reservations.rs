//! Comments that reserve IDs: `reserved 503: was shout`, and the other ways to say so.

use super::expression::literal;
use crate::draft::{Field, MethodId, ReservedDraft};
use crate::report::Problem;
use crate::source::At;

/// The IDs that a comment reserves, each of its lines that begins with `reserved` and a number. Other comments are no business of ours.
pub(super) fn read(comment: &At<String>, text: &str, problems: &mut Vec<Problem>) -> Vec<ReservedDraft> {
    let mut found: Vec<Reservation> = Vec::new();
    for line in comment.value.lines() {
        if let Some(reservation) = Reservation::read_in_front(line) {
            found.push(reservation);
            continue;
        }
        match (ids(line), found.last_mut()) {
            (Some(ids), _) => match Reservation::read(ids) {
                Some(reservation) => found.push(reservation),
                None => {
                    let shown = text.lines().next().unwrap_or_default().replace(char::is_control, " ");
                    let problem =
                        Problem::new(format!("`{shown}` is not understood"), &comment.span, "which IDs?");
                    problems.push(problem.help(
                        "write `reserved 503: why`, `reserved 503, 504: why` or `reserved 503 to 509: why`",
                    ));
                    return Vec::new();
                }
            },
            (None, Some(last)) => last.go_on(line),
            (None, None) => {}
        }
    }
    let drafts = found.into_iter().flat_map(|Reservation { ids, reason }| {
        let reason = if reason.is_empty() { "reserved".to_owned() } else { reason };
        ids.into_iter().map(move |id| (id, reason.clone()))
    });
    let draft = |(id, reason)| ReservedDraft {
        span: comment.span.clone(),
        id: MethodId::global(At { value: id, span: comment.span.clone() }),
        reason: Field::Given(At { value: reason, span: comment.span.clone() }),
    };
    drafts.map(draft).collect()
}

/// Whether a comment is a reservation beyond doubt, by its first line.
pub(super) fn is_one(comment: &str) -> bool {
    let line = comment.lines().next().unwrap_or_default();
    line.contains(':') && ids(line).and_then(Reservation::read).is_some()
}

/// What stands behind the word `reserved`, if that is a number.
fn ids(line: &str) -> Option<&str> {
    let (word, rest) = line.split_at_checked("reserved".len())?;
    let ids = rest.trim_start_matches([' ', ':', '=', '#']);
    (word.eq_ignore_ascii_case("reserved") && ids.len() < rest.len() && begins_with_id(ids)).then_some(ids)
}

fn begins_with_id(text: &str) -> bool {
    text.strip_prefix('-').unwrap_or(text).starts_with(|c: char| c.is_ascii_digit())
}

/// What may stand between IDs and a reason.
const MARKS: [char; 9] = [' ', ':', ';', ',', '.', '-', '–', '—', '='];

/// The IDs of a module, at most.
const MOST: i64 = 100;

/// IDs, and why they are reserved.
struct Reservation {
    ids: Vec<i32>,
    reason: String,
}

impl Reservation {
    /// `503: was shout`, `503 to 505, 509 - were planned`.
    fn read(text: &str) -> Option<Self> {
        let (ids, rest) = list(text)?;
        let reason = match rest.trim_start().strip_prefix(':') {
            Some(reason) => reason.trim_start(),
            None => rest.trim_start_matches(MARKS),
        };
        let is_apart = reason.is_empty() || reason.len() < rest.len() || reason.starts_with('(');
        is_apart.then(|| Reservation { ids, reason: reason.to_owned() })
    }

    /// `503: reserved, was shout`.
    fn read_in_front(line: &str) -> Option<Self> {
        if !begins_with_id(line) {
            return None;
        }
        let (ids, rest) = list(line)?;
        let rest = rest.trim_start_matches(MARKS);
        let rest = ["is ", "are "].iter().find_map(|verb| rest.strip_prefix(verb)).unwrap_or(rest);
        let (word, reason) = rest.split_at_checked("reserved".len())?;
        let is_word = word.eq_ignore_ascii_case("reserved") && !reason.starts_with(char::is_alphanumeric);
        is_word.then(|| Reservation { ids, reason: reason.trim_start_matches(MARKS).to_owned() })
    }

    fn go_on(&mut self, line: &str) {
        let space = if self.reason.is_empty() { "" } else { " " };
        self.reason = format!("{}{space}{line}", self.reason);
    }
}

/// IDs and ranges of them, and what stands behind.
fn list(text: &str) -> Option<(Vec<i32>, &str)> {
    let mut ids = Vec::new();
    let mut rest = text;
    loop {
        let (first, behind) = id(rest)?;
        rest = behind;
        let mut last = first;
        if let Some(end) = behind_any(rest, &["to ", "through ", "...", "..", "-", "–"]) {
            (last, rest) = id(end)?;
        }
        if !(0..MOST).contains(&(i64::from(last) - i64::from(first))) {
            return None;
        }
        ids.extend(first..=last);
        match behind_any(rest, &[",", "and ", "&"]) {
            Some(next) => rest = next,
            None => return Some((ids, rest)),
        }
    }
}

/// An ID as C writes it, perhaps with a minus, and what stands behind it.
fn id(text: &str) -> Option<(i32, &str)> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let length = digits.find(|c: char| !(c.is_ascii_alphanumeric() || c == '\'')).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(length);
    let number = literal(digits)?.number;
    let number = if text.starts_with('-') { -number } else { number };
    Some((i32::try_from(number).ok()?, rest))
}

/// What stands behind one of the marks, if that is an ID again.
fn behind_any<'t>(text: &'t str, marks: &[&str]) -> Option<&'t str> {
    let text = text.trim_start();
    let behind = marks.iter().find_map(|mark| text.strip_prefix(mark))?.trim_start();
    begins_with_id(behind).then_some(behind)
}
