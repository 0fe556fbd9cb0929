//! A call's head and its body, sent together.

use std::io::{self, IoSlice};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection that sends the head of a call once the tasks that are ready have had their turn, and its body with it. hyper has the head sent before it looks at the body: apart they cost
/// two system calls, and wake the server twice.
pub(super) struct Gathering<T> {
    io: T,
    /// What was written and is yet to be sent.
    held: Vec<u8>,
    /// How much of that is sent.
    sent: usize,
    /// Whether others have had their turn.
    has_waited: bool,
}

/// More is not held.
const MOST: usize = 8 << 10;

impl<T> Gathering<T> {
    pub(super) fn new(io: T) -> Self {
        Gathering { io, held: Vec::new(), sent: 0, has_waited: false }
    }
}

impl<T: AsyncWrite + Unpin> Gathering<T> {
    /// Sends all that is held.
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.held.len() {
            match ready!(Pin::new(&mut self.io).poll_write(context, &self.held[self.sent..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.sent += sent,
            }
        }
        self.held.clear();
        (self.sent, self.has_waited) = (0, false);
        Poll::Ready(Ok(()))
    }
}

/// Whether among frames of HTTP/2 is the head of a call that has a body. What does not begin with a frame may be taken for either: it is sent in any case, at once or after a turn.
fn awaits_body(mut frames: &[u8]) -> bool {
    const HEADERS: u8 = 1;
    const END_STREAM: u8 = 1;

    while let [high, middle, low, kind, flags, _, _, _, _, rest @ ..] = frames {
        if *kind == HEADERS && flags & END_STREAM == 0 {
            return true;
        }
        let len = usize::from(*high) << 16 | usize::from(*middle) << 8 | usize::from(*low);
        frames = rest.get(len..).unwrap_or_default();
    }
    false
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Gathering<T> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let len = slices.iter().map(|slice| slice.len()).sum();
        if self.held.len() + len > MOST {
            ready!(self.poll_send(context))?;
            return Pin::new(&mut self.io).poll_write_vectored(context, slices);
        }
        slices.iter().for_each(|slice| self.held.extend_from_slice(slice));
        Poll::Ready(Ok(len))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.held.is_empty() {
            if awaits_body(&self.held) && !mem::replace(&mut self.has_waited, true) {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            ready!(self.poll_send(context))?;
        }
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(context))?;
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Gathering<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    /// Takes so much at a time, and only every other time that it is asked.
    struct Narrow {
        writes: Vec<Vec<u8>>,
        room: usize,
        took: bool,
        is_shut: bool,
    }

    impl Narrow {
        fn new(room: usize) -> Self {
            Narrow { writes: Vec::new(), room, took: false, is_shut: false }
        }

        /// Whether it takes something now; else who asks is to ask again.
        fn takes(&mut self, context: &Context<'_>) -> bool {
            self.took = !self.took;
            if !self.took {
                context.waker().wake_by_ref();
            }
            self.took
        }
    }

    impl AsyncWrite for Narrow {
        fn poll_write(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            if !self.takes(context) {
                return Poll::Pending;
            }
            let taken = bytes.len().min(self.room);
            self.writes.push(bytes[..taken].to_vec());
            Poll::Ready(Ok(taken))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.is_shut = true;
            Poll::Ready(Ok(()))
        }
    }

    async fn write(io: &mut Gathering<Narrow>, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let written = poll_fn(|context| Pin::new(&mut *io).poll_write(context, bytes)).await;
            bytes = &bytes[written.unwrap()..];
        }
    }

    /// A frame of stream 1.
    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let len = u8::try_from(payload.len()).unwrap();
        [&[0, 0, len, kind, flags, 0, 0, 0, 1], payload].concat()
    }

    /// Whether a flush lets others have their turn.
    async fn waits(io: &mut Gathering<Narrow>) -> bool {
        poll_fn(|context| Poll::Ready(Pin::new(&mut *io).poll_flush(context).is_pending())).await
    }

    #[tokio::test]
    async fn a_head_is_sent_with_the_body_that_others_write_in_their_turn() {
        let mut io = Gathering::new(Narrow::new(usize::MAX));
        let (settings, head, body) = (frame(4, 0, b"settings"), frame(1, 4, b"head"), frame(0, 1, b"body"));
        for _ in 0..2 {
            write(&mut io, &settings).await;
            write(&mut io, &head).await;
            assert!(waits(&mut io).await);
            write(&mut io, &body).await;
            poll_fn(|context| Pin::new(&mut io).poll_flush(context)).await.unwrap();
        }
        let sent = [settings, head, body].concat();
        assert_eq!(io.io.writes, [sent.clone(), sent]);
    }

    #[test]
    fn what_has_no_body_waits_for_none() {
        let (head, body, whole) = (frame(1, 4, b"head"), frame(0, 0, b"item"), frame(1, 5, b"of no body"));
        for (frames, awaits) in [
            (vec![], false),
            (vec![&body], false),
            (vec![&whole], false),
            (vec![&head], true),
            (vec![&body, &head, &body], true),
        ] {
            let frames = frames.into_iter().flatten().copied().collect::<Vec<_>>();
            assert_eq!(awaits_body(&frames), awaits, "{frames:?}");
        }
        assert!(!awaits_body(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") && !awaits_body(&head[..8]));
    }

    #[tokio::test]
    async fn all_is_sent_in_its_order_whatever_the_other_end_takes() {
        for room in [1000, usize::MAX] {
            let mut io = Gathering::new(Narrow::new(room));
            let mut all = Vec::new();
            for (byte, len) in (0..).zip([5, MOST - 5, 1, 3 * MOST, 7, MOST, 100]) {
                let bytes = vec![byte; len];
                write(&mut io, &bytes).await;
                all.extend(bytes);
                if byte % 2 == 0 {
                    poll_fn(|context| Pin::new(&mut io).poll_flush(context)).await.unwrap();
                    assert_eq!(io.io.writes.concat(), all);
                }
            }
            write(&mut io, b"goodbye").await;
            poll_fn(|context| Pin::new(&mut io).poll_shutdown(context)).await.unwrap();
            all.extend(b"goodbye");
            assert_eq!(io.io.writes.concat(), all);
            assert!(io.io.is_shut && io.held.capacity() <= 2 * MOST);
        }
    }
}
