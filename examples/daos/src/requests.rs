//! What requests about pools have in common, and their replies.

use drpc::Der;
use prost::{Message, Name};

use crate::kept::Kept;
use crate::messages::mgmt::{
    AclResp, ClientTelemetryResp, DaosResp, DeleteAclReq, GetAclReq, GetAttachInfoResp, GetGroupStatusResp,
    GroupUpdateResp, ListContReq, ListContResp, ModifyAclReq, PoolCreateResp, PoolDestroyReq,
    PoolDestroyResp, PoolEvictReq, PoolEvictResp, PoolGetPropReq, PoolGetPropResp, PoolQueryReq,
    PoolQueryResp, PoolSetPropReq, PoolSetPropResp,
};
use crate::pool;

/// A request about one pool.
pub(crate) trait AboutPool: Message + Name + Default + Clone + 'static {
    /// The system's name, the pool's UUID or label, and the ranks of its service.
    fn parts(&mut self) -> (&str, &mut String, &mut Vec<u32>);

    /// The label that the pool is to have.
    fn new_label(&self) -> Option<&str> {
        None
    }
}

/// A reply that has nothing but a code in it when something went wrong (E4).
pub(crate) trait Reply: Message + Default + Clone + 'static {
    fn status(&self) -> i32;
    fn set_status(&mut self, code: Der);
}

/// The reply that something went wrong.
pub(crate) fn failed<R: Reply>(code: Der) -> R {
    let mut reply = R::default();
    reply.set_status(code);
    reply
}

macro_rules! about_pool {
    ($($request:ty),+ $(,)?) => {$(
        impl AboutPool for $request {
            fn parts(&mut self) -> (&str, &mut String, &mut Vec<u32>) {
                (&self.sys, &mut self.id, &mut self.svc_ranks)
            }
        }
    )+};
}

about_pool!(
    DeleteAclReq,
    GetAclReq,
    ListContReq,
    ModifyAclReq,
    PoolDestroyReq,
    PoolEvictReq,
    PoolGetPropReq,
    PoolQueryReq
);

impl AboutPool for PoolSetPropReq {
    fn parts(&mut self) -> (&str, &mut String, &mut Vec<u32>) {
        (&self.sys, &mut self.id, &mut self.svc_ranks)
    }

    fn new_label(&self) -> Option<&str> {
        Some(pool::label(&self.properties)).filter(|label| !label.is_empty())
    }
}

macro_rules! reply {
    ($($reply:ty),+ $(,)?) => {$(
        impl Reply for $reply {
            fn status(&self) -> i32 {
                self.status
            }

            fn set_status(&mut self, code: Der) {
                self.status = code.code();
            }
        }
    )+};
}

reply!(
    AclResp,
    ClientTelemetryResp,
    DaosResp,
    GetAttachInfoResp,
    GetGroupStatusResp,
    GroupUpdateResp,
    ListContResp,
    PoolCreateResp,
    PoolDestroyResp,
    PoolEvictResp,
    PoolGetPropResp,
    PoolQueryResp,
    PoolSetPropResp,
);

impl<R: Reply> Reply for Kept<R> {
    fn status(&self) -> i32 {
        R::status(self)
    }

    fn set_status(&mut self, code: Der) {
        R::set_status(self, code);
    }
}
