//! The messages of `proto/drpc.proto` as prost decodes them. A test of the workspace holds them against the file.

use bytes::Bytes;

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Call {
    #[prost(int32, tag = "1")]
    pub(super) module: i32,
    #[prost(int32, tag = "2")]
    pub(super) method: i32,
    #[prost(int64, tag = "3")]
    pub(super) sequence: i64,
    #[prost(bytes = "bytes", tag = "4")]
    pub(super) body: Bytes,
    #[prost(uint64, optional, tag = "1000")]
    pub(super) time_left_us: Option<u64>,
    #[prost(bool, tag = "1001")]
    pub(super) wants_error: bool,
    #[prost(bytes = "bytes", tag = "1002")]
    pub(super) traceparent: Bytes,
    #[prost(bytes = "bytes", tag = "1003")]
    pub(super) tracestate: Bytes,
    #[prost(message, optional, tag = "1010")]
    pub(super) credit: Option<Credit>,
    // As the number, so that one of a later peer is no call.
    #[prost(int32, tag = "1011")]
    pub(super) control: i32,
    #[prost(bool, tag = "1012")]
    pub(super) asks_control: bool,
    #[prost(bool, tag = "1013")]
    pub(super) sends_items: bool,
    #[prost(bool, tag = "1014")]
    pub(super) takes_many: bool,
    #[prost(uint32, tag = "1020")]
    pub(super) descriptors: u32,
    #[prost(bool, tag = "1021")]
    pub(super) takes_descriptors: bool,
    #[prost(bool, tag = "1030")]
    pub(super) takes_packs: bool,
    #[prost(bool, tag = "1031")]
    pub(super) pack: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Credit {
    #[prost(uint32, tag = "1")]
    pub(super) items: u32,
    #[prost(uint64, tag = "2")]
    pub(super) bytes: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Response {
    #[prost(int64, tag = "1")]
    pub(super) sequence: i64,
    // An enum on the wire is an int32; kept as the number so that none is lost (E3).
    #[prost(int32, tag = "2")]
    pub(super) status: i32,
    #[prost(bytes = "bytes", tag = "3")]
    pub(super) body: Bytes,
    #[prost(bytes = "bytes", tag = "1000")]
    pub(super) error: Bytes,
    #[prost(bytes = "bytes", tag = "1001")]
    pub(super) error_details: Bytes,
    // As the number, so that one of a later peer is no error.
    #[prost(int32, tag = "1002")]
    pub(super) error_cause: i32,
    #[prost(int32, tag = "1010")]
    pub(super) part: i32,
    #[prost(bool, tag = "1011")]
    pub(super) takes_control: bool,
    #[prost(message, optional, tag = "1012")]
    pub(super) credit: Option<Credit>,
    #[prost(bool, tag = "1013")]
    pub(super) takes_many: bool,
    #[prost(uint32, tag = "1020")]
    pub(super) descriptors: u32,
    #[prost(bool, tag = "1021")]
    pub(super) took_descriptors: bool,
    #[prost(bool, tag = "1030")]
    pub(super) takes_packs: bool,
    #[prost(bool, tag = "1031")]
    pub(super) pack: bool,
}
