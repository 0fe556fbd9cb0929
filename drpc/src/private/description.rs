//! What a module says of its methods, and what their calls carry, as the compiler sees it: whatever the types are called where the module
//! is written.

use std::marker::PhantomData;

use bytes::Bytes;

/// A method's doc comment, and what its calls and responses carry.
#[derive(Clone, Copy)]
pub struct MethodDescription {
    /// Its lines as the compiler has them: with the space after the slashes.
    pub docs: &'static str,
    pub request: Carried,
    pub reply: Carried,
    /// Of each item that the caller sends.
    pub items: Option<Carried>,
}

/// What a body carries.
#[derive(Clone, Copy)]
pub enum Carried {
    /// Nothing.
    Nothing,
    /// Bytes as they are.
    Raw,
    /// A message of a type, which may have a name in protobuf.
    Message { type_name: fn() -> &'static str, full_name: Option<fn() -> String> },
}

/// Asks what a type is: an inherent constant comes before that of a trait, where it is there.
pub struct Asked<T>(PhantomData<T>);

impl Asked<()> {
    pub const IS_NOTHING: bool = true;
}

impl Asked<Bytes> {
    pub const IS_RAW: bool = true;
}

impl<T: prost::Name> Asked<T> {
    pub const FULL_NAME: Option<fn() -> String> = Some(T::full_name);
}

/// The answers for every other type.
pub trait Unnamed {
    const IS_NOTHING: bool = false;
    const IS_RAW: bool = false;
    const FULL_NAME: Option<fn() -> String> = None;
}

impl<T> Unnamed for Asked<T> {}

impl Carried {
    /// What the answers come to: `()` and `Bytes` have names in protobuf, too.
    #[must_use]
    pub const fn of(
        is_nothing: bool,
        is_raw: bool,
        type_name: fn() -> &'static str,
        full_name: Option<fn() -> String>,
    ) -> Self {
        match (is_nothing, is_raw) {
            (true, _) => Carried::Nothing,
            (_, true) => Carried::Raw,
            _ => Carried::Message { type_name, full_name },
        }
    }
}

#[cfg(feature = "reflection")]
impl Carried {
    /// Its full name in protobuf, if it has one.
    pub(crate) fn full_name(self) -> Option<String> {
        match self {
            Carried::Nothing => Some("google.protobuf.Empty".to_owned()),
            Carried::Raw => None,
            Carried::Message { full_name, .. } => full_name.map(|full_name| full_name()),
        }
    }
}

/// What a body carries that is of a type.
#[doc(hidden)]
#[macro_export]
macro_rules! __carried {
    ($ty:ty) => {{
        use $crate::private::Unnamed as _;
        $crate::private::Carried::of(
            <$crate::private::Asked<$ty>>::IS_NOTHING,
            <$crate::private::Asked<$ty>>::IS_RAW,
            ::core::any::type_name::<$ty>,
            <$crate::private::Asked<$ty>>::FULL_NAME,
        )
    }};
}
pub use __carried as carried;

/// Includes the descriptors of the messages that `drpc-build` generated, for what describes them: `ServerBuilder::message_descriptors`, and
/// `contract::assert_kept`.
///
/// ```ignore
/// let server = drpc::Server::builder().reflection(true).message_descriptors(drpc::include_descriptors!());
/// ```
#[macro_export]
macro_rules! include_descriptors {
    () => {{
        const DESCRIPTORS: &[u8] = include_bytes!(concat!(
            env!(
                "OUT_DIR",
                "no build script ran: add a build.rs with `drpc_build::configure().compile_protos(…, …)`"
            ),
            "/drpc_descriptors.bin"
        ));
        DESCRIPTORS
    }};
}
