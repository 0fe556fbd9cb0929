//! How to tell which generation of the wire a peer speaks (W8).

use bytes::Buf;
use prost::encoding::{WireType, decode_key, decode_varint};

use super::generation::Wire;
use super::header::ChunkHeader;

/// The wire that a client speaks whose first packet this is (W8).
///
/// The order of the questions matters. A sound first chunk is asked for first, because the header of a framed call of
/// 5,666 bytes starts with 0x22 and the whole packet also decodes as a plain call. A plain call is asked for second
/// and strictly, so that a broken chunk is not executed as something else. What is neither is judged by the one field of a
/// chunk header that no text and no plain call resembles: a small chunk index.
pub(super) fn recognise(first: &[u8]) -> Wire {
    if is_first_chunk(first) {
        return Wire::Chunked;
    }
    if is_plain_envelope(first) {
        return Wire::Plain;
    }
    match ChunkHeader::parse(first) {
        Ok(header) if header.chunk_idx <= u32::from(u16::MAX) => Wire::Chunked,
        _ => Wire::Plain,
    }
}

/// Whether the packet is a sound first chunk.
pub(crate) fn is_first_chunk(packet: &[u8]) -> bool {
    ChunkHeader::parse_checked(packet).is_ok_and(|header| {
        header.chunk_idx == 0
            && match header.total_chunks {
                1 => header.chunk_data_size == header.total_data_size,
                _ => header.chunk_data_size <= header.total_data_size,
            }
    })
}

/// Whether the packet is a message as every encoder writes it: fields in ascending order, each once, nothing left
/// over. A decoder takes more than that, which is how a chunk header passes for a call.
pub(super) fn is_plain_envelope(mut packet: &[u8]) -> bool {
    let mut last = 0;
    while packet.has_remaining() {
        let Ok((field, wire_type)) = decode_key(&mut packet) else { return false };
        if field <= last {
            return false;
        }
        last = field;
        let Ok(value) = decode_varint_of(wire_type, &mut packet) else { return false };
        if wire_type == WireType::LengthDelimited {
            match usize::try_from(value) {
                Ok(len) if len <= packet.len() => packet.advance(len),
                _ => return false,
            }
        }
    }
    last != 0
}

/// A varint field's value, or a length-delimited field's length: an envelope has no other kinds of field.
fn decode_varint_of(wire_type: WireType, packet: &mut &[u8]) -> Result<u64, ()> {
    match wire_type {
        WireType::Varint | WireType::LengthDelimited => decode_varint(packet).map_err(|_| ()),
        _ => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Call;
    use super::*;

    fn chunk(total: u64, size: u64, idx: u32, chunks: u32, data: &[u8]) -> Vec<u8> {
        let header = ChunkHeader {
            total_data_size: total,
            chunk_data_size: size,
            chunk_idx: idx,
            total_chunks: chunks,
        };
        [&header.to_bytes()[..], data].concat()
    }

    fn call(module: i32, body: Vec<u8>) -> Vec<u8> {
        Call::<bytes::Bytes> { module, method: module * 100, sequence: 1, body: body.into(), added: None }
            .encode()
            .into()
    }

    #[test]
    fn framed_calls_of_every_size_are_chunked() {
        // W8: sizes whose low byte is a plain call's first byte (0x08, 0x22…) are among them.
        for len in (0..20_000).chain([131_000, 131_048]) {
            let message = call(7, vec![b'k'; len]);
            let size = message.len().min(ChunkHeader::MAX_DATA);
            let total = message.len() as u64;
            let packet = chunk(total, size as u64, 0, message.len().div_ceil(size) as u32, &message[..size]);
            assert_eq!(recognise(&packet), Wire::Chunked, "{len} bytes");
        }
    }

    #[test]
    fn plain_calls_of_every_size_are_plain() {
        for module in [0, 1, 7, -3] {
            for len in (0..20_000).chain([131_000]) {
                for fill in [0, b'k', 0xff] {
                    let packet = call(module, vec![fill; len]);
                    assert_eq!(recognise(&packet), Wire::Plain, "module {module}, {len} bytes of {fill}");
                }
            }
        }
    }

    #[test]
    fn broken_chunks_are_chunked_so_that_they_are_refused_as_such() {
        // H: none of these may be taken for a plain call, whatever its sizes.
        let message = call(7, vec![b'k'; 5653]);
        for packet in [
            chunk(1 << 40, 11, 0, 1, b"01234567890"),
            chunk(u64::MAX, 11, 0, 1, b"01234567890"),
            chunk(10, 10, 0, 1, b""),
            chunk(10, 4096, 0, 1, b"0123456789"),
            chunk(11, 11, 1, 1, b"01234567890"),
            chunk(11, 11, 0, 0, b"01234567890"),
            chunk(5666, 4096, 0, 1, &message),
        ] {
            assert_eq!(recognise(&packet), Wire::Chunked);
        }
    }

    #[test]
    fn garbage_is_an_unreadable_plain_call() {
        for packet in [&[0x0f, 0xa1, 0x3c, 0x77][..], b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
            assert_eq!(recognise(packet), Wire::Plain);
        }
    }
}
