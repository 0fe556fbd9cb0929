//! From what a handler fails with to a [`struct@Failure`]: whatever is an error, or becomes one.
//!
//! The ways are tried in this order: a conversion into `Failure` of the type's own; an error that can be looked into (`anyhow`, `eyre`);
//! one that can be kept; one that can only be read. The compiler chooses by the type: a method of `&&&Raised` comes before one of
//! `&&Raised`, where its bounds are met.

use std::error::Error;
use std::fmt::Display;
use std::marker::PhantomData;

use crate::handler::failure::Failure;

/// What a handler fails with: `(&&&&&&&&Raised::of(&error)).way().failure(error)`, or `way_of_borrowed` for what borrows, and so can't
/// be kept.
pub struct Raised<E>(PhantomData<E>);

impl<E> Raised<E> {
    pub const fn of(_: &E) -> Self {
        Raised(PhantomData)
    }
}

/// The failure that an error type of one's own becomes, which derives its conversion.
#[doc(hidden)]
#[macro_export]
macro_rules! __raise_own {
    ($error:ident) => {{
        use $crate::private::{HasNoText as _, IsError as _, IsLocalError as _, IsShown as _};
        (&&&&&&&&$crate::private::Raised::of(&$error)).way().failure($error)
    }};
}
pub use __raise_own as raise_own;

/// The failure that an error type of one's own becomes that borrows, and so can't be kept.
#[doc(hidden)]
#[macro_export]
macro_rules! __raise_borrowed {
    ($error:ident) => {{
        use $crate::private::HasNoText as _;
        $crate::private::Raised::of(&$error).way().failure($error)
    }};
}
pub use __raise_borrowed as raise_borrowed;

/// What a handler may return as its error.
#[diagnostic::on_unimplemented(
    message = "a handler can't fail with `{Self}`: it is no error, and does not convert into `drpc::Failure`",
    label = "not an error that can be answered",
    note = "implement `std::error::Error` for it, or derive `drpc::Failure`, or write `impl From<{Self}> for drpc::Failure`"
)]
pub trait IntoFailure {
    /// The error as a failure.
    fn into_failure(self) -> Failure;
}

#[diagnostic::do_not_recommend]
impl<E: Into<Failure>> IntoFailure for E {
    fn into_failure(self) -> Failure {
        self.into()
    }
}

macro_rules! ways {
    ($ask:ident; $($(#[$doc:meta])* $asked:ident, $way:ident: ($($receiver:tt)*) where $error:ident: [$($bound:tt)*], $convert:expr;)*) => {$(
        $(#[$doc])*
        pub struct $way;

        $(#[$doc])*
        pub trait $asked {
            fn $ask(&self) -> $way {
                $way
            }
        }

        impl<$error: $($bound)*> $asked for $($receiver)* Raised<$error> {}

        impl $way {
            pub fn failure<$error: $($bound)*>(self, error: $error) -> Failure {
                ($convert)(error)
            }
        }
    )*};
}

ways! {
    way;
    /// It has a conversion of its own.
    HasConversion, Converted: (&&&&&&&) where E: [Into<Failure>], Into::into;
    /// It holds an error, and becomes one that does not show what it holds (`anyhow::Error`).
    HoldsError, Held: (&&&&&&) where E: [AsRef<dyn Error + 'static> + Into<Box<dyn Error + Send + Sync>>], Failure::from_held;
    /// It is an error, or a text.
    IsError, Kept: (&&&&&) where E: [Into<Box<dyn Error + Send + Sync>>], Failure::from_error;
    /// It holds an error that may not leave its thread (`Box<dyn Error>`).
    HoldsLocalError, Read: (&&&&) where E: [AsRef<dyn Error + 'static>], |error: E| Failure::read_from(error.as_ref());
    /// It holds an error that may leave its thread, but not be shared (`Box<dyn Error + Send>`).
    HoldsSendError, ReadSend: (&&&) where E: [AsRef<dyn Error + Send + 'static>], |error: E| Failure::read_from(error.as_ref());
    /// It is an error that may not leave its thread.
    IsLocalError, ReadLocal: (&&) where E: [Error + 'static], |error: E| Failure::read_from(&error);
    /// It has a text, and may borrow.
    IsShown, Shown: (&) where E: [Display], |error: E| Failure::from(error.to_string());
}

ways! {
    way_of_borrowed;
    /// It has a conversion of its own.
    BorrowsConversion, ConvertedBorrowed: (&&) where E: [Into<Failure>], Into::into;
    /// It has a text.
    BorrowsText, ShownBorrowed: (&) where E: [Display], |error: E| Failure::from(error.to_string());
}

/// It has no text, which its conversion tells.
pub struct Textless;

/// It has no text, which its conversion tells.
pub trait HasNoText {
    fn way(&self) -> Textless {
        Textless
    }
}

impl<E> HasNoText for Raised<E> {}

impl Textless {
    pub fn failure<E: HasText>(self, error: E) -> Failure {
        Failure::from(error.to_string())
    }
}

/// What derives `Failure`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no text to answer with",
    label = "no `Display`",
    note = "derive `thiserror::Error` beside `drpc::Failure`, or implement `std::fmt::Display`"
)]
pub trait HasText: Display {}

#[diagnostic::do_not_recommend]
impl<E: Display> HasText for E {}

/// It is no error, which its conversion tells.
pub struct Unconverted;

/// It is no error, which its conversion tells.
pub trait IsNoError {
    fn way(&self) -> Unconverted {
        Unconverted
    }
}

impl<E> IsNoError for Raised<E> {}

/// It is no error, which its conversion tells.
pub trait BorrowsNothing {
    fn way_of_borrowed(&self) -> Unconverted {
        Unconverted
    }
}

impl<E> BorrowsNothing for Raised<E> {}

impl Unconverted {
    pub fn failure<E: IntoFailure>(self, error: E) -> Failure {
        error.into_failure()
    }
}
