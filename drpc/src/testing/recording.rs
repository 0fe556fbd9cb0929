use std::fmt::{self, Write};
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;

/// Which way a packet goes.
///
/// ```
/// use drpc::testing::{Direction, Recording};
///
/// let recording: Recording = "# a call without a response\n> 00".parse()?;
/// assert_eq!(recording.sent(Direction::ToServer).count(), 1);
/// assert_eq!(recording.sent(Direction::ToClient).count(), 0);
/// # Ok::<(), drpc::testing::ParseRecordingError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

impl Direction {
    /// As it is written in a recording: `>` to the server, `<` to the client.
    #[must_use]
    pub fn sign(self) -> char {
        match self {
            Direction::ToServer => '>',
            Direction::ToClient => '<',
        }
    }
}

/// A packet of a [`Recording`].
///
/// ```
/// use drpc::testing::{Direction, Recording};
///
/// let recording: Recording = "# one byte\n> 2a".parse()?;
/// let packet = &recording.packets()[0];
/// assert_eq!((packet.direction, &*packet.bytes), (Direction::ToServer, &[0x2a][..]));
/// # Ok::<(), drpc::testing::ParseRecordingError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedPacket {
    /// Which way it went.
    pub direction: Direction,
    /// When, since its session was opened. It is not part of the text form, and 0 in what was read.
    pub at: Duration,
    /// The whole packet, header and all.
    pub bytes: Bytes,
}

/// The packets of one session, both ways, in the order in which they were sent.
///
/// It has two text forms. [`Display`](fmt::Display) is for people: header, envelope and bytes of every packet.
/// [`to_text`](Self::to_text), which [`str::parse`] reads, is for files: a title on line 1, then one packet per line,
/// `> hex` to the server and `< hex` to the client; no hex is an empty packet.
///
/// # Example
///
/// ```
/// use drpc::testing::{Direction, Recording};
///
/// let text = "\
/// # what it is
/// > 02000000000000000200000000000000000000000100000018 01
/// < 040000000000000004000000000000000000000001000000 08011003
/// ";
/// let recording: Recording = text.parse()?;
/// assert_eq!(recording.title(), "what it is");
/// assert_eq!(recording.sent(Direction::ToServer).count(), 1);
/// # Ok::<(), drpc::testing::ParseRecordingError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// One line.
    title: String,
    packets: Vec<RecordedPacket>,
}

impl Recording {
    /// The packets of a session, under a title. A line break in it becomes a space.
    ///
    /// ```
    /// use std::time::Duration;
    /// use drpc::testing::{Direction, RecordedPacket, Recording};
    ///
    /// let packet = RecordedPacket { direction: Direction::ToServer, at: Duration::ZERO, bytes: "*".into() };
    /// let recording = Recording::new("one byte", vec![packet]);
    /// assert_eq!(recording.to_text(), "# one byte\n> 2a\n");
    /// ```
    pub fn new(title: impl Into<String>, packets: Vec<RecordedPacket>) -> Self {
        Recording { title: title.into().replace(['\n', '\r'], " "), packets }
    }

    /// The title.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The same under another title. A line break in it becomes a space.
    #[must_use]
    pub fn with_title(self, title: impl Into<String>) -> Self {
        Recording::new(title, self.packets)
    }

    /// All packets.
    #[must_use]
    pub fn packets(&self) -> &[RecordedPacket] {
        &self.packets
    }

    /// The packets of one direction.
    pub fn sent(&self, direction: Direction) -> impl Iterator<Item = &Bytes> {
        self.packets.iter().filter(move |packet| packet.direction == direction).map(|packet| &packet.bytes)
    }

    /// The form for files, without the times.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("# {}\n", self.title);
        for packet in &self.packets {
            text.push(packet.direction.sign());
            text.push(' ');
            for byte in &packet.bytes {
                // A String takes all that is written.
                let _ = write!(text, "{byte:02x}");
            }
            text.push('\n');
        }
        text
    }
}

impl FromStr for Recording {
    type Err = ParseRecordingError;

    /// Reads the form for files. Blanks within the hex, and empty lines, are passed over.
    fn from_str(text: &str) -> Result<Self, ParseRecordingError> {
        let mut lines = text.lines();
        let title = lines.next().unwrap_or_default();
        // Behind the sign it may be any.
        let title = title.strip_prefix('#').or_else(|| {
            let is_one = !title.trim().is_empty() && !title.starts_with(['>', '<']);
            is_one.then_some(title)
        });
        let title = title.ok_or(ParseRecordingError { line: 1, problem: Problem::NoTitle })?.trim();
        let mut packets = Vec::new();
        for (place, line) in lines.enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            packets.push(packet(line).map_err(|problem| ParseRecordingError { line: place + 2, problem })?);
        }
        Ok(Recording::new(title.to_owned(), packets))
    }
}

fn packet(line: &str) -> Result<RecordedPacket, Problem> {
    let (direction, hex) = if let Some(hex) = line.strip_prefix('>') {
        (Direction::ToServer, hex)
    } else if let Some(hex) = line.strip_prefix('<') {
        (Direction::ToClient, hex)
    } else {
        return Err(Problem::NoDirection);
    };
    let digit = |digit: char| digit.to_digit(16).map(|value| value as u8).ok_or(Problem::NotHex(digit));
    let digits = hex.chars().filter(|c| !c.is_whitespace()).map(digit).collect::<Result<Vec<u8>, _>>()?;
    if digits.len() % 2 != 0 {
        return Err(Problem::HalfByte(digits.len()));
    }
    let bytes = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    Ok(RecordedPacket { direction, at: Duration::ZERO, bytes })
}

/// Why a text is not a [`Recording`].
///
/// ```
/// use drpc::testing::Recording;
///
/// let error = "# one byte\n2a".parse::<Recording>().unwrap_err();
/// assert!(error.to_string().starts_with("line 2: "));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseRecordingError {
    line: usize,
    problem: Problem,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Problem {
    NoTitle,
    NoDirection,
    NotHex(char),
    HalfByte(usize),
}

impl fmt::Display for ParseRecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        match self.problem {
            Problem::NoTitle => f.write_str("the first line must say what the recording is: `# …`"),
            Problem::NoDirection => {
                f.write_str("expected `> hex`, a packet to the server, or `< hex`, one to the client")
            }
            Problem::NotHex(found) => write!(f, "`{found}` is no hex digit"),
            Problem::HalfByte(digits) => write!(f, "{digits} hex digits are no whole bytes: one is missing"),
        }
    }
}

impl std::error::Error for ParseRecordingError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, error) in [
            ("", "line 1: the first line must say what the recording is: `# …`"),
            ("> 00", "line 1: the first line must say what the recording is: `# …`"),
            ("# t\n\n00", "line 3: expected `> hex`, a packet to the server, or `< hex`, one to the client"),
            ("# t\n> 0g", "line 2: `g` is no hex digit"),
            ("# t\n> 00\n< 123", "line 3: 3 hex digits are no whole bytes: one is missing"),
        ] {
            assert_eq!(text.parse::<Recording>().unwrap_err().to_string(), error);
        }
    }

    #[test]
    fn every_title_is_read_back() {
        for title in ["", "> x", "< x", "# x", "a title"] {
            let recording = Recording::new(title, Vec::new());
            assert_eq!(recording.to_text().parse(), Ok(recording), "{title:?}");
        }
    }

    #[test]
    fn an_empty_packet_is_a_packet() {
        let recording: Recording = "# W9\n>\n< \n".parse().unwrap();
        assert_eq!(recording.packets().len(), 2);
        assert_eq!(recording.to_text(), "# W9\n> \n< \n");
    }
}
