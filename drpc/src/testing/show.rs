//! How a recording is shown to people.

use std::fmt;

use bytes::Bytes;

use super::{Direction, Recording};
use crate::wire::{Call, ChunkHeader, Codec, Response, Wire, WireMode};

/// How many bytes of a packet are shown.
const SHOWN: usize = 256;

/// How many bytes stand in a line.
const LINE: usize = 16;

/// The longest message that is put together to show its envelope, in bytes.
const LIMIT: usize = 1 << 30;

/// Every packet: its time, its direction, its header, the envelope that it completes, and its first 256 bytes.
impl fmt::Display for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title())?;
        let mut readers = [Reader::new(), Reader::new()];
        for packet in self.packets() {
            let len = packet.bytes.len();
            writeln!(f, "{:>12.3?} {} {len} bytes", packet.at, packet.direction.sign())?;
            let reader = &mut readers[packet.direction as usize];
            reader.describe(f, packet.direction, &packet.bytes)?;
            dump(f, &packet.bytes)?;
        }
        Ok(())
    }
}

/// Puts one direction's messages together.
struct Reader {
    /// `None` once the wire's rules were broken.
    codec: Option<Codec>,
}

impl Reader {
    fn new() -> Self {
        Reader { codec: Some(Codec::new(WireMode::Auto, LIMIT)) }
    }

    fn describe(&mut self, f: &mut fmt::Formatter<'_>, direction: Direction, packet: &Bytes) -> fmt::Result {
        let Some(codec) = &mut self.codec else { return Ok(()) };
        let received = codec.receive(packet.clone());
        if codec.wire() == Some(Wire::Chunked)
            && let Ok(header) = ChunkHeader::parse(packet)
        {
            let ChunkHeader { total_data_size, chunk_data_size, chunk_idx, total_chunks } = header;
            writeln!(
                f,
                "{INDENT}chunk {chunk_idx} of {total_chunks}, {chunk_data_size} of {total_data_size} bytes"
            )?;
        }
        match received {
            Ok(None) => Ok(()),
            Ok(Some(message)) => match direction {
                Direction::ToServer => call(f, message),
                Direction::ToClient => response(f, message),
            },
            Err(error) => {
                self.codec = None;
                writeln!(f, "{INDENT}breaks the wire's rules: {error}")
            }
        }
    }
}

const INDENT: &str = "             ";

fn call(f: &mut fmt::Formatter<'_>, message: Bytes) -> fmt::Result {
    match Call::decode(message) {
        Ok(Call { module, method, sequence, body, added }) => {
            writeln!(
                f,
                "{INDENT}call of module {module}, method {method}, sequence {sequence}, body of {} bytes",
                body.len()
            )?;
            added.map_or(Ok(()), |added| writeln!(f, "{INDENT}added to it: {added:?}"))
        }
        Err(error) => writeln!(f, "{INDENT}{error}"),
    }
}

fn response(f: &mut fmt::Formatter<'_>, message: Bytes) -> fmt::Result {
    match Response::decode(message) {
        Ok(Response { sequence, status, body, added }) => {
            writeln!(f, "{INDENT}response to sequence {sequence}, {status}, body of {} bytes", body.len())?;
            added.map_or(Ok(()), |added| writeln!(f, "{INDENT}added to it: {added:?}"))
        }
        Err(error) => writeln!(f, "{INDENT}{error}"),
    }
}

/// Offset, hex and text, as `hexdump -C` has them.
fn dump(f: &mut fmt::Formatter<'_>, packet: &[u8]) -> fmt::Result {
    let shown = &packet[..packet.len().min(SHOWN)];
    for (line, bytes) in shown.chunks(LINE).enumerate() {
        write!(f, "{INDENT}{:06x} ", line * LINE)?;
        bytes.iter().try_for_each(|byte| write!(f, " {byte:02x}"))?;
        write!(f, "{:1$}  ", "", (LINE - bytes.len()) * 3)?;
        let text: String =
            bytes.iter().map(|&byte| if byte.is_ascii_graphic() { byte.into() } else { '.' }).collect();
        writeln!(f, "{text}")?;
    }
    match packet.len() - shown.len() {
        0 => Ok(()),
        more => writeln!(f, "{INDENT}and {more} bytes more"),
    }
}
