use std::any::Any;

use bytes::Bytes;

use super::payload::Payload;

/// What a failure carries besides its status and text, for a caller that [asks for it](crate::guide::added_fields) ([E5](crate::guide::rules#envelope)): a message (any [`Payload`]), or an
/// error type that derives `Failure`.
///
/// [`Failure::with_details`](crate::Failure::with_details) attaches it, [`CallError::details`](crate::CallError::details) reads it. You never implement it by hand.
///
/// ```
/// use drpc::{Details, Failure, Status};
///
/// #[derive(Debug, PartialEq, Failure)]
/// enum PoolError {
///     #[failure(status = UNKNOWN_METHOD)]
///     NotThisPool(String),
///     Full { size: u64 },
/// }
///
/// impl std::fmt::Display for PoolError {
///     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
///         f.write_str("no")
///     }
/// }
///
/// let details = PoolError::Full { size: 5 }.to_details().unwrap();
/// assert_eq!(PoolError::from_details(&details), Some(PoolError::Full { size: 5 }));
/// assert_eq!(Failure::from(PoolError::NotThisPool("tank".into())).status(), Status::UNKNOWN_METHOD);
/// ```
pub trait Details: Sized {
    /// The details as they travel; nothing if they stay here.
    fn to_details(&self) -> Option<Bytes>;

    /// The details that came, if they are such ones, as far as can be told.
    fn from_details(details: &Bytes) -> Option<Self>;
}

#[diagnostic::do_not_recommend]
impl<M: prost::Message + Default + 'static> Details for M {
    fn to_details(&self) -> Option<Bytes> {
        let raw = (self as &dyn Any).downcast_ref::<Bytes>();
        Some(raw.cloned().unwrap_or_else(|| self.encode_to_vec().into()))
    }

    fn from_details(details: &Bytes) -> Option<Self> {
        M::from_body(details.clone()).ok()
    }
}
