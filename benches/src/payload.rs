use anyhow::{Result, ensure};
use bytes::Bytes;

/// What travels where messages are Protocol Buffers.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Message {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) body: Bytes,
}

/// The body of every call: text without a rule to it, so that it travels as well as bytes as it does in JSON.
#[derive(Clone, Debug)]
pub(crate) struct Payload {
    bytes: Bytes,
    /// Every byte of the reply is looked at, and not only how many there are.
    thorough: bool,
}

impl Payload {
    /// A body of which every byte is checked; for the calls before the measurement.
    pub(crate) fn thorough(size: usize) -> Payload {
        // xorshift64
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut letter = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            b'a' + (state >> 32) as u8 % 26
        };
        Payload { bytes: (0..size).map(|_| letter()).collect(), thorough: true }
    }

    /// The same, of which the length alone is checked.
    pub(crate) fn cursory(&self) -> Payload {
        Payload { bytes: self.bytes.clone(), thorough: false }
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// As a message.
    pub(crate) fn message(&self) -> Message {
        Message { body: self.bytes.clone() }
    }

    #[cfg(feature = "peers")]
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).expect("letters are UTF-8")
    }

    /// Checks that a reply is what was sent.
    pub(crate) fn check(&self, reply: &[u8]) -> Result<()> {
        ensure!(reply.len() == self.bytes.len(), "{} bytes came back of {}", reply.len(), self.bytes.len());
        ensure!(!self.thorough || reply == self.bytes, "other bytes came back than were sent");
        Ok(())
    }
}
