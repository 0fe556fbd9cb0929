//! The module of a server.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;

use super::catalogue::{Carriers, catalogue};
use super::descriptors;
use super::messages::{Catalogue, SessionsRequest};
pub(crate) use super::sessions::Live;
use super::sessions::unix_ms;
use super::{CATALOGUE, DESCRIPTORS, ID, SESSIONS};
use crate::handler::context::Context;
use crate::handler::failure::Failure;
use crate::handler::method::Method;
use crate::handler::module::Module;
use crate::handler::payload::Payload;
use crate::handler::reply::Reply;

pub(crate) struct ReflectionModule {
    /// Descriptor sets: one behind the other, they are one.
    descriptors: Bytes,
    live: Arc<Live>,
    made_at: SystemTime,
}

impl ReflectionModule {
    /// The module of a server whose sessions these are, made now.
    pub(crate) fn new(descriptors: Bytes, live: Arc<Live>) -> Self {
        ReflectionModule { descriptors, live, made_at: SystemTime::now() }
    }
}

#[crate::async_trait]
impl Module for ReflectionModule {
    fn id(&self) -> i32 {
        ID
    }

    fn name(&self) -> &str {
        "reflection"
    }

    fn get_method(&self, id: i32) -> Option<Method> {
        [CATALOGUE, DESCRIPTORS, SESSIONS].into_iter().find(|method| method.id() == id)
    }

    async fn handle_call(
        self: Arc<Self>,
        context: Context,
        method: Method,
        body: Bytes,
    ) -> Result<Reply, Failure> {
        let body = match method {
            CATALOGUE => {
                let modules = catalogue(context.session());
                let catalogue = Catalogue { modules, serving_since_unix_ms: unix_ms(self.made_at) };
                catalogue.into_body().into_bytes()
            }
            DESCRIPTORS => descriptors::open_to(&Carriers::of(context.session()), &self.descriptors),
            SESSIONS => {
                let mut decoding = context.decoding(method, &body);
                let request = SessionsRequest::from_body_within(body, &mut decoding)?;
                self.live.page(context.session(), request.after).into_body().into_bytes()
            }
            _ => return Err(Failure::unknown_method()),
        };
        Ok(body.into())
    }
}
