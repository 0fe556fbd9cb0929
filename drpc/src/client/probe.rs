//! Finding out which wire a server speaks, without executing anything (W8).

use bytes::Bytes;

use super::error::Disconnect;
use crate::wire::{Codec, FrameError, Response, Wire};

/// The framed call `{ sequence: 1 }`: the one packet that is safe with every real peer. A plain server can't read it and
/// says so in plain bytes; a chunked one answers in chunks.
pub(super) const PROBE: [u8; 26] =
    [2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x18, 0x01];

/// The probe's sequence: on a chunked connection, the next call carries the one after it (C1).
pub(super) const PROBE_SEQUENCE: i64 = 1;

/// Reads the answer to a [`PROBE`].
#[derive(Debug)]
pub(super) struct Prober {
    codec: Codec,
}

impl Prober {
    pub(super) fn new(message_limit: usize) -> Self {
        Prober { codec: Codec::new(Wire::Chunked, message_limit) }
    }

    /// Takes the next packet of the answer, `None` for end of file; gives the wire once it is known.
    pub(super) fn receive(&mut self, packet: Option<Bytes>) -> Result<Option<Wire>, Disconnect> {
        let packet = packet.ok_or(Disconnect::ByPeer)?;
        match self.codec.receive(packet) {
            Ok(None) => Ok(None),
            Ok(Some(message)) => {
                Response::decode(message).map(|_| Some(Wire::Chunked)).map_err(Disconnect::from)
            }
            Err(FrameError::OtherWire { peer }) => Ok(Some(peer)),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire_told_by(answer: &'static [u8]) -> Wire {
        Prober::new(1 << 20).receive(Some(Bytes::from_static(answer))).unwrap().unwrap()
    }

    #[test]
    fn real_answers_tell_the_wire() {
        // W8, and the vectors of 2.6 and 2.8.
        assert_eq!(wire_told_by(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x10\x05"), Wire::Plain);
        assert_eq!(
            wire_told_by(b"\x04\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x08\x01\x10\x03"),
            Wire::Chunked
        );
    }
}
