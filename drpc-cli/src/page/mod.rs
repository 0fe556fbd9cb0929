//! A recording as a whole: as a page to look at, and as events for trace viewers.

use std::collections::HashMap;
use std::time::Duration;

use drpc::wire::{Call, Part, Response};
use serde::Serialize;
use serde_json::{Value, json};

use crate::recording::{Answer, Asked, Conversations, Event, Filter, Peer, Said, Seen, What};
use crate::schema::Schema;

/// The page, but for its data.
const PAGE: &str = include_str!("page.html");

/// All calls of a recording that a filter takes.
#[derive(Serialize)]
pub(crate) struct Story {
    target: String,
    epoch_us: u64,
    end_us: u64,
    /// The clients' processes.
    lanes: Vec<Lane>,
    calls: Vec<Exchange>,
}

#[derive(Serialize)]
struct Lane {
    name: String,
    pid: Option<i32>,
    uid: Option<u32>,
}

/// A call and what became of it. Times are microseconds since the recording began.
#[derive(Serialize)]
struct Exchange {
    lane: usize,
    session: u64,
    sequence: i64,
    method: String,
    begun_us: u64,
    request: Value,
    request_bytes: usize,
    /// How many items its caller has sent after it.
    sent: usize,
    /// `None` for one that is not answered by a stream.
    stream: Option<Streamed>,
    /// `None` for a call that was not answered.
    #[serde(flatten)]
    outcome: Option<Outcome>,
}

/// The items of a stream.
#[derive(Default, Serialize)]
struct Streamed {
    /// When each came.
    items_us: Vec<u64>,
    /// The one that came last.
    last: Value,
    last_bytes: usize,
}

#[derive(Serialize)]
struct Outcome {
    ended_us: u64,
    status: String,
    failed: bool,
    error: Option<String>,
    reply: Value,
    reply_bytes: usize,
}

impl Story {
    pub(crate) fn of(events: &[Event], filter: &Filter, schema: &Schema) -> Story {
        let story =
            Story { target: String::new(), epoch_us: 0, end_us: 0, lanes: Vec::new(), calls: Vec::new() };
        let (lanes, open, taken) = (HashMap::new(), HashMap::new(), Vec::new());
        let mut teller = Teller { filter, schema, story, lanes, open, taken };
        let mut conversations = Conversations::default();
        for event in events {
            if let Event::Begun { target, epoch_us, .. } = event {
                teller.story.target.clone_from(target);
                teller.story.epoch_us = *epoch_us;
            }
            conversations.take(event).iter().for_each(|seen| teller.take(seen));
        }
        let end = Duration::from_micros(teller.story.end_us);
        conversations.end(end).iter().for_each(|seen| teller.take(seen));
        teller.finish()
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.len()
    }

    /// One page that needs nothing else.
    pub(crate) fn to_html(&self, title: &str) -> String {
        // In JSON `<` stands in texts alone, where it may be written so: then no text ends the element.
        let data = json!({ "title": title, "story": self }).to_string().replace('<', "\\u003c");
        PAGE.replacen("{{DATA}}", &data, 1)
    }

    /// The trace events of Chrome's viewers: each call is an asynchronous span, since calls of one session may overlap.
    pub(crate) fn to_trace_events(&self) -> Value {
        // A number for each, since several may have one PID: one that has run several programs, or those of other namespaces, which have none here.
        let pid = |lane: usize| lane + 1;
        let names = self.lanes.iter().enumerate().map(|(lane, Lane { name, .. })| {
            json!({ "ph": "M", "name": "process_name", "pid": pid(lane), "args": { "name": name } })
        });
        let spans = self.calls.iter().enumerate().flat_map(|(id, call)| {
            let end = call.outcome.as_ref().map_or(self.end_us, |outcome| outcome.ended_us);
            let event = |phase: &str, at: u64, args: Value| {
                json!({
                    "ph": phase, "cat": "drpc", "name": call.method, "id": id, "pid": pid(call.lane),
                    "tid": call.session, "ts": at, "args": args,
                })
            };
            let asked = json!({ "sequence": call.sequence, "request": call.request });
            let items = call.stream.as_ref().map(|stream| stream.items_us.len());
            let answered = call.outcome.as_ref().map_or_else(
                || json!({ "status": "no reply", "items": items }),
                |Outcome { status, error, reply, .. }| {
                    json!({ "status": status, "error": error, "reply": reply, "items": items })
                },
            );
            [event("b", call.begun_us, asked), event("e", end, answered)]
        });
        let events: Vec<Value> = names.chain(spans).collect();
        json!({ "displayTimeUnit": "ms", "traceEvents": events })
    }
}

/// Makes a story of what is seen.
struct Teller<'a> {
    filter: &'a Filter,
    schema: &'a Schema,
    story: Story,
    lanes: HashMap<Option<Peer>, usize>,
    /// The calls that are not answered yet, by session and sequence.
    open: HashMap<(u64, i64), usize>,
    /// Which calls the filter takes, as far as is known.
    taken: Vec<bool>,
}

impl Teller<'_> {
    fn take(&mut self, seen: &Seen) {
        self.story.end_us = self.story.end_us.max(micros(seen.at));
        match &seen.what {
            What::Call(call) => self.call(seen, call),
            What::Answer(answer) => self.answer(seen, answer),
            What::Control(said) => self.said(seen, said),
            What::Unanswered(asked) => self.unanswered(seen, asked),
            What::Opened | What::Unreadable(..) | What::Closed(_) => {}
        }
    }

    fn call(&mut self, seen: &Seen, call: &Call) {
        self.open.insert((seen.session, call.sequence), self.story.calls.len());
        self.taken.push(
            !self.filter.needs_reply()
                && self.filter.takes_peer(seen.peer.as_ref())
                && self.filter.takes_call(call),
        );
        let lane = *self.lanes.entry(seen.peer.clone()).or_insert_with(|| {
            self.story.lanes.push(Lane::of(seen.peer.as_ref()));
            self.story.lanes.len() - 1
        });
        self.story.calls.push(Exchange {
            lane,
            session: seen.session,
            sequence: call.sequence,
            method: self.schema.method(call.module, call.method),
            begun_us: micros(seen.at),
            request: self.schema.request(call.method, &call.body),
            request_bytes: call.body.len(),
            sent: 0,
            stream: None,
            outcome: None,
        });
    }

    fn said(&mut self, seen: &Seen, said: &Said) {
        if let Some(&place) = self.open.get(&(seen.session, said.call.sequence)) {
            self.story.calls[place].sent = said.sent;
        }
    }

    fn answer(&mut self, seen: &Seen, answer: &Answer) {
        let Some(Asked { call, items, .. }) = &answer.asked else { return };
        let Some(&place) = self.open.get(&(seen.session, call.sequence)) else { return };
        if let Some(part) = answer.response.part() {
            if items.is_some() {
                let stream = self.story.calls[place].stream.get_or_insert_default();
                if part == Part::Item {
                    stream.take(call, &answer.response, micros(seen.at), self.schema);
                }
            }
            return;
        }
        self.open.remove(&(seen.session, call.sequence));
        self.taken[place] =
            self.filter.takes_peer(seen.peer.as_ref()) && self.filter.takes_answer(answer, seen.at);
        self.story.calls[place].outcome = Some(Outcome::of(call, answer, micros(seen.at), self.schema));
    }

    fn unanswered(&mut self, seen: &Seen, asked: &Asked) {
        let Some(place) = self.open.remove(&(seen.session, asked.call.sequence)) else { return };
        self.taken[place] |= self.filter.takes_peer(seen.peer.as_ref())
            && self.filter.takes_unanswered(&asked.call, seen.at.saturating_sub(asked.at));
    }

    /// Leaves out what the filter does not take.
    fn finish(mut self) -> Story {
        let mut taken = self.taken.into_iter();
        self.story.calls.retain(|_| taken.next().unwrap_or(true));
        self.story
    }
}

impl Lane {
    fn of(peer: Option<&Peer>) -> Lane {
        Lane {
            name: peer.map_or_else(|| "client".to_owned(), Peer::to_string),
            pid: peer.and_then(|peer| peer.pid),
            uid: peer.map(|peer| peer.uid),
        }
    }
}

impl Streamed {
    fn take(&mut self, call: &Call, item: &Response, at_us: u64, schema: &Schema) {
        self.items_us.push(at_us);
        self.last = schema.reply(call.method, item.status, &item.body);
        self.last_bytes = item.body.len();
    }
}

impl Outcome {
    fn of(call: &Call, answer: &Answer, ended_us: u64, schema: &Schema) -> Outcome {
        let response = &answer.response;
        Outcome {
            ended_us,
            status: response.status.to_string(),
            failed: response.status.is_failure(),
            error: response.added.as_ref().map(|added| added.error.clone()).filter(|error| !error.is_empty()),
            reply: schema.reply(call.method, response.status, &response.body),
            reply_bytes: response.body.len(),
        }
    }
}

fn micros(time: Duration) -> u64 {
    time.as_micros() as u64
}
