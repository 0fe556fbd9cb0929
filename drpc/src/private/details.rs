//! The details of a failure that is a variant of an error type.

use bytes::Bytes;
use prost::Message;

use crate::wire::Status;

/// The variant of an error type, as it travels: whose it is, which one, and each field's body.
///
/// A field that is no message is `google.protobuf`'s wrapper of it (`StringValue` and its like), which is what prost makes of it. One
/// that a peer does not know is left out, one that it did not send has its default.
#[derive(Clone, PartialEq, prost::Message)]
pub struct VariantDetails {
    #[prost(string, tag = "1")]
    error: String,
    #[prost(string, tag = "2")]
    variant: String,
    #[prost(bytes = "bytes", repeated, tag = "3")]
    fields: Vec<Bytes>,
}

impl VariantDetails {
    #[must_use]
    pub fn of(error: &str, variant: &str) -> Self {
        VariantDetails { error: error.to_owned(), variant: variant.to_owned(), fields: Vec::new() }
    }

    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.encode_to_vec().into()
    }

    /// The details, if they are those of the error type.
    #[must_use]
    pub fn read(details: &Bytes, error: &str) -> Option<Self> {
        let details: Self = Message::decode(details.clone()).ok()?;
        (details.error == error).then_some(details)
    }

    #[must_use]
    pub fn variant(&self) -> &str {
        &self.variant
    }
}

/// The status of a variant, which is one of a failure.
///
/// # Panics
///
/// If it is none. It is called by the compiler, whose error that is.
#[must_use]
#[track_caller]
pub const fn failing(status: Status) -> Status {
    assert!(status.is_failure(), "SUCCESS and SUBMITTED are no failures: name another status");
    status
}

/// What a field of an error type may be.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't travel with a failure",
    label = "not a type that travels",
    note = "a field is a prost message, or a `String`, `Vec<u8>`, `Bytes`, `bool`, `i32`, `u32`, `i64`, `u64`, `f32` or `f64`",
    note = "write `#[failure(local)]` on a variant that stays here: its callers are told status and text alone"
)]
pub trait DetailField: Sized {
    fn put(&self, details: &mut VariantDetails);

    fn take(details: &VariantDetails, at: usize) -> Option<Self>;
}

/// How a field of an error type travels, once it was asked whether it can.
pub struct Field<T> {
    put: fn(&T, &mut VariantDetails),
    take: fn(&VariantDetails, usize) -> Option<T>,
}

/// How a field of a type travels.
#[must_use]
pub const fn field<T: DetailField>() -> Field<T> {
    Field { put: T::put, take: T::take }
}

impl<T> Field<T> {
    pub fn put(&self, field: &T, details: &mut VariantDetails) {
        (self.put)(field, details);
    }

    #[must_use]
    pub fn take(&self, details: &VariantDetails, at: usize) -> Option<T> {
        (self.take)(details, at)
    }
}

#[diagnostic::do_not_recommend]
impl<M: Message + Default> DetailField for M {
    fn put(&self, details: &mut VariantDetails) {
        details.fields.push(self.encode_to_vec().into());
    }

    fn take(details: &VariantDetails, at: usize) -> Option<Self> {
        M::decode(details.fields.get(at).cloned().unwrap_or_default()).ok()
    }
}
