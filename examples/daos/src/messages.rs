//! What travels: the messages of `proto/daos/*.proto`, by their packages.

#![allow(
    missing_docs,
    clippy::doc_markdown,
    reason = "prost makes items that the .proto files have no comment for, and words of its own"
)]

use crate::kept::Kept;

/// Who a client is.
pub mod auth {
    drpc::include_proto!("auth");
}

/// What the checker finds.
pub mod chk {
    drpc::include_proto!("chk");
}

/// Devices and logs of an engine.
pub mod ctl {
    drpc::include_proto!("ctl");
}

/// Pools, ranks and the system.
pub mod mgmt {
    drpc::include_proto!("mgmt");
}

/// Events, and the checker's questions to the server.
pub mod shared {
    drpc::include_proto!("shared");
}

/// What an engine asks of its server.
pub mod srv {
    drpc::include_proto!("srv");
}

/// `auth.Token`: the server returns it as it came.
pub type Token = Kept<KnownToken>;

/// `mgmt.PoolProperty`: an engine stores it, and returns it as it came.
pub type PoolProperty = Kept<KnownProperty>;

/// What this build knows of a [`Token`].
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct KnownToken {
    /// How `data` is to be read.
    #[prost(enumeration = "auth::Flavor", tag = "1")]
    pub flavor: i32,
    /// With `AUTH_SYS`, an [`auth::Sys`].
    #[prost(bytes = "vec", tag = "2")]
    pub data: Vec<u8>,
}

/// What this build knows of a [`PoolProperty`].
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct KnownProperty {
    /// Which property it is.
    #[prost(uint32, tag = "1")]
    pub number: u32,
    /// Its value.
    #[prost(oneof = "PropertyValue", tags = "2, 3")]
    pub value: Option<PropertyValue>,
}

/// The value of a [`PoolProperty`], of the kinds that DAOS 2.8 has.
#[derive(Clone, PartialEq, Eq, Hash, prost::Oneof)]
pub enum PropertyValue {
    /// A text.
    #[prost(string, tag = "2")]
    Strval(String),
    /// A number.
    #[prost(uint64, tag = "3")]
    Numval(u64),
}
