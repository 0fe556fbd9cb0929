use std::any::{Any, TypeId};

use bytes::Bytes;

use crate::descriptors::Descriptors;
use crate::handler::decoding::Decoding;
use crate::handler::failure::Failure;
use crate::wire::Body;

/// What may be in a body: a prost message, raw [`Bytes`], or `()` for nothing.
///
/// It is implemented for every `prost::Message`, and for [`WithFds`](crate::WithFds); you never implement it.
///
/// ```
/// use drpc::{Bytes, Failure, Payload};
///
/// #[derive(Clone, PartialEq, prost::Message)]
/// pub struct Hello {
///     #[prost(string, tag = "1")]
///     pub name: String,
/// }
///
/// let hello = Hello { name: "World".into() };
/// let body: Bytes = hello.clone().into_body().into_bytes();
/// assert_eq!(Hello::from_body(body)?, hello);
/// # Ok::<(), Failure>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't travel in the body of a dRPC call",
    label = "not a request or reply type",
    note = "a request or reply is a message of prost 0.14 (`#[derive(prost::Message)]`), `bytes::Bytes` for raw bytes, or `()` for nothing"
)]
pub trait Payload: Sized + Send + 'static + sealed::Sealed {
    /// Reads the payload from a body.
    ///
    /// # Errors
    ///
    /// [`struct@Failure`] with `FAILED_UNMARSHAL_PAYLOAD` if the bytes are no such message ([D4](crate::guide::rules#dispatch)).
    fn from_body(body: Bytes) -> Result<Self, Failure>;

    /// As [`from_body`](Self::from_body), if a message comes to no more than that. Of [`Bytes`] there is nothing to decode.
    #[doc(hidden)]
    fn from_body_within(body: Bytes, decoding: &mut Decoding) -> Result<Self, Failure>;

    /// As [`from_body_within`](Self::from_body_within), of a message that came with descriptors. Who takes none leaves them.
    #[doc(hidden)]
    #[inline]
    fn from_message(body: Bytes, _: &Descriptors, decoding: &mut Decoding) -> Result<Self, Failure> {
        Self::from_body_within(body, decoding)
    }

    /// Whether its message may have descriptors.
    #[doc(hidden)]
    const WITH_FDS: bool = false;

    /// The message, without them.
    #[doc(hidden)]
    type Message;

    /// The payload as a body.
    fn into_body(self) -> Body;
}

#[diagnostic::do_not_recommend]
impl<M: prost::Message + Default + 'static> Payload for M {
    type Message = M;

    fn from_body(body: Bytes) -> Result<Self, Failure> {
        Self::from_body_within(body, &mut Decoding::of_reply(usize::MAX))
    }

    #[inline]
    fn from_body_within(body: Bytes, decoding: &mut Decoding) -> Result<Self, Failure> {
        if is_bytes::<M>() {
            return Ok(convert(body).unwrap_or_default());
        }
        match decoding.counts(&body) {
            false => M::decode(body).map_err(Failure::unmarshal_payload),
            true => decoding.decode(body).map_err(Failure::unmarshal_payload),
        }
    }

    fn into_body(self) -> Body {
        match is_bytes::<M>() {
            true => convert::<M, Bytes>(self).unwrap_or_default().into(),
            false => Body::of(&self),
        }
    }
}

/// Whether a message is raw [`Bytes`]: prost knows these as the message `google.protobuf.BytesValue`; here they are the body itself.
#[inline(always)]
fn is_bytes<M: 'static>() -> bool {
    // Settled when this is compiled for `M`.
    TypeId::of::<M>() == TypeId::of::<Bytes>()
}

/// A value as what it is, without a clone: the first one of a `Bytes` allocates.
fn convert<T: 'static, U: 'static>(value: T) -> Option<U> {
    (&mut Some(value) as &mut dyn Any).downcast_mut::<Option<U>>().and_then(Option::take)
}

/// Said by the compiler.
pub(crate) const NO_FDS_IN_ITEMS: &str = "an item of a stream passes no descriptors: pass them by a call of a method of its own, declared with `fds`";

mod sealed {
    pub trait Sealed {}

    #[diagnostic::do_not_recommend]
    impl<M: prost::Message + Default + 'static> Sealed for M {}

    #[diagnostic::do_not_recommend]
    impl<M: prost::Message + Default + 'static> Sealed for crate::handler::with_fds::WithFds<M> {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Status;

    #[derive(Clone, PartialEq, prost::Message)]
    struct Hello {
        #[prost(string, tag = "1")]
        name: String,
    }

    #[test]
    fn a_message_is_marshalled() {
        let body = Hello { name: "World".into() }.into_body();
        assert_eq!(body, &b"\x0a\x05World"[..]);
        assert_eq!(Hello::from_body(body.into_bytes()).unwrap().name, "World");
    }

    #[test]
    fn bytes_are_the_body_itself() {
        let body = Bytes::from(vec![1, 2, 3]);
        let raw = Bytes::from_body(body.clone()).unwrap();
        assert_eq!(raw.as_ptr(), body.as_ptr());
        assert_eq!(raw.into_body().into_bytes().as_ptr(), body.as_ptr());
    }

    #[test]
    fn nothing_is_empty_and_takes_what_it_does_not_know() {
        assert!(().into_body().is_empty());
        <()>::from_body(Bytes::from_static(b"\x0a\x05World")).unwrap();
    }

    #[test]
    fn invalid_utf8_and_bad_bytes_are_refused() {
        // D4; H: DAOS's C code accepts invalid UTF-8.
        for body in [&b"\x0a\x01\xff"[..], b"\xff"] {
            let failure = Hello::from_body(Bytes::from_static(body)).unwrap_err();
            assert_eq!(failure.status(), Status::FAILED_UNMARSHAL_PAYLOAD);
        }
    }
}
