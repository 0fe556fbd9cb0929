//! The file of canned replies.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use drpc::{Bytes, Status};
use drpc_registry::{MethodEntry, ModuleEntry, Registry, closest};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use toml::Spanned;

use crate::legend::Legend;

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
pub(super) fn read(path: &Path, registry: &Registry, legend: &Legend) -> Result<Vec<Canned>, CannedError> {
    let failed = |problem: String| CannedError { path: path.to_owned(), problem };
    let text = fs::read_to_string(path).map_err(|error| failed(unreadable(&error)))?;
    let file: File = toml::from_str(&text).map_err(|error| failed(error.to_string()))?;
    file.reply
        .into_iter()
        .map(|entry| {
            let line = text[..entry.span().start].matches('\n').count() + 1;
            entry
                .into_inner()
                .canned(registry, legend)
                .map_err(|problem| failed(format!("line {line}: {problem}")))
        })
        .collect()
}

/// The method of a name such as `greeter.hello`, or of an ID.
fn method<'r>(registry: &'r Registry, name: &str) -> Result<(&'r ModuleEntry, &'r MethodEntry), String> {
    let methods = || {
        registry.modules().iter().flat_map(|module| module.methods.iter().map(move |method| (module, method)))
    };
    let full = |(module, method): (&ModuleEntry, &MethodEntry)| format!("{}.{}", module.name, method.name);
    let id = name.parse::<i32>().ok();
    methods().find(|&found| Some(found.1.id) == id || full(found) == name).ok_or_else(|| {
        let names: Vec<String> = methods().map(full).collect();
        let hint = closest(name, names.iter().map(String::as_str));
        let hint = hint.map_or_else(String::new, |name| format!(": did you mean `{name}`?"));
        format!("the registry has no method `{name}`{hint}")
    })
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
    fn canned(self, registry: &Registry, legend: &Legend) -> Result<Canned, String> {
        let name = match self.method {
            Name::Text(name) => name,
            Name::Id(id) => id.to_string(),
        };
        let (module, method) = method(registry, &name)?;
        let answer = match (self.reply, self.status, self.hang) {
            (Some(reply), None, false) => legend
                .to_reply(module.id, method.id, &reply)
                .map(CannedAnswer::Reply)
                .map_err(|problem| format!("`reply` of {name}: {problem}"))?,
            (None, Some(status), false) => CannedAnswer::Failure(failure(&status)?, self.error),
            (None, None, true) => CannedAnswer::Hang,
            (None, None, false) if self.error.is_some() => CannedAnswer::Failure(Status::FAILURE, self.error),
            (None, None, false) => CannedAnswer::Reply(Bytes::new()),
            _ => return Err("give one of `reply`, `status` and `hang`".to_owned()),
        };
        Ok(Canned { method: method.id, when: self.when, answer, delay: self.delay, times: self.times })
    }
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
