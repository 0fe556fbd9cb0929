//! What a handler returns: a reply, or a `Result` of one. The compiler decides by the type, whatever it is called.
//!
//! No trait can be implemented for both, since a `Result` might become a prost message one day. So a constant tells which of the two
//! a type is, and the trait has it as a parameter.

use std::convert::Infallible;
use std::marker::PhantomData;

use crate::handler::failure::Failure;
use crate::handler::payload::Payload;
use crate::handler::reply::{IntoReply, Reply};
use crate::private::requested::{Is, UNDECLARED_FDS};

/// The type is the reply itself.
pub const REPLY: u8 = 0;
/// The type is a `Result` of a reply and an error.
pub const RESULT: u8 = 1;
/// The type can't be returned. Generated code goes on nevertheless, so that this is told of once.
pub const NEITHER: u8 = 2;

/// Asks what a type is: an inherent constant comes before that of a trait, where it is there.
pub struct Kind<T>(PhantomData<T>);

impl<R: IntoReply, E> Kind<Result<R, E>> {
    pub const IS_RESULT: bool = true;
}

impl<T: IntoReply> Kind<T> {
    pub const IS_REPLY: bool = true;
}

/// The answers for every other type.
pub trait Otherwise {
    const IS_RESULT: bool = false;
    const IS_REPLY: bool = false;
}

impl<T> Otherwise for Kind<T> {}

impl Kind<()> {
    /// What the two answers come to.
    #[must_use]
    pub const fn of(is_result: bool, is_reply: bool) -> u8 {
        match (is_result, is_reply) {
            (true, _) => RESULT,
            (false, true) => REPLY,
            (false, false) => NEITHER,
        }
    }
}

/// What the type of a handler's return value is: an [`Is`].
#[doc(hidden)]
#[macro_export]
macro_rules! __kind {
    ($ty:ty) => {
        $crate::private::Is<{
            use $crate::private::Otherwise as _;
            $crate::private::Kind::of(
                <$crate::private::Kind<$ty>>::IS_RESULT,
                <$crate::private::Kind<$ty>>::IS_REPLY,
            )
        }>
    };
}
pub use __kind as kind;

/// What a handler returns, by its kind.
pub trait Returned<Answer> {
    /// What a client is given for it.
    type Received: Payload;
    /// What the handler may fail with.
    type Error;

    /// Whether the reply has descriptors; of what can't be returned, that is not asked.
    const HAS_FDS: bool;

    /// The answer, or what becomes the failure.
    ///
    /// # Errors
    ///
    /// What the handler failed with.
    fn answer(self) -> Result<Reply, Self::Error>;

    /// The answer of what was returned in a `Result`.
    ///
    /// # Errors
    ///
    /// What the handler failed with.
    fn reply(self) -> Result<Reply, Failure>
    where
        Self: Sized,
        Failure: From<Self::Error>,
    {
        Ok(self.answer()?)
    }
}

impl<T: IntoReply> Returned<Is<REPLY>> for T {
    type Received = T::Received;
    type Error = Infallible;

    const HAS_FDS: bool = T::Received::WITH_FDS;

    fn answer(self) -> Result<Reply, Infallible> {
        Ok(self.into_reply())
    }
}

#[diagnostic::do_not_recommend]
impl<R: IntoReply, E> Returned<Is<RESULT>> for Result<R, E> {
    type Received = R::Received;
    type Error = E;

    const HAS_FDS: bool = R::Received::WITH_FDS;

    fn answer(self) -> Result<Reply, E> {
        self.map(IntoReply::into_reply)
    }
}

impl<T> Returned<Is<NEITHER>> for T {
    type Received = ();
    type Error = Infallible;

    const HAS_FDS: bool = true;

    /// Never called: a program that returns such a type does not compile.
    fn answer(self) -> Result<Reply, Infallible> {
        Ok(Reply::Success(().into_body()))
    }
}

/// Fails to compile, at the type's own span, for what can't be a reply; also for one with descriptors, of a method that is not declared to pass any.
///
/// # Panics
///
/// In the second case. It is called by the compiler, whose error that is.
#[track_caller]
pub const fn assert_reply<T: IntoReply>() {
    assert!(!T::Received::WITH_FDS, "{}", UNDECLARED_FDS);
}

/// As [`assert_reply`], for what a handler returns.
///
/// # Panics
///
/// As [`assert_reply`].
#[track_caller]
pub const fn assert_returned<T: ReturnedAs<Answer>, Answer>() {
    assert!(!T::HAS_FDS, "{}", UNDECLARED_FDS);
}

/// Fails to compile, at the type's own span, for what can't be a reply.
pub const fn assert_reply_with_fds<T: IntoReply>() {}

/// Fails to compile, at the type's own span, for what a handler can't return.
pub const fn assert_returned_with_fds<T: ReturnedAs<Answer>, Answer>() {}

/// The types that a handler may return, of a kind.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't travel in the body of a dRPC call",
    label = "not a request or reply type",
    note = "a request or reply is a message of prost 0.14 (`#[derive(prost::Message)]`), `bytes::Bytes` for raw bytes, or `()` for nothing; a handler may return a `Result` of that"
)]
pub trait ReturnedAs<Answer> {
    /// Whether the reply may have descriptors.
    const HAS_FDS: bool;
}

#[diagnostic::do_not_recommend]
impl<T: IntoReply> ReturnedAs<Is<REPLY>> for T {
    const HAS_FDS: bool = T::Received::WITH_FDS;
}

#[diagnostic::do_not_recommend]
impl<R: IntoReply, E> ReturnedAs<Is<RESULT>> for Result<R, E> {
    const HAS_FDS: bool = R::Received::WITH_FDS;
}
