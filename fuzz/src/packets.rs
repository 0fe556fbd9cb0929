//! Packets that are nearly right, which any bytes seldom are.

use arbitrary::Arbitrary;
use bytes::Bytes;
use drpc::Wire;
use drpc::wire::{Call, CallFields, ChunkHeader, Response, ResponseFields};

/// How many packets one input may be.
const MOST: usize = 32;

/// Something to send.
#[derive(Arbitrary, Debug)]
pub(crate) enum Piece<M> {
    /// One packet, as it stands.
    Bytes(Vec<u8>),
    /// A whole message, in one packet.
    Whole(M),
    /// A message in chunks of so many bytes, with one of them wrong.
    Chunks { message: M, size: u8, fault: Fault, at: u8 },
    /// Messages in one packet, less so many bytes at the end.
    Pack { messages: Vec<M>, less: u8 },
}

/// What is wrong with a chunk.
#[derive(Arbitrary, Debug)]
pub(crate) enum Fault {
    None,
    Skipped,
    Twice,
    /// With the next one.
    Swapped,
    /// Its bytes end here.
    CutTo(u8),
    Total(u64),
    Size(u64),
    Index(u32),
    Chunks(u32),
}

/// A message, by its content.
pub(crate) trait Message {
    fn encode(&self) -> Vec<u8>;

    /// The pack with this body.
    fn pack(body: Bytes) -> Vec<u8>;
}

#[derive(Arbitrary, Debug)]
pub(crate) struct AnyCall {
    module: Module,
    method: u8,
    sequence: i8,
    body: Body,
    /// Whether its caller takes packs.
    asks: bool,
}

#[derive(Arbitrary, Debug)]
enum Module {
    Served,
    Any(i32),
}

#[derive(Arbitrary, Debug)]
enum Body {
    Bytes(Vec<u8>),
    /// Empty messages in a repeated field: what costs most to decode.
    Repeated(u16),
    /// Messages in messages, so deep.
    Nested(u8),
}

#[derive(Arbitrary, Debug)]
pub(crate) struct AnyResponse {
    pub(crate) sequence: i8,
    pub(crate) status: i8,
    pub(crate) body: Vec<u8>,
}

impl Message for AnyCall {
    fn encode(&self) -> Vec<u8> {
        let module = match self.module {
            Module::Served => 7,
            Module::Any(module) => module,
        };
        let method = 700 + i32::from(self.method % 8);
        let body = match &self.body {
            Body::Bytes(bytes) => bytes.clone(),
            Body::Repeated(count) => [0x12, 0].repeat(usize::from(*count).min(20_000)),
            Body::Nested(depth) => (0..*depth).fold(Vec::new(), |inner, _| {
                let mut outer = vec![0x1a];
                prost::encode_length_delimiter(inner.len(), &mut outer).expect("a vector grows");
                [outer, inner].concat()
            }),
        };
        let sequence = self.sequence.into();
        let fields = CallFields { takes_packs: self.asks, ..CallFields::default() };
        let added = self.asks.then_some(fields.into());
        Call::<Bytes> { module, method, sequence, body: body.into(), added }.encode().into()
    }

    fn pack(body: Bytes) -> Vec<u8> {
        let fields = CallFields { is_pack: true, ..CallFields::default() };
        Call { body, added: Some(fields.into()), ..Call::default() }.encode().into()
    }
}

impl Message for AnyResponse {
    fn encode(&self) -> Vec<u8> {
        let (sequence, status) = (self.sequence.into(), i32::from(self.status).into());
        let body = self.body.clone().into();
        Response::<Bytes> { sequence, status, body, added: None }.encode().into()
    }

    fn pack(body: Bytes) -> Vec<u8> {
        let fields = ResponseFields { is_pack: true, ..ResponseFields::default() };
        Response { body, added: Some(fields.into()), ..Response::default() }.encode().into()
    }
}

/// The packets of all pieces, as a wire has them.
pub(crate) fn packets<M: Message>(pieces: &[Piece<M>], wire: Wire) -> Vec<Vec<u8>> {
    pieces.iter().flat_map(|piece| piece.packets(wire)).take(MOST).collect()
}

impl<M: Message> Piece<M> {
    fn packets(&self, wire: Wire) -> Vec<Vec<u8>> {
        match (self, wire) {
            (Piece::Bytes(bytes), _) => vec![bytes.clone()],
            (Piece::Whole(message), wire) => vec![whole(message.encode(), wire)],
            (Piece::Pack { messages, less }, wire) => {
                let mut body = Vec::new();
                for message in messages.iter().map(M::encode) {
                    prost::encode_length_delimiter(message.len(), &mut body).expect("a vector grows");
                    body.extend(message);
                }
                body.truncate(body.len().saturating_sub((*less).into()));
                vec![whole(M::pack(body.into()), wire)]
            }
            (Piece::Chunks { message, size, fault, at }, _) => {
                chunks(&message.encode(), usize::from(*size).max(1), fault, (*at).into())
            }
        }
    }
}

fn whole(message: Vec<u8>, wire: Wire) -> Vec<u8> {
    match wire {
        Wire::Plain => message,
        Wire::Chunked => chunks(&message, usize::MAX, &Fault::None, 0).remove(0),
    }
}

fn chunks(message: &[u8], size: usize, fault: &Fault, at: usize) -> Vec<Vec<u8>> {
    // As many as there may be packets; more would be dropped, and the message never whole.
    let size = size.max(message.len() / MOST + 1);
    let data: Vec<&[u8]> = if message.is_empty() { vec![&[]] } else { message.chunks(size).collect() };
    let at = at % data.len();
    let mut packets = Vec::new();
    for (index, data_of_this) in data.iter().enumerate() {
        let mut header = ChunkHeader {
            total_data_size: message.len() as u64,
            chunk_data_size: data_of_this.len() as u64,
            chunk_idx: index as u32,
            total_chunks: data.len() as u32,
        };
        if index == at {
            match *fault {
                Fault::Total(total) => header.total_data_size = total,
                Fault::Size(size) => header.chunk_data_size = size,
                Fault::Index(index) => header.chunk_idx = index,
                Fault::Chunks(chunks) => header.total_chunks = chunks,
                _ => {}
            }
        }
        packets.push([&header.to_bytes()[..], data_of_this].concat());
    }
    match fault {
        Fault::Skipped => drop(packets.remove(at)),
        Fault::Twice => packets.insert(at, packets[at].clone()),
        Fault::Swapped if at + 1 < packets.len() => packets.swap(at, at + 1),
        Fault::CutTo(len) => packets[at].truncate((*len).into()),
        _ => {}
    }
    packets
}
