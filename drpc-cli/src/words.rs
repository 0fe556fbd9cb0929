//! How numbers and others' texts are written, and words of the command line read.

use std::time::{Duration, SystemTime};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use drpc::WireMode;
use serde_json::Value;

/// `1 module`, `2 modules`.
pub(crate) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Somebody else's text, without what a terminal would obey.
pub(crate) fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// Somebody else's text of several lines, likewise.
pub(crate) fn printable_lines(text: &str) -> String {
    text.replace(|letter: char| letter.is_control() && letter != '\n', "\u{fffd}")
}

/// JSON in a line, without what a terminal would obey.
pub(crate) fn json(value: &Value) -> String {
    escaped(&value.to_string())
}

/// JSON whose texts have no control characters: those above ASCII need no escape, but have one.
pub(crate) fn escaped(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for letter in json.chars() {
        match letter {
            '\u{7f}'..='\u{9f}' => escaped.push_str(&format!("\\u{:04x}", u32::from(letter))),
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// A time of day that somebody else tells, so that it can be shown: of those that can't, it is the nearest.
pub(crate) fn time(time: SystemTime) -> SystemTime {
    let last = SystemTime::UNIX_EPOCH + Duration::from_secs(LAST_SECOND);
    time.clamp(SystemTime::UNIX_EPOCH, last)
}

/// That of 9999-12-31.
pub(crate) const LAST_SECOND: u64 = 253_402_300_799;

/// A time span of the command line.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "expected a time span, such as 5s or 100ms".to_owned())
}

/// A wire of the command line.
pub(crate) fn wire() -> impl TypedValueParser<Value = WireMode> {
    PossibleValuesParser::new(["auto", "chunked", "plain"]).try_map(|word| word.parse::<WireMode>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_is_obeyed_by_a_terminal() {
        let text = "a\u{1b}]0;x\u{7}\u{9b}2J\u{7f}ö\n";
        assert_eq!(printable(text), "a\u{fffd}]0;x\u{fffd}\u{fffd}2J\u{fffd}ö\u{fffd}");
        assert_eq!(printable_lines(text), "a\u{fffd}]0;x\u{fffd}\u{fffd}2J\u{fffd}ö\n");
        let value = Value::from(text);
        let shown = json(&value);
        assert!(!shown.contains(char::is_control), "{shown}");
        assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), value);
    }
}
