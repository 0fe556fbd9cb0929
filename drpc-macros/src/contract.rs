//! What the registry says about a module, and whether the code agrees.

use drpc_registry::{Location, ModuleEntry, Registry, closest};
use quote::ToTokens;

use crate::args::Integer;
use crate::mistake::mistake;

/// A module in the registry.
pub(crate) struct Contract<'r> {
    registry: &'r Registry,
    module: &'r ModuleEntry,
}

impl<'r> Contract<'r> {
    /// The module of an ID, if it has that name there.
    pub(crate) fn of_id(registry: &'r Registry, id: &Integer, name: &str) -> syn::Result<Self> {
        let module = registry.module(id.value);
        if let Some(module) = module.filter(|module| module.name == name) {
            return Ok(Contract { registry, module });
        }
        let what = match module {
            Some(module) => format!(
                "module {} is `{}`, not `{name}` ({})",
                id.value,
                module.name,
                place(registry, module.location)
            ),
            None => format!("module {} is not in the registry ({})", id.value, file(registry)),
        };
        let help = match (registry.module_named(name), module) {
            (Some(own), _) => format!("`{name}` is module {}: write `id = {}`", own.id, own.id),
            (None, Some(module)) => {
                format!(
                    "say `name = \"{}\"` if it is that module; else list `{name}` under {}",
                    module.name,
                    next_id(registry)
                )
            }
            (None, None) => format!("list `{name}` there, under {}", next_id(registry)),
        };
        Err(mistake(id, what, help))
    }

    /// Whether an ID is free for a module that the registry does not list.
    pub(crate) fn unlisted(registry: &Registry, id: &Integer) -> syn::Result<()> {
        let Some(module) = registry.module(id.value) else { return Ok(()) };
        let ModuleEntry { name, location, .. } = module;
        let what = format!("module {} is listed: it is `{name}` ({})", id.value, place(registry, *location));
        Err(mistake(id, what, "choose an ID that the registry does not list, or leave `unlisted` out"))
    }

    /// The module of a name, which stands `at` some tokens.
    pub(crate) fn of_name(registry: &'r Registry, name: &str, at: impl ToTokens) -> syn::Result<Self> {
        if let Some(module) = registry.module_named(name) {
            return Ok(Contract { registry, module });
        }
        let what = format!("module `{name}` is not in the registry ({})", file(registry));
        let names = registry.modules().iter().map(|module| module.name.as_str());
        let help = match closest(name, names) {
            Some(near) => format!("did you mean `name = \"{near}\"`?"),
            None => format!("list it there, under {}", next_id(registry)),
        };
        Err(mistake(at, what, help))
    }

    /// The module, if the package may implement it (D7).
    pub(crate) fn owned_by(self, package: &str, at: impl ToTokens) -> syn::Result<Self> {
        let ModuleEntry { id, name, owners, location, .. } = self.module;
        if self.module.may_be_implemented_by(package) {
            return Ok(self);
        }
        let owners = owners.join("`, `");
        let what = format!(
            "module {id} `{name}` is for `{owners}`, not for `{package}` ({})",
            place(self.registry, *location)
        );
        let help = format!(
            "add `{package}` to its `owners` if it serves the same methods; else list a module of your own under {}",
            next_id(self.registry),
        );
        Err(mistake(at, what, help))
    }

    pub(crate) fn id(&self) -> i32 {
        self.module.id
    }

    /// Whether other hosts may reach the module.
    pub(crate) fn is_remote(&self) -> bool {
        self.module.remote
    }

    /// Where the module stands: `modules.toml:12`.
    pub(crate) fn place(&self) -> String {
        place(self.registry, self.module.location)
    }

    /// Whether the number is that of the method.
    pub(crate) fn check_number(&self, number: i32, name: &str, at: impl ToTokens) -> syn::Result<()> {
        let id = self.module.id * 100 + number;
        let method = self.module.method(id);
        if method.is_some_and(|method| method.name == name) {
            return Ok(());
        }
        let of = &self.module.name;
        let what = match (method, self.module.reservation(id)) {
            (Some(method), _) => {
                format!(
                    "method {number} of `{of}` is `{}`, not `{name}` ({})",
                    method.name,
                    place(self.registry, method.location)
                )
            }
            (None, Some(reserved)) => {
                format!(
                    "number {number} of `{of}` is reserved ({}): {}",
                    place(self.registry, reserved.location),
                    reserved.reason
                )
            }
            (None, None) => format!("method {number} of `{of}` is not in the registry ({})", self.place()),
        };
        let help = match self.module.method_named(name) {
            Some(own) => format!("`{name}` is `#[method({})]`", own.number()),
            None => format!("list `{name}` there, under {}", self.next_number()),
        };
        Err(mistake(at, what, help))
    }

    /// The number of a method.
    pub(crate) fn number_of(&self, name: &str, at: impl ToTokens) -> syn::Result<i32> {
        if let Some(method) = self.module.method_named(name) {
            return Ok(method.number());
        }
        let what =
            format!("method `{name}` of `{}` is not in the registry ({})", self.module.name, self.place());
        let names = self.module.methods.iter().map(|method| method.name.as_str());
        let help = match closest(name, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("list it there, under {}", self.next_number()),
        };
        Err(mistake(at, what, help))
    }

    fn next_number(&self) -> String {
        match self.module.next_free_id() {
            Some(id) => format!("the next free number, {}", id.rem_euclid(100)),
            None => "another module: this one has no number left".into(),
        }
    }
}

fn next_id(registry: &Registry) -> String {
    match registry.next_free_id() {
        Some(id) => format!("the next free ID, {id}"),
        None => "an ID of your choice".into(),
    }
}

fn place(registry: &Registry, location: Location) -> String {
    format!("{}:{}", file(registry), location.line)
}

/// The registry's path the way the compiler shows paths: from the directory that it runs in.
fn file(registry: &Registry) -> String {
    let path = registry.path();
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}
