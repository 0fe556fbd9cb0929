//! Bodies as they are: what a call carries over gRPC is what it carries over a socket, and nothing is decoded on the way.

use bytes::{Buf, BufMut, Bytes};
use drpc::Body;
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// Sends [`Body`] and receives [`Bytes`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bodies {
    /// How many bytes a buffer has room for before a longer message makes it grow.
    room: usize,
}

/// How much of what is ready of a stream is sent together: as tonic has it.
const TOGETHER: usize = 32 << 10;

impl Bodies {
    /// Of a call that has one message each way.
    pub(crate) const SINGLE: Bodies = Bodies { room: 512 };

    /// Of a call that has a stream one way or both: the buffer is for many messages.
    pub(crate) const MANY: Bodies = Bodies { room: 8 << 10 };

    fn buffers(self) -> BufferSettings {
        BufferSettings::new(self.room, TOGETHER)
    }
}

impl Codec for Bodies {
    type Encode = Body;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Bodies {
    type Item = Body;
    type Error = Status;

    fn buffer_settings(&self) -> BufferSettings {
        self.buffers()
    }

    fn encode(&mut self, body: Body, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.reserve(body.len());
        body.segments().for_each(|segment| into.put_slice(segment));
        Ok(())
    }
}

impl Decoder for Bodies {
    type Item = Bytes;
    type Error = Status;

    fn buffer_settings(&self) -> BufferSettings {
        self.buffers()
    }

    /// The whole message has come. It is taken out, not copied.
    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
