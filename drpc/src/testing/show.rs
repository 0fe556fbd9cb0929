//! How a recording is shown to people.

use std::fmt;

use super::{Message, MessageReader, RecordedPacket, Recording};
use crate::wire::{Call, ChunkHeader, Codec, Response, Wire};

/// How many bytes of a packet are shown.
const SHOWN: usize = 256;

/// How many bytes stand in a line.
const LINE: usize = 16;

/// Every packet: its time, its direction, its header, the envelope that it completes, and its first 256 bytes.
impl fmt::Display for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title())?;
        let mut reader = MessageReader::new();
        for packet in self.packets() {
            let len = packet.bytes.len();
            writeln!(f, "{:>12.3?} {} {len} bytes", packet.at, packet.direction.sign())?;
            describe(f, &mut reader, packet)?;
            dump(f, &packet.bytes)?;
        }
        Ok(())
    }
}

fn describe(f: &mut fmt::Formatter<'_>, reader: &mut MessageReader, packet: &RecordedPacket) -> fmt::Result {
    if reader.codec(packet.direction).is_none() {
        return Ok(());
    }
    let messages = reader.read(packet);
    if reader.codec(packet.direction).and_then(Codec::wire) == Some(Wire::Chunked)
        && let Ok(header) = ChunkHeader::parse(&packet.bytes)
    {
        let ChunkHeader { total_data_size, chunk_data_size, chunk_idx, total_chunks } = header;
        writeln!(
            f,
            "{INDENT}chunk {chunk_idx} of {total_chunks}, {chunk_data_size} of {total_data_size} bytes"
        )?;
    }
    match messages {
        Ok(messages) => messages.into_iter().try_for_each(|message| match message {
            Message::Call(message) => call(f, message),
            Message::Response(message) => response(f, message),
        }),
        Err(error) => writeln!(f, "{INDENT}{error}"),
    }
}

const INDENT: &str = "             ";

fn call(f: &mut fmt::Formatter<'_>, call: Call) -> fmt::Result {
    let Call { module, method, sequence, body, added } = call;
    writeln!(
        f,
        "{INDENT}call of module {module}, method {method}, sequence {sequence}, body of {} bytes",
        body.len()
    )?;
    added.map_or(Ok(()), |added| writeln!(f, "{INDENT}added to it: {added:?}"))
}

fn response(f: &mut fmt::Formatter<'_>, response: Response) -> fmt::Result {
    let Response { sequence, status, body, added } = response;
    writeln!(f, "{INDENT}response to sequence {sequence}, {status}, body of {} bytes", body.len())?;
    added.map_or(Ok(()), |added| writeln!(f, "{INDENT}added to it: {added:?}"))
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
