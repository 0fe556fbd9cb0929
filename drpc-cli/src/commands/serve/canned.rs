//! The file of canned replies.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use drpc::{Bytes, Status};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use toml::Spanned;

use crate::schema::Schema;

/// A reply to give.
pub(super) struct Canned {
    pub(super) method: i32,
    /// What the request must be or hold.
    pub(super) when: Option<When>,
    pub(super) answer: CannedAnswer,
    pub(super) delay: Duration,
    /// How often it is given; without it, always.
    pub(super) times: Option<u32>,
}

pub(super) enum When {
    /// All of it, by its bytes.
    Is(Vec<u8>),
    /// Fields, with those names and in that form in which a request is shown.
    Holds(Value),
}

#[derive(Clone)]
pub(super) enum CannedAnswer {
    Reply(Bytes),
    /// The items of a stream.
    Items(Vec<Bytes>),
    Submitted,
    Failure(Status, Option<String>),
    /// None, ever.
    Hang,
}

/// Reads the file, and makes every reply a body: so a mistake in it is told of before anybody calls.
pub(super) fn read(path: &Path, schema: &Schema) -> Result<Vec<Canned>, CannedError> {
    let failed = |problem: String| CannedError { path: path.to_owned(), problem };
    let text = fs::read_to_string(path).map_err(|error| failed(unreadable(&error)))?;
    let file: File = toml::from_str(&text).map_err(|error| failed(error.to_string()))?;
    file.reply
        .into_iter()
        .map(|entry| {
            let line = text[..entry.span().start].matches('\n').count() + 1;
            entry.into_inner().canned(schema).map_err(|problem| failed(format!("line {line}: {problem}")))
        })
        .collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    reply: Vec<Spanned<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    method: Name,
    when: Option<Value>,
    reply: Option<Value>,
    items: Option<Vec<Value>>,
    status: Option<String>,
    error: Option<String>,
    #[serde(default)]
    hang: bool,
    #[serde(default, deserialize_with = "duration")]
    delay: Duration,
    times: Option<u32>,
}

/// `"greeter.hello"`, or `501`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Name {
    Text(String),
    Id(i32),
}

impl Entry {
    fn canned(self, schema: &Schema) -> Result<Canned, String> {
        let name = match self.method {
            Name::Text(name) => name,
            Name::Id(id) => id.to_string(),
        };
        let found = schema.find_method(&name).map_err(|unknown| unknown.to_string())?;
        let info = found.info.ok_or_else(|| format!("no module has a method {name}"))?;
        if info.items.is_some() {
            return Err(format!("{name} takes a stream, and is not served"));
        }
        let (method, is_stream) = (info.id, info.is_stream);
        let when = self.when.as_ref().map(|when| request(schema, method, when)).transpose()?;
        let body = |reply: &Value, what: &str| {
            schema.to_reply(method, reply).map_err(|problem| format!("`{what}` of {name}: {problem}"))
        };
        let answer = match (self.reply, self.items, self.status, self.hang) {
            (Some(_), ..) if is_stream => {
                return Err(format!("{name} answers by a stream: give its `items` in place of `reply`"));
            }
            (_, Some(_), ..) if !is_stream => {
                return Err(format!("{name} answers by no stream: give its `reply` in place of `items`"));
            }
            (Some(reply), None, None, false) => CannedAnswer::Reply(body(&reply, "reply")?),
            (None, Some(items), None, false) => {
                let items = items.iter().map(|item| body(item, "items"));
                CannedAnswer::Items(items.collect::<Result<_, _>>()?)
            }
            (None, None, Some(status), false) => match answered(&status)? {
                Status::SUBMITTED => CannedAnswer::Submitted,
                status => CannedAnswer::Failure(status, self.error.clone()),
            },
            (None, None, None, true) => CannedAnswer::Hang,
            (None, None, None, false) if self.error.is_some() => {
                CannedAnswer::Failure(Status::FAILURE, self.error.clone())
            }
            (None, None, None, false) if is_stream => CannedAnswer::Items(Vec::new()),
            (None, None, None, false) => CannedAnswer::Reply(Bytes::new()),
            _ => return Err("give one of `reply`, `items`, `status` and `hang`".to_owned()),
        };
        if self.error.is_some() && !matches!(answer, CannedAnswer::Failure(..)) {
            return Err(
                "`error` is the text of a failure: give it alone, or with the `status` of one".to_owned()
            );
        }
        Ok(Canned { method, when, answer, delay: self.delay, times: self.times })
    }
}

/// What a request must be, if hex digits say it; or what it must hold, with its fields named and written as in the requests that it is held against.
fn request(schema: &Schema, method: i32, when: &Value) -> Result<When, String> {
    if let Value::String(digits) = when {
        let bytes = hex::decode(digits);
        return bytes.map(When::Is).map_err(|problem| format!("`when`: hex digits were expected: {problem}"));
    }
    let bytes = schema.to_request(method, when).map_err(|problem| format!("`when`: {problem}"))?;
    Ok(When::Holds(asked_for(schema.request(method, &bytes), when)))
}

/// Of a whole message, the fields that are asked for: by protobuf's own names, or as JSON spells them.
fn asked_for(whole: Value, when: &Value) -> Value {
    let (Value::Object(mut whole), Value::Object(when)) = (whole.clone(), when) else { return whole };
    let fields = when.iter().filter_map(|(key, wanted)| {
        let name = whole.keys().find(|name| *name == key || json_name(name) == *key)?.clone();
        whole.remove(&name).map(|value| (name, asked_for(value, wanted)))
    });
    Value::Object(fields.collect())
}

/// `poolSize` for `pool_size`.
fn json_name(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut name, word| {
        let mut letters = word.chars();
        name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        name.push_str(letters.as_str());
        name
    })
}

/// A status by DAOS's name, but for the one of success.
fn answered(name: &str) -> Result<Status, String> {
    let statuses = (1..8).map(Status::from);
    statuses.clone().find(|status| status.name() == Some(name)).ok_or_else(|| {
        let names: Vec<_> = statuses.filter_map(Status::name).collect();
        format!("`{name}` is no status to be answered with: write one of {}", names.join(", "))
    })
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text).map_err(serde::de::Error::custom)
}

fn unreadable(error: &io::Error) -> String {
    format!("it can't be read: {error}")
}

impl When {
    pub(super) fn is_met(&self, schema: &Schema, method: i32, body: &[u8]) -> bool {
        match self {
            When::Is(bytes) => bytes == body,
            When::Holds(wanted) => holds(&schema.request(method, body), wanted),
        }
    }
}

/// Whether a request holds all that is asked for: fields beyond those are of no matter.
fn holds(request: &Value, wanted: &Value) -> bool {
    match (request, wanted) {
        (Value::Object(request), Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| request.get(key).is_some_and(|value| holds(value, wanted)))
        }
        (request, wanted) => request == wanted,
    }
}

/// What is wrong with a file of canned replies.
#[derive(Debug)]
pub(super) struct CannedError {
    path: PathBuf,
    problem: String,
}

impl fmt::Display for CannedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.problem.trim_end())
    }
}

impl std::error::Error for CannedError {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_may_hold_more_than_is_asked_for() {
        let request = json!({ "name": "World", "titles": ["a"], "address": { "city": "X", "zip": "1" } });
        for wanted in [json!({}), json!({ "name": "World" }), json!({ "address": { "zip": "1" } })] {
            assert!(holds(&request, &wanted), "{wanted}");
        }
        for wanted in
            [json!({ "name": "W" }), json!({ "other": null }), json!({ "titles": [] }), json!("World")]
        {
            assert!(!holds(&request, &wanted), "{wanted}");
        }
    }
}
