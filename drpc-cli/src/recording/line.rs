//! Traffic in lines, for people and for programs.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use anstyle::{AnsiColor, Style};
use drpc::wire::{Call, Control, Credit, Part, Response};
use serde_json::{Value, json};

use super::{Answer, Asked, Conversations, Event, Filter, Peer, Said, Seen, To, What};
use crate::schema::Schema;
use crate::words::{self, count, printable};

/// The longest body that is shown in a line, in characters.
const SHOWN: usize = 200;

const FAILED: Style = AnsiColor::Red.on_default();
const ASIDE: Style = Style::new().dimmed();

/// Writes what events add, a line each.
pub(crate) struct Lines<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) filter: &'a Filter,
    pub(crate) json: bool,
    conversations: Conversations,
    begun: SystemTime,
    /// When the last event was, since then.
    last: Duration,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(schema: &'a Schema, filter: &'a Filter, json: bool) -> Self {
        let (conversations, begun) = (Conversations::default(), SystemTime::UNIX_EPOCH);
        Lines { schema, filter, json, conversations, begun, last: Duration::ZERO }
    }

    pub(crate) fn write(&mut self, event: &Event, out: &mut dyn Write) -> io::Result<()> {
        if let Event::Begun { epoch_us, .. } = event {
            self.begun = SystemTime::UNIX_EPOCH + Duration::from_micros(*epoch_us);
        }
        if let Event::Packet { at_us, .. } | Event::Opened { at_us, .. } | Event::Closed { at_us, .. } = event
        {
            self.last = Duration::from_micros(*at_us);
        }
        for seen in self.conversations.take(event) {
            self.show(&seen, out)?;
        }
        out.flush()
    }

    /// Writes what is to be said when there are no more events.
    pub(crate) fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        for seen in self.conversations.end(self.last) {
            self.show(&seen, out)?;
        }
        out.flush()
    }

    fn show(&self, seen: &Seen, out: &mut dyn Write) -> io::Result<()> {
        if !self.filter.takes_peer(seen.peer.as_ref()) {
            return Ok(());
        }
        match &seen.what {
            What::Call(call) => {
                if !self.filter.needs_reply() && self.filter.takes_call(call) {
                    self.call(seen, seen.at, call, seen.descriptors, out)?;
                }
            }
            What::Control(said) => {
                if !self.filter.needs_reply() && self.filter.takes_call(&said.call) {
                    self.said(seen, said, out)?;
                }
            }
            What::Answer(answer) => {
                if self.filter.takes_answer(answer, seen.at) {
                    if let (true, Some(asked)) = (self.filter.needs_reply(), &answer.asked) {
                        self.call(seen, asked.at, &asked.call, asked.descriptors, out)?;
                    }
                    self.answer(seen, answer, out)?;
                }
            }
            What::Unanswered(asked) => {
                if self.filter.takes_unanswered(&asked.call, seen.at.saturating_sub(asked.at)) {
                    self.call(seen, asked.at, &asked.call, asked.descriptors, out)?;
                    self.unanswered(seen, asked, out)?;
                }
            }
            What::Opened | What::Closed(None) if !self.filter.takes_all_calls() => {}
            What::Opened => self.aside(seen, "connected", None, out)?,
            What::Closed(error) => self.aside(seen, "closed", error.as_deref(), out)?,
            What::Unreadable(to, why) => {
                let what = match to {
                    To::Server => "unreadable, to the server",
                    To::Client => "unreadable, to the client",
                };
                self.aside(seen, what, Some(why), out)?;
            }
        }
        Ok(())
    }

    fn call(
        &self,
        seen: &Seen,
        at: Duration,
        call: &Call,
        descriptors: usize,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let method = self.schema.method(call.module, call.method);
        let body = self.schema.request(call.method, &call.body);
        if self.json {
            let line = json!({
                "event": "call", "time": self.time(at), "session": seen.session, "peer": seen.peer,
                "method": method, "method_id": call.method, "sequence": call.sequence,
                "bytes": call.body.len(), "body": body, "descriptors": descriptors,
            });
            return writeln!(out, "{}", words::json(&line));
        }
        let start = self.start(seen, at);
        let (size, passed) = (shown(call.body.len(), &body), passed(descriptors));
        writeln!(out, "{start} > {method} seq={}{passed}{size}", call.sequence)
    }

    fn said(&self, seen: &Seen, said: &Said, out: &mut dyn Write) -> io::Result<()> {
        let Said { control, body, call, sent } = said;
        let method = self.schema.method(call.module, call.method);
        let item = (*control == Control::Item).then(|| self.schema.item(call.method, body));
        let (event, items, bytes) = match control {
            Control::Credit(credit) => ("credit", Some(credit.items as usize), Some(credit.bytes)),
            Control::Item => ("sent", Some(*sent), Some(body.len() as u64)),
            Control::End => ("end", Some(*sent), None),
            Control::Abort => ("abort", Some(*sent), None),
            _ => ("cancel", None, None),
        };
        if self.json {
            let line = json!({
                "event": event, "time": self.time(seen.at), "session": seen.session, "peer": seen.peer,
                "method": method, "method_id": call.method, "sequence": call.sequence,
                "items": items, "bytes": bytes, "body": item, "descriptors": seen.descriptors,
            });
            return writeln!(out, "{}", words::json(&line));
        }
        let what = match (control, &item) {
            (_, Some(item)) => format!("item {sent}{}{}", passed(seen.descriptors), shown(body.len(), item)),
            (Control::Credit(credit), _) => format!("{ASIDE}{}{ASIDE:#}", room(*credit)),
            (Control::End | Control::Abort, _) => {
                format!("{ASIDE}{event} after {}{ASIDE:#}", count(*sent, "item"))
            }
            _ => format!("{ASIDE}{event}{ASIDE:#}"),
        };
        writeln!(out, "{} > {method} seq={} {what}", self.start(seen, seen.at), call.sequence)
    }

    fn answer(&self, seen: &Seen, answer: &Answer, out: &mut dyn Write) -> io::Result<()> {
        let Response { sequence, status, body: bytes, added } = &answer.response;
        let asked = answer.asked.as_ref();
        let (method, body) = match asked {
            Some(Asked { call, .. }) => {
                (self.schema.method(call.module, call.method), self.schema.reply(call.method, *status, bytes))
            }
            None => ("no call".to_owned(), Value::String(hex::encode(bytes))),
        };
        let took = asked.map(|asked| seen.at.saturating_sub(asked.at));
        let items = asked.and_then(|asked| asked.items);
        let part = answer.response.part();
        let credit = added.as_ref().and_then(|added| added.credit).unwrap_or_default();
        let error = added.as_ref().map(|added| added.error.as_str()).filter(|error| !error.is_empty());
        if self.json {
            let event = match part {
                None => "reply",
                Some(Part::Opened) => "stream",
                Some(Part::Credit) => "credit",
                Some(Part::Enough) => "enough",
                Some(_) => "item",
            };
            let (items, size) = match part {
                Some(Part::Credit) => (Some(credit.items as usize), credit.bytes),
                _ => (items, bytes.len() as u64),
            };
            let line = json!({
                "event": event, "time": self.time(seen.at), "session": seen.session, "peer": seen.peer,
                "method": method, "method_id": asked.map(|asked| asked.call.method),
                "sequence": sequence, "status": status.to_string(), "error": error, "items": items,
                "took_us": took.map(|took| took.as_micros() as u64), "bytes": size, "body": body,
                "descriptors": seen.descriptors,
            });
            return writeln!(out, "{}", words::json(&line));
        }
        let what = match part {
            Some(Part::Opened) => format!("{ASIDE}opened{ASIDE:#}"),
            Some(Part::Credit) => format!("{ASIDE}{}{ASIDE:#}", room(credit)),
            Some(Part::Enough) => format!("{ASIDE}enough{ASIDE:#}"),
            Some(_) => format!("item {}", items.unwrap_or_default()),
            None if status.is_failure() => format!("{FAILED}{status}{FAILED:#}"),
            None => status.to_string(),
        };
        let mut line = format!("{} < {method} seq={sequence} {what}", self.start(seen, seen.at));
        // Writing to a String does not fail.
        if let (None, Some(items)) = (part, items) {
            let _ = write!(line, " after {}", count(items, "item"));
        }
        if let Some(took) = took {
            let _ = write!(line, " in {took:.1?}");
        }
        line.push_str(&passed(seen.descriptors));
        if let None | Some(Part::Item) = part {
            line.push_str(&shown(bytes.len(), &body));
        }
        if let Some(error) = error {
            let _ = write!(line, ": {}", printable(error));
        }
        writeln!(out, "{line}")
    }

    fn unanswered(&self, seen: &Seen, asked: &Asked, out: &mut dyn Write) -> io::Result<()> {
        let Call { module, method, sequence, .. } = asked.call;
        let (name, waited) = (self.schema.method(module, method), seen.at.saturating_sub(asked.at));
        if self.json {
            let line = json!({
                "event": "unanswered", "time": self.time(seen.at), "session": seen.session, "peer": seen.peer,
                "method": name, "method_id": method, "sequence": sequence, "items": asked.items,
                "took_us": waited.as_micros() as u64,
            });
            return writeln!(out, "{}", words::json(&line));
        }
        let start = self.start(seen, seen.at);
        writeln!(out, "{start} < {name} seq={sequence} {FAILED}no reply{FAILED:#} in {waited:.1?}")
    }

    /// What is no message.
    fn aside(&self, seen: &Seen, what: &str, why: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
        if self.json {
            let line = json!({
                "event": what, "time": self.time(seen.at), "session": seen.session, "peer": seen.peer, "why": why,
            });
            return writeln!(out, "{}", words::json(&line));
        }
        let why = why.map(|why| format!(": {}", printable(why))).unwrap_or_default();
        writeln!(out, "{ASIDE}{} {what}{why}{ASIDE:#}", self.start(seen, seen.at))
    }

    fn start(&self, seen: &Seen, at: Duration) -> String {
        let time = self.time(at);
        // The time of day.
        let time = time.get(11..26).unwrap_or(&time);
        let peer = seen.peer.as_ref().map(Peer::to_string).unwrap_or_else(|| "client".to_owned());
        format!("{time} #{} {peer}", seen.session)
    }

    /// In UTC, to the microsecond.
    fn time(&self, at: Duration) -> String {
        humantime::format_rfc3339_micros(words::time(self.begun + at)).to_string()
    }
}

/// For how much more of a stream there is room.
fn room(credit: Credit) -> String {
    format!("credit for {}, {} bytes", count(credit.items as usize, "item"), credit.bytes)
}

/// What passed beside a message.
fn passed(descriptors: usize) -> String {
    match descriptors {
        0 => String::new(),
        1 => " 1 descriptor".to_owned(),
        more => format!(" {more} descriptors"),
    }
}

/// A body in a line: its length, and JSON as it is, else hex; cut where it is too long.
fn shown(bytes: usize, body: &Value) -> String {
    let text = match body {
        Value::String(hex) if hex.is_empty() => return format!(" {bytes} bytes"),
        Value::String(hex) => hex.clone(),
        json => words::json(json),
    };
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!(" {bytes} bytes {}…", &text[..end]),
        None => format!(" {bytes} bytes {text}"),
    }
}
