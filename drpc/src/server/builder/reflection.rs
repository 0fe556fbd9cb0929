use std::sync::Arc;

use super::ServerBuilder;
use crate::builtin::reflection::server::{Live, ReflectionModule};
use crate::dispatch::router::ModuleService;
use crate::server::config::Config;
use crate::server::error::BindError;

#[derive(Default)]
pub(super) struct ReflectionOptions {
    is_on: bool,
    descriptors: Vec<u8>,
}

impl ServerBuilder {
    /// Serves [reflection](crate::reflection): callers are told which modules and methods there are that they may call, with docs and types,
    /// and what the server is doing in the sessions that they may see. Off by default.
    ///
    /// ```
    /// # use drpc::drpc_module;
    /// # struct Disks;
    /// # #[drpc_module(id = 6)]
    /// # impl Disks {
    /// #     /// Writes all to disk.
    /// #     #[method(1)]
    /// #     fn flush(&self) {}
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use drpc::Server;
    /// use drpc::reflection::ReflectionClient;
    ///
    /// let server = Server::builder().module(Disks).reflection(true);
    ///
    /// let client = ReflectionClient::new(drpc::testing::client_of(server)?);
    /// let disks = &client.catalogue().await?.modules[0];
    /// assert_eq!((disks.id, &*disks.name), (6, "disks"));
    /// assert_eq!(disks.methods[0].docs, "Writes all to disk.");
    /// # Ok(())
    /// # }
    /// ```
    pub fn reflection(mut self, on: bool) -> Self {
        self.reflection.is_on = on;
        self
    }

    /// Adds to what [`reflection`](Self::reflection) tells of messages: give
    /// [`include_descriptors!()`](crate::include_descriptors), for each package that has some.
    ///
    /// A caller is not shown what only methods carry that they may not call; to such a caller no `service` and no option of one's own is
    /// shown either, and nothing at all if the set can't be read. To who may call all it is sent as it is, without a copy. It must fit the
    /// [`message_limit`](Self::message_limit).
    pub fn message_descriptors(mut self, set: &[u8]) -> Self {
        self.reflection.descriptors.extend_from_slice(set);
        self
    }
}

impl ReflectionOptions {
    /// Adds the module, if it is switched on, and has it hear of sessions, behind all other hooks: none of those refuses a session
    /// that it has heard of.
    pub(super) fn install(
        self,
        service: &mut ModuleService,
        mut config: Config,
    ) -> Result<Config, BindError> {
        if self.is_on {
            let live = Arc::<Live>::default();
            let hooks = Arc::make_mut(&mut config.hooks);
            let (opening, closing) = (live.clone(), live.clone());
            hooks.on_open(move |session| {
                opening.opened(session);
                Ok(())
            });
            hooks.on_close(move |session| closing.closed(session));
            let module = Arc::new(ReflectionModule::new(self.descriptors.into(), live));
            service
                .register_arc(module, "`ServerBuilder::reflection`".into())
                .map_err(BindError::duplicate)?;
        }
        Ok(config)
    }
}
