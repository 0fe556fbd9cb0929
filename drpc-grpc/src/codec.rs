//! Bodies as they are: what a call carries over gRPC is what it carries over a socket, and nothing is decoded on the way.

use bytes::{Buf, BufMut, Bytes};
use drpc::Body;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// Sends [`Body`] and receives [`Bytes`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bodies;

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

    fn encode(&mut self, body: Body, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.reserve(body.len());
        body.segments().for_each(|segment| into.put_slice(segment));
        Ok(())
    }
}

impl Decoder for Bodies {
    type Item = Bytes;
    type Error = Status;

    /// The whole message has come. It is taken out, not copied.
    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
