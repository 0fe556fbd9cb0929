use std::fmt;

use super::{BindError, ServerBuilder};
use crate::authorization::rules_of;
use crate::{Allow, Method, ModuleService};

impl ServerBuilder {
    /// Who may connect. Anyone else's connection is closed at once, and logged.
    ///
    /// Without it, everyone may whom the socket's [mode](Self::mode) lets. The rule is asked where connections are accepted, so a
    /// closure in it ([`Allow::when`]) must not block. Given twice, the later rule counts.
    pub fn allow(mut self, rule: Allow) -> Self {
        self.config.access = Some(rule);
        self
    }

    /// Defines the rule that modules and methods name in their attribute: who may call them. A call of anyone else is answered
    /// FAILURE, and logged. Where a module and its method both name one, both must allow the caller. Given twice, the later rule
    /// counts.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use drpc::{Allow, PeerCredentials, Server, Status, drpc_module};
    ///
    /// struct Pools;
    ///
    /// #[drpc_module(id = 5)]
    /// impl Pools {
    ///     #[method(1)]
    ///     fn list(&self) {}
    ///
    ///     #[method(2, allow = "admin")]
    ///     fn destroy(&self) {}
    /// }
    ///
    /// let server = Server::builder().module(Pools).rule("admin", Allow::root().or(Allow::gid(27)));
    ///
    /// let client = drpc::testing::client_as(server, PeerCredentials::new(1000, 1000))?;
    /// let pools = PoolsClient::new(client);
    /// pools.list().await?;
    /// assert_eq!(pools.destroy().await.unwrap_err().status(), Some(Status::FAILURE));
    /// # Ok(())
    /// # }
    /// ```
    pub fn rule(mut self, name: impl Into<String>, rule: Allow) -> Self {
        self.rules.define(name.into(), rule);
        self
    }
}

/// Refuses a server with methods that name a rule which it does not define.
pub(super) fn check_rules(service: &ModuleService) -> Result<(), BindError> {
    let defined: Vec<_> = service.rules.names().map(str::to_owned).collect();
    let mut undefined = Vec::new();
    for entry in service.entries() {
        for (method, rule) in rules_of(&*entry.module) {
            if !defined.iter().any(|known| known == rule) {
                undefined.push(UndefinedRule {
                    module: format!("module {} ({})", entry.module.id(), entry.module.name()),
                    method,
                    rule: rule.to_owned(),
                    origin: entry.origin.clone(),
                    defined: defined.clone(),
                });
            }
        }
    }
    if undefined.is_empty() { Ok(()) } else { Err(BindError::undefined_rules(undefined)) }
}

/// A rule that a module or a method names, and nobody has defined.
#[derive(Debug)]
pub(super) struct UndefinedRule {
    module: String,
    /// The method that names it, unless it is the module.
    method: Option<Method>,
    rule: String,
    origin: String,
    defined: Vec<String>,
}

impl fmt::Display for UndefinedRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UndefinedRule { module, method, rule, origin, defined } = self;
        if let Some(method) = method {
            write!(f, "method {} ({method}) of ", method.id())?;
        }
        write!(
            f,
            "{module} is for those whom rule `{rule}` allows, and the server defines no such rule: add \
             `.rule(\"{rule}\", …)` to the server, or change `allow` in {origin}"
        )?;
        match defined.is_empty() {
            true => Ok(()),
            false => write!(f, "; defined are `{}`", defined.join("`, `")),
        }
    }
}
