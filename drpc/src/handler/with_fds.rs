use std::os::fd::OwnedFd;

use bytes::Bytes;

use crate::descriptors::{Descriptors, close};
use crate::handler::decoding::Decoding;
use crate::handler::failure::Failure;
use crate::handler::payload::Payload;
use crate::wire::{Body, Status};

/// A message with descriptors, which are passed to the other process: what a method with `fds` takes or returns.
///
/// # Example
///
/// ```
/// use std::fs::File;
/// use drpc::{Failure, WithFds, drpc_module};
///
/// #[derive(Clone, PartialEq, prost::Message)]
/// pub struct Open {
///     #[prost(string, tag = "1")]
///     pub path: String,
/// }
///
/// struct Files;
///
/// #[drpc_module(id = 9)]
/// impl Files {
///     /// Opens a file for who may not open it.
///     #[method(6, fds)]
///     fn open(&self, req: Open) -> Result<WithFds<()>, Failure> {
///         Ok(WithFds::new((), [File::open(&req.path)?]))
///     }
/// }
/// ```
///
/// A message is a prost message, [`Bytes`], or `()`. The descriptors are whose value this is, and are closed with it; in who receives them, they are
/// close-on-exec from the first instant. [The chapter](crate::guide::descriptors) has the limits, and what to check before a descriptor is trusted.
#[derive(Debug, Default)]
pub struct WithFds<M> {
    /// The message.
    pub message: M,
    /// The descriptors; at most 253.
    pub fds: Vec<OwnedFd>,
}

impl<M> WithFds<M> {
    /// A message with descriptors, or with what owns one: a file, a socket, the end of a pipe.
    pub fn new(message: M, fds: impl IntoIterator<Item = impl Into<OwnedFd>>) -> Self {
        WithFds { message, fds: fds.into_iter().map(Into::into).collect() }
    }

    /// The message and its descriptors, if these are exactly so many.
    ///
    /// ```
    /// use drpc::WithFds;
    ///
    /// let (reader, writer) = std::io::pipe()?;
    /// let sent = WithFds::new((), [reader]);
    /// let ((), [reader]) = sent.exactly()?;
    /// # drop((reader, writer));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`struct@Failure`] with `FAILED_UNMARSHAL_PAYLOAD`, which says how many there are. They are closed, on a thread of its own, since their sender may make that last.
    pub fn exactly<const N: usize>(self) -> Result<(M, [OwnedFd; N]), Failure> {
        match self.fds.try_into() {
            Ok(fds) => Ok((self.message, fds)),
            Err(fds) => {
                let fds: Vec<OwnedFd> = fds;
                let text = format!("the message has {} descriptors in place of {N}", fds.len());
                close(fds);
                Err(Failure::with_message(Status::FAILED_UNMARSHAL_PAYLOAD, text))
            }
        }
    }
}

/// In a body alone there are no descriptors.
#[diagnostic::do_not_recommend]
impl<M: prost::Message + Default + 'static> Payload for WithFds<M> {
    const WITH_FDS: bool = true;
    type Message = M;

    fn from_body(body: Bytes) -> Result<Self, Failure> {
        Ok(WithFds { message: M::from_body(body)?, fds: Vec::new() })
    }

    fn from_body_within(body: Bytes, decoding: &mut Decoding) -> Result<Self, Failure> {
        Ok(WithFds { message: M::from_body_within(body, decoding)?, fds: Vec::new() })
    }

    fn from_message(
        body: Bytes,
        descriptors: &Descriptors,
        decoding: &mut Decoding,
    ) -> Result<Self, Failure> {
        let read = Self::from_body_within(body, decoding)?;
        Ok(WithFds { fds: descriptors.take(), ..read })
    }

    fn into_body(self) -> Body {
        self.message.into_body().with_descriptors(self.fds)
    }
}
