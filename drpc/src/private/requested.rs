//! What a handler takes as its request. The compiler is asked once whether a type can travel, and tells of it once if it can't: all
//! other code goes on with what it was told. It would tell of the same again from every function that needs the type to.

use std::marker::PhantomData;

use bytes::Bytes;

use crate::descriptors::Descriptors;
use crate::handler::context::Context;
use crate::handler::decoding::Decoding;
use crate::handler::failure::Failure;
use crate::handler::incoming::Incoming;
use crate::handler::method::Method;
use crate::handler::module::HandlerFuture;
use crate::handler::payload::{NO_FDS_IN_ITEMS, Payload};
use crate::handler::reply::Reply;

/// Asks whether a type can travel: an inherent constant comes before that of a trait, where it is there.
pub struct Travels<T>(PhantomData<T>);

impl<T: Payload> Travels<T> {
    pub const IS_SO: bool = true;
}

/// The answer for every other type.
pub trait StaysHere {
    const IS_SO: bool = false;
}

impl<T> StaysHere for Travels<T> {}

/// Whether a type can travel: an [`Is`].
#[doc(hidden)]
#[macro_export]
macro_rules! __travels {
    ($ty:ty) => {
        $crate::private::Is<{
            use $crate::private::StaysHere as _;
            $crate::private::travels_or_not(<$crate::private::Travels<$ty>>::IS_SO)
        }>
    };
}
pub use __travels as travels;

/// The answer that a type was given, as a type: it is named at many places, and a constant would be worked out at each.
pub struct Is<const ANSWER: u8>;

/// The type can travel.
pub(super) const TRAVELS: u8 = 1;
/// The type can't travel. Generated code goes on nevertheless, so that this is told of once.
pub(super) const STAYS_HERE: u8 = 0;

/// What the answer comes to.
#[must_use]
pub const fn travels_or_not(travels: bool) -> u8 {
    match travels {
        true => TRAVELS,
        false => STAYS_HERE,
    }
}

/// What a handler takes, by whether it can travel.
pub trait Requested<Answer>: Sized {
    /// What a client sends for it.
    type Sent: Payload;

    /// Whether it has descriptors; of what can't travel, that is not asked.
    const HAS_FDS: bool;

    /// The request in a body.
    ///
    /// # Errors
    ///
    /// A failure with `FAILED_UNMARSHAL_PAYLOAD` (D4), also if it comes to more than may be decoded.
    fn decode(body: Bytes, reading: &mut Reading) -> Result<Self, Failure>;

    fn sent(self) -> Self::Sent;

    /// Takes a stream of such items from the caller, for what `run` calls.
    ///
    /// # Errors
    ///
    /// If there is none to be had.
    fn taking(
        context: &Context,
        method: Method,
        run: impl FnOnce(Incoming<Self>) -> HandlerFuture<'static>,
    ) -> Result<Reply, Failure>;
}

impl<T: Payload> Requested<Is<TRAVELS>> for T {
    type Sent = T;

    const HAS_FDS: bool = T::WITH_FDS;

    #[inline]
    fn decode(body: Bytes, Reading { decoding, descriptors }: &mut Reading) -> Result<T, Failure> {
        match descriptors {
            None => T::from_body_within(body, decoding),
            Some(descriptors) => T::from_message(body, descriptors, decoding),
        }
    }

    fn sent(self) -> T {
        self
    }

    fn taking(
        context: &Context,
        method: Method,
        run: impl FnOnce(Incoming<T>) -> HandlerFuture<'static>,
    ) -> Result<Reply, Failure> {
        Reply::taking_boxed(context, method, run)
    }
}

impl<T> Requested<Is<STAYS_HERE>> for T {
    type Sent = ();

    const HAS_FDS: bool = true;

    /// Never called: a program that takes such a type does not compile.
    fn decode(_: Bytes, _: &mut Reading) -> Result<T, Failure> {
        Err(Failure::unknown_method())
    }

    fn sent(self) {}

    /// Never called, as above.
    fn taking(
        _: &Context,
        _: Method,
        _: impl FnOnce(Incoming<T>) -> HandlerFuture<'static>,
    ) -> Result<Reply, Failure> {
        Err(Failure::unknown_method())
    }
}

/// What it takes to read a request, besides its body. The request is counted for as long as this is kept.
pub struct Reading {
    decoding: Decoding,
    /// `None` if the method takes none.
    descriptors: Option<Box<Descriptors>>,
}

/// How a call's request is decoded, and what came along with it.
#[must_use]
#[inline]
pub fn reading(context: &Context, method: Method, body: &Bytes) -> Reading {
    let descriptors = method.has_fds().then(|| Box::new(context.descriptors()));
    Reading { decoding: context.decoding(method, body), descriptors }
}

/// Fails to compile, at the type's own span, for what can't travel; also for one with descriptors, of a method that is not declared to pass any.
///
/// # Panics
///
/// In the second case. It is called by the compiler, whose error that is.
#[track_caller]
pub const fn assert_payload<T: Payload>() {
    assert!(!T::WITH_FDS, "{}", UNDECLARED_FDS);
}

/// Fails to compile, at the type's own span, for what can't travel.
pub const fn assert_payload_with_fds<T: Payload>() {}

pub(super) const UNDECLARED_FDS: &str = "this method passes descriptors, as its request or reply is a `WithFds`: declare it so, by `#[method(…, fds)]`";

/// Fails to compile, at the type's own span, for what can't be an item of a stream.
///
/// # Panics
///
/// For one with descriptors. It is called by the compiler, whose error that is.
#[track_caller]
pub const fn assert_item<T: Payload>() {
    assert!(!T::WITH_FDS, "{}", NO_FDS_IN_ITEMS);
}

/// Fails to compile for a method that is declared to pass descriptors, and does not.
///
/// # Panics
///
/// Then. It is called by the compiler, whose error that is.
#[track_caller]
pub const fn assert_fds(request: bool, reply: bool) {
    assert!(
        request || reply,
        "neither request nor reply of this method has descriptors: write `WithFds<…>` around the one that has, or leave out `fds`"
    );
}
