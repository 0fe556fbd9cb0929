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
    /// What the request must hold.
    pub(super) when: Option<Value>,
    pub(super) answer: CannedAnswer,
    pub(super) delay: Duration,
    /// How often it is given; without it, always.
    pub(super) times: Option<u32>,
}

#[derive(Clone)]
pub(super) enum CannedAnswer {
    Reply(Bytes),
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
        let method = found.info.ok_or_else(|| format!("no module has a method {name}"))?.id;
        let when = self.when.map(|when| request(schema, method, when)).transpose()?;
        let answer = match (self.reply, self.status, self.hang) {
            (Some(reply), None, false) => schema
                .to_reply(method, &reply)
                .map(CannedAnswer::Reply)
                .map_err(|problem| format!("`reply` of {name}: {problem}"))?,
            (None, Some(status), false) => CannedAnswer::Failure(failure(&status)?, self.error),
            (None, None, true) => CannedAnswer::Hang,
            (None, None, false) if self.error.is_some() => CannedAnswer::Failure(Status::FAILURE, self.error),
            (None, None, false) => CannedAnswer::Reply(Bytes::new()),
            _ => return Err("give one of `reply`, `status` and `hang`".to_owned()),
        };
        Ok(Canned { method, when, answer, delay: self.delay, times: self.times })
    }
}

/// What a request must hold, with its fields named and written as in the requests that it is held against.
fn request(schema: &Schema, method: i32, when: Value) -> Result<Value, String> {
    if when.is_string() {
        return Ok(when);
    }
    let bytes = schema.to_request(method, &when).map_err(|problem| format!("`when`: {problem}"))?;
    Ok(asked_for(schema.request(method, &bytes), &when))
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
fn failure(name: &str) -> Result<Status, String> {
    let statuses = (1..8).map(Status::from);
    statuses.clone().find(|status| status.name() == Some(name)).ok_or_else(|| {
        let names: Vec<_> = statuses.filter_map(Status::name).collect();
        format!("`{name}` is no status of a failure: write one of {}", names.join(", "))
    })
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text).map_err(serde::de::Error::custom)
}

fn unreadable(error: &io::Error) -> String {
    format!("it can't be read: {error}")
}

/// Whether a request holds all that is asked for: fields beyond those are of no matter.
pub(super) fn holds(request: &Value, wanted: &Value) -> bool {
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
