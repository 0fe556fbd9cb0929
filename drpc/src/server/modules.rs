//! What a server looks for in its modules before it starts.

use std::fmt;

use crate::dispatch::authorization::{Allow, Rules, rules_of};
use crate::dispatch::registry::{ModuleDescriptor, declared_modules};
use crate::dispatch::router::ModuleService;
use crate::handler::method::Method;
use crate::handler::module::{Module, methods_of};

/// The modules that are expected, by ID and name, and not served.
pub(super) fn missing_modules(service: &ModuleService, expected: Vec<(i32, String)>) -> Vec<MissingModule> {
    let missing = expected.into_iter().filter(|(id, _)| service.get(*id).is_none());
    missing.map(|(id, name)| MissingModule { id, name, declared: declared(id) }).collect()
}

/// The modules that are for tests.
pub(super) fn unlisted_modules(service: &ModuleService) -> Vec<UnlistedModule> {
    let unlisted = service.entries().iter().filter(|entry| entry.module.is_unlisted());
    let name = |module: &dyn Module| format!("module {} ({})", module.id(), module.name());
    unlisted
        .map(|entry| UnlistedModule { module: name(&*entry.module), origin: entry.origin.clone() })
        .collect()
}

/// The rules that modules and methods name, and the server does not define.
pub(super) fn undefined_rules(service: &ModuleService) -> Vec<UndefinedRule> {
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
    undefined
}

/// Whether any method passes descriptors.
pub(super) fn takes_descriptors(service: &ModuleService) -> bool {
    service.modules().any(|module| methods_of(module).any(Method::has_fds))
}

/// The groups that the server's rules name, and the system does not know.
pub(super) fn unknown_groups(access: Option<&Allow>, rules: &Rules) -> Vec<UnknownGroup> {
    let of_server = access.map(|rule| (None, rule)).into_iter();
    let named = of_server.chain(rules.iter().map(|(name, rule)| (Some(name), rule)));
    let mut unknown = Vec::new();
    for (name, rule) in named {
        unknown.extend(rule.unknown_groups().into_iter().map(|(group, why)| UnknownGroup {
            rule: name.map(str::to_owned),
            group: group.to_owned(),
            why: why.to_owned(),
        }));
    }
    unknown
}

/// A module that was expected, and is not served.
#[derive(Debug)]
pub(super) struct MissingModule {
    id: i32,
    name: String,
    /// Where the program declares it nevertheless.
    declared: Option<&'static ModuleDescriptor>,
}

impl fmt::Display for MissingModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MissingModule { id, name, declared } = self;
        write!(f, "module {id} ({name}) is expected and not served: ")?;
        match declared {
            Some(declared) => {
                write!(f, "{declared} does not register itself; write `register` in its attribute, or `.module(…)`")
            }
            None => f.write_str(
                "nothing linked into this program declares it; name its crate (`use the_crate as _;`), or `.module(…)`",
            ),
        }
    }
}

/// A module that is for tests, in a server that may not be.
#[derive(Debug)]
pub(super) struct UnlistedModule {
    module: String,
    origin: String,
}

impl fmt::Display for UnlistedModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UnlistedModule { module, origin } = self;
        write!(
            f,
            "{module} is for tests, as it is `unlisted` in {origin}: list it in the registry, or, in a test, add \
             `.allow_unlisted()` to the server"
        )
    }
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

/// A group that the system does not know.
#[derive(Debug)]
pub(super) struct UnknownGroup {
    /// The rule that names it; `None` is the one that says who may connect.
    rule: Option<String>,
    group: String,
    why: String,
}

impl fmt::Display for UnknownGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UnknownGroup { rule, group, why } = self;
        match rule {
            Some(rule) => write!(f, "rule `{rule}`")?,
            None => f.write_str("the rule of who may connect")?,
        }
        write!(f, " names group `{group}`: {why}; make it (`groupadd`), or correct `Allow::group(…)`")
    }
}

fn declared(id: i32) -> Option<&'static ModuleDescriptor> {
    declared_modules().find(|descriptor| descriptor.id() == id)
}
