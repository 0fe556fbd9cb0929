//! The two generations of the wire (W8).

use std::fmt;
use std::str::FromStr;

/// A generation of dRPC's wire format.
///
/// ```
/// use drpc::{Client, Wire};
///
/// let client = Client::builder("/run/daos_server/daos_server.sock").wire(Wire::Plain); // DAOS 2.6
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wire {
    /// Every packet is a 24-byte header and a chunk of the message: DAOS 2.8 and later ([W2](crate::guide::rules#wire)).
    Chunked,
    /// One packet is one message: DAOS 2.6 and earlier ([W7](crate::guide::rules#wire)). A message is at most 131,072 bytes.
    Plain,
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Wire::Chunked => "the chunked wire of DAOS 2.8",
            Wire::Plain => "the plain wire of DAOS 2.6",
        })
    }
}

/// Which wire to speak: one of the two, or the peer's, found out per connection ([W8](crate::guide::rules#wire)).
///
/// A server recognises each session's wire from its first packet; a client probes the server with a call that
/// executes nothing.
///
/// # Example
///
/// ```
/// use drpc::{Wire, WireMode};
///
/// assert_eq!("auto".parse(), Ok(WireMode::Auto));
/// assert_eq!("plain".parse(), Ok(WireMode::from(Wire::Plain)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WireMode {
    /// Find out what the peer speaks.
    Auto,
    /// Speak this wire; a peer of the other is refused, by name.
    Fixed(Wire),
}

impl From<Wire> for WireMode {
    fn from(wire: Wire) -> Self {
        WireMode::Fixed(wire)
    }
}

impl FromStr for WireMode {
    type Err = ParseWireModeError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        match s {
            "auto" => Ok(WireMode::Auto),
            "chunked" => Ok(WireMode::Fixed(Wire::Chunked)),
            "plain" => Ok(WireMode::Fixed(Wire::Plain)),
            _ => Err(ParseWireModeError),
        }
    }
}

/// The text is not a [`WireMode`].
///
/// ```
/// use drpc::WireMode;
///
/// let error = "fast".parse::<WireMode>().unwrap_err();
/// assert_eq!(error.to_string(), "expected `auto`, `chunked` or `plain`");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseWireModeError;

impl fmt::Display for ParseWireModeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected `auto`, `chunked` or `plain`")
    }
}

impl std::error::Error for ParseWireModeError {}
