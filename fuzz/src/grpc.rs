use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};
use std::{io, vec};

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use drpc::wire::ResponseFields;
use drpc::{Failure, FailureCause, Incoming, ModuleService, Status, Stream, drpc_module};
use drpc_grpc::private::{Server, told, understood};
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use tokio::runtime::{Builder, Runtime};

#[derive(Arbitrary, Debug)]
enum Input {
    /// What a handler fails with.
    Failure { status: i32, cause: Option<Cause>, text: String, details: Vec<u8> },
    /// What a server says that may be anybody's.
    Headers(Vec<(Header, Vec<u8>)>),
    /// What a caller sends that may be anybody.
    Request { method: u8, headers: Vec<(Header, Vec<u8>)>, pieces: Vec<Piece> },
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Cause {
    Handler,
    Denied,
    Panicked,
    TimedOut,
}

/// A header that means something, or another.
#[derive(Arbitrary, Debug)]
enum Header {
    Status,
    Message,
    Details,
    Timeout,
    Parent,
    State,
    Request,
    Submitted,
    Encoding,
    Other(u8),
}

#[derive(Arbitrary, Debug)]
enum Piece {
    Message(Vec<u8>),
    Raw(Vec<u8>),
    Broken,
}

struct Store;

#[drpc_module(id = 7, remote)]
impl Store {
    #[method(0)]
    fn echo(&self, body: Bytes) -> Bytes {
        body
    }

    #[method(1, stream)]
    fn bytes(&self, body: Bytes) -> impl Stream<Item = Result<Bytes, Failure>> {
        stream::iter(body.into_iter().map(|byte| Ok(Bytes::from(vec![byte]))))
    }

    #[method(2, stream)]
    async fn count(&self, head: Bytes, mut items: Incoming<Bytes>) -> Result<Bytes, Failure> {
        let mut bytes = head.len();
        while let Some(item) = items.next().await {
            bytes += item?.len();
        }
        Ok(bytes.to_string().into())
    }

    #[method(3, stream)]
    fn turn(&self, items: Incoming<Bytes>) -> impl Stream<Item = Result<Bytes, Failure>> {
        items
    }
}

/// How long a message may be.
const LIMIT: usize = 64;

static SERVER: LazyLock<(Runtime, Server)> = LazyLock::new(|| {
    let mut modules = ModuleService::new();
    modules.register(Store).expect("it is alone");
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    (runtime, Server::new(modules, LIMIT).expect("modules that gRPC carries"))
});

/// Any failure over gRPC comes back as it was. Any headers of a server are understood, as something. Any request of a caller is answered, by whole messages
/// and a status; its items come to the handler as they are, and a call whose items break off does not succeed.
pub fn grpc(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else { return };
    match input {
        Input::Failure { status, cause, text, details } => comes_back(status, cause, text, details),
        Input::Headers(headers) => drop(understood(headers_of(headers))),
        Input::Request { method, headers, pieces } => is_answered(method, headers, pieces),
    }
}

fn comes_back(status: i32, cause: Option<Cause>, text: String, details: Vec<u8>) {
    let status = Status::from(status);
    if !status.is_failure() {
        return;
    }
    let mut fields = ResponseFields::new(text, details.into());
    fields.cause = cause.map(|cause| match cause {
        Cause::Handler => FailureCause::Handler,
        Cause::Denied => FailureCause::Denied,
        Cause::Panicked => FailureCause::Panicked,
        Cause::TimedOut => FailureCause::TimedOut,
    });
    let response = understood(told(status, &fields)).expect("a status").expect("a response");
    assert_eq!(response.status, status);
    let added = response.added.expect("what was said of it");
    if fields.error.is_empty() {
        fields.error = status.description().to_owned();
    }
    assert_eq!(*added, fields);
}

fn is_answered(method: u8, headers: Vec<(Header, Vec<u8>)>, pieces: Vec<Piece>) {
    let name = ["store/Echo", "7/701", "7/702", "store/Turn", "7/799"][usize::from(method % 5)];
    let is_whole = !pieces.iter().any(|piece| matches!(piece, Piece::Broken));
    let mut sent: Vec<u8> = pieces.iter().map_while(Piece::bytes).flatten().collect();
    let last = sent.len().saturating_sub(5);
    if matches!(sent[last..], [0, ref length @ ..] if length.len() == 4 && length != [0; 4])
        && messages(&sent[..last]).is_some()
    {
        // The head of a message, and nothing of it: tonic takes that for the end of all.
        sent.truncate(last);
    }
    let mut request = http::Request::post(format!("http://host/drpc.{name}"));
    *request.headers_mut().expect("a path") = headers_of(headers);
    let request = request.body(Pieces(pieces.into_iter())).expect("a request");
    let (runtime, server) = &*SERVER;
    runtime.block_on(async {
        let response = server.answer(request).await;
        assert!(response.status().is_success());
        let at_once = response.headers().get("grpc-status").cloned();
        let body = response.into_body().collect().await.expect("a body");
        let at_end = body.trailers().and_then(|trailers| trailers.get("grpc-status")).cloned();
        let status = at_once.or(at_end).expect("a status");
        let replies = body.to_bytes();
        assert!(messages(&replies).is_some_and(|messages| messages.iter().all(|bytes| *bytes <= LIMIT)));
        match name {
            _ if status != "0" => {}
            "store/Echo" => assert!(!replies.is_empty() && sent.starts_with(&replies)),
            "store/Turn" => assert!(is_whole && sent == replies, "{is_whole}, {sent:02x?}, {replies:02x?}"),
            "7/702" => assert!(is_whole && messages(&sent).is_some(), "{is_whole}, {sent:02x?}"),
            "7/701" => assert!(!sent.is_empty()),
            _ => panic!("there is no such method"),
        }
    });
}

/// How long the messages are that these are; nothing, if they are not whole.
fn messages(mut bytes: &[u8]) -> Option<Vec<usize>> {
    let mut lengths = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<5>() {
        let [0, length @ ..] = head else { return None };
        let length = u32::from_be_bytes(*length) as usize;
        lengths.push(length);
        bytes = rest.get(length..)?;
    }
    bytes.is_empty().then_some(lengths)
}

impl Piece {
    /// As it is sent, unless it breaks off.
    fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Piece::Message(message) => {
                let length = u32::try_from(message.len()).expect("a short message").to_be_bytes();
                Some([&[0][..], &length, message].concat())
            }
            Piece::Raw(bytes) => Some(bytes.clone()),
            Piece::Broken => None,
        }
    }
}

/// A request's body. It breaks off, or ends.
struct Pieces(vec::IntoIter<Piece>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(self.0.next().map(|piece| match piece.bytes() {
            Some(bytes) => Ok(Frame::data(bytes.into())),
            None => Err(io::ErrorKind::ConnectionReset.into()),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_slice().is_empty()
    }
}

fn headers_of(headers: Vec<(Header, Vec<u8>)>) -> HeaderMap {
    let header = |(name, value): (Header, Vec<u8>)| {
        let name = match name {
            Header::Status => HeaderName::from_static("grpc-status"),
            Header::Message => HeaderName::from_static("grpc-message"),
            Header::Details => HeaderName::from_static("grpc-status-details-bin"),
            Header::Timeout => HeaderName::from_static("grpc-timeout"),
            Header::Parent => HeaderName::from_static("traceparent"),
            Header::State => HeaderName::from_static("tracestate"),
            Header::Request => HeaderName::from_static("drpc-request-bin"),
            Header::Submitted => HeaderName::from_static("drpc-submitted"),
            Header::Encoding => HeaderName::from_static("grpc-encoding"),
            Header::Other(byte) => HeaderName::try_from(format!("x-{byte}")).ok()?,
        };
        Some((name, HeaderValue::from_bytes(&value).ok()?))
    };
    headers.into_iter().filter_map(header).collect()
}
