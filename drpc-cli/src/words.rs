//! How numbers and others' texts are written, and words of the command line read.

use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use drpc::WireMode;

/// `1 module`, `2 modules`.
pub(crate) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Somebody else's text, without what a terminal would obey.
pub(crate) fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// A time span of the command line.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "expected a time span, such as 5s or 100ms".to_owned())
}

/// A wire of the command line.
pub(crate) fn wire() -> impl TypedValueParser<Value = WireMode> {
    PossibleValuesParser::new(["auto", "chunked", "plain"]).try_map(|word| word.parse::<WireMode>())
}
