//! Many hosts at once.

use std::fmt;

use futures_util::stream::{self, StreamExt};

/// The hosts that a text names: names with commas in between, and ranges in brackets, as clusters write them.
///
/// A range keeps its width: `node[001-003]` is `node001`, `node002`, `node003`. Brackets may hold several, and stand in up to 8 places of a name. At most
/// 100,000 hosts are named at once.
///
/// ```
/// let hosts = drpc_grpc::hosts("login1,node[08-10,20]-ib")?;
/// assert_eq!(hosts, ["login1", "node08-ib", "node09-ib", "node10-ib", "node20-ib"]);
/// # Ok::<(), drpc_grpc::InvalidHosts>(())
/// ```
///
/// # Errors
///
/// [`InvalidHosts`] with the part that is not of this form.
pub fn hosts(text: &str) -> Result<Vec<String>, InvalidHosts> {
    let mut hosts = Vec::new();
    for part in parts(text)? {
        if part.matches('[').count() > BRACKETS {
            return Err(InvalidHosts::new(part, "more than 8 brackets stand in one name"));
        }
        expand(String::new(), part, &mut hosts)?;
    }
    Ok(hosts)
}

/// The most hosts that one text may name.
const MOST: usize = 100_000;

/// The most brackets that one name may have.
const BRACKETS: usize = 8;

/// Makes one call to each of many, at most so many at a time, and returns what came of each, in their order. One that fails keeps none from being called: its error is its
/// result. Give the calls a [time-out](drpc::CallOptions::timeout), and it is over in time whatever some host does.
///
/// ```no_run
/// # #[drpc::drpc_module(id = 5, client_only)] pub trait Greeter { #[method(1)] fn hello(&self); }
/// use std::time::Duration;
/// use drpc_grpc::{GrpcCaller, Tls, call_each, hosts};
///
/// # async fn example(tls: Tls) -> Result<(), Box<dyn std::error::Error>> {
/// let settings = |host: String| {
///     GrpcCaller::builder(format!("https://{host}:7443")).tls(tls.clone()).timeout(Duration::from_secs(5))
/// };
/// let outcomes = call_each(hosts("node[001-128]")?, 32, async |host| {
///     GreeterClient::new(settings(host).connect_lazy()?).hello().await
/// });
/// for (host, outcome) in outcomes.await {
///     match outcome {
///         Ok(()) => println!("{host}: done"),
///         Err(error) => println!("{host}: {error}"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// A handler may call so the hosts of its branch of [a tree](crate#a-tree), which pays from a thousand hosts on.
///
/// Cancel safe: dropped, it drops the calls that are under way, and makes no more.
pub async fn call_each<H: Clone, T, E, F: Future<Output = Result<T, E>>>(
    hosts: impl IntoIterator<Item = H>,
    at_a_time: usize,
    call: impl Fn(H) -> F,
) -> Vec<(H, Result<T, E>)> {
    let calls = hosts.into_iter().enumerate().map(|(place, host)| {
        let called = call(host.clone());
        async move { (place, host, called.await) }
    });
    let mut outcomes: Vec<_> = stream::iter(calls).buffer_unordered(at_a_time.max(1)).collect().await;
    outcomes.sort_unstable_by_key(|(place, ..)| *place);
    outcomes.into_iter().map(|(_, host, outcome)| (host, outcome)).collect()
}

/// The parts between the commas that stand outside of brackets.
fn parts(text: &str) -> Result<Vec<&str>, InvalidHosts> {
    let (mut parts, mut start, mut within) = (Vec::new(), 0, false);
    for (at, char) in text.char_indices() {
        match (char, within) {
            ('[', false) => within = true,
            (']', true) => within = false,
            ('[', true) | (']', false) => return Err(InvalidHosts::new(text, "a bracket is one too many")),
            (',', false) => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if within {
        return Err(InvalidHosts::new(text, "a bracket is not closed"));
    }
    parts.push(&text[start..]);
    Ok(parts)
}

/// Adds the hosts that begin so and go on as the rest says.
fn expand(begun: String, rest: &str, hosts: &mut Vec<String>) -> Result<(), InvalidHosts> {
    let Some((before, ranges)) = rest.split_once('[') else {
        let host = begun + rest;
        if host.is_empty() || host.chars().any(char::is_whitespace) {
            return Err(InvalidHosts::new(&host, "it is no name of a host"));
        }
        if hosts.len() == MOST {
            return Err(InvalidHosts::new(rest, "more than 100000 hosts are named"));
        }
        hosts.push(host);
        return Ok(());
    };
    let (ranges, after) =
        ranges.split_once(']').ok_or_else(|| InvalidHosts::new(rest, "a bracket is not closed"))?;
    for range in ranges.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let number = |text: &str| {
            let digits = text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit());
            let number = if digits { text.parse::<u32>().ok() } else { None };
            number.ok_or_else(|| InvalidHosts::new(range, "a range is of two numbers, such as 001-128"))
        };
        let width = first.len();
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return Err(InvalidHosts::new(range, "the range ends before it begins"));
        }
        for number in first..=last {
            expand(format!("{begun}{before}{number:0width$}"), after, hosts)?;
        }
    }
    Ok(())
}

/// A text that names no hosts: which part of it, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidHosts {
    part: String,
    why: &'static str,
}

impl InvalidHosts {
    fn new(part: &str, why: &'static str) -> Self {
        InvalidHosts { part: part.to_owned(), why }
    }
}

impl fmt::Display for InvalidHosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.part.escape_debug(), self.why)
    }
}

impl std::error::Error for InvalidHosts {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_keep_their_width_and_stand_anywhere() {
        for (text, named) in [
            ("one", &["one"][..]),
            ("a,b", &["a", "b"]),
            ("n[8-11]", &["n8", "n9", "n10", "n11"]),
            ("n[098-101]", &["n098", "n099", "n100", "n101"]),
            ("n[1,3-4]x", &["n1x", "n3x", "n4x"]),
            ("r[1-2]n[0-1],last", &["r1n0", "r1n1", "r2n0", "r2n1", "last"]),
            ("10.0.0.[7-8]", &["10.0.0.7", "10.0.0.8"]),
        ] {
            assert_eq!(hosts(text).unwrap(), named, "{text}");
        }
        assert_eq!(hosts("node[001-128]").unwrap().len(), 128);
    }

    #[test]
    fn what_names_no_hosts_is_told_and_takes_no_memory() {
        for (text, said) in [
            ("", "``: it is no name of a host"),
            ("a,,b", "``: it is no name of a host"),
            ("a b", "`a b`: it is no name of a host"),
            ("n[1-", "`n[1-`: a bracket is not closed"),
            ("n]", "`n]`: a bracket is one too many"),
            ("n[[1]]", "`n[[1]]`: a bracket is one too many"),
            ("n[]", "``: a range is of two numbers, such as 001-128"),
            ("n[a-b]", "`a-b`: a range is of two numbers, such as 001-128"),
            ("n[5-1]", "`5-1`: the range ends before it begins"),
            ("n[1-9999999999]", "`1-9999999999`: a range is of two numbers, such as 001-128"),
            ("n[0-999999999]", "``: more than 100000 hosts are named"),
        ] {
            assert_eq!(hosts(text).unwrap_err().to_string(), said, "{text}");
        }
        assert_eq!(hosts(&"[1]".repeat(8)).unwrap(), ["11111111"]);
        let said = hosts(&"[1]".repeat(100_000)).unwrap_err().to_string();
        assert!(said.ends_with("more than 8 brackets stand in one name"));
    }
}
