//! What modules in sources and those in the registry disagree in.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use drpc_registry::{Location, ModuleEntry, Registry};
use serde::Serialize;

use super::source::{File, Id, Method, Module};

/// One disagreement, and what to do about it.
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    title: String,
    place: Place,
    label: String,
    help: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// The workspace and the registry can't both be right.
    Error,
    /// It may be meant: others, outside of this workspace, may have a part in it.
    Warning,
}

enum Place {
    Code(Rc<File>, Range<usize>),
    Registry(String, Location),
}

impl Finding {
    /// The finding as rustc would show it; paths are shown from the folder on.
    pub(crate) fn draw(&self, folder: &Path, renderer: &Renderer) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let group = Group::with_title(level.primary_title(&self.title));
        let group = match &self.place {
            Place::Code(file, span) => group.element(
                Snippet::source(&file.text)
                    .path(shown(&file.path, folder))
                    .annotation(AnnotationKind::Primary.span(span.clone()).label(&self.label)),
            ),
            Place::Registry(path, at) => {
                group.element(Origin::path(path).line(at.line).char_column(at.column))
            }
        };
        renderer.render(&[group.element(Level::HELP.message(&self.help))])
    }

    /// The same for programs.
    pub(crate) fn to_json(&self, folder: &Path) -> serde_json::Value {
        let (path, line) = match &self.place {
            Place::Code(file, span) => {
                (shown(&file.path, folder), file.text[..span.start].matches('\n').count() + 1)
            }
            Place::Registry(path, at) => (path.clone(), at.line),
        };
        serde_json::json!({
            "severity": self.severity, "message": self.title, "file": path, "line": line, "help": self.help,
        })
    }
}

fn shown(path: &Path, folder: &Path) -> String {
    path.strip_prefix(folder).unwrap_or(path).display().to_string()
}

/// Holds the modules against the registry: what it does not list, what nobody implements, and what others do than may.
pub(super) fn compare(registry: &Registry, packages: &[String], modules: &[Module]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for module in modules {
        match listed(registry, module, &mut findings) {
            Some(entry) => {
                owner(entry, module, &mut findings);
                methods(entry, module, &mut findings);
            }
            None => continue,
        }
    }
    for entry in registry.modules() {
        unimplemented(registry, entry, packages, modules, &mut findings);
    }
    findings
}

/// The module's entry; that there is none is a finding.
fn listed<'r>(
    registry: &'r Registry,
    module: &Module,
    findings: &mut Vec<Finding>,
) -> Option<&'r ModuleEntry> {
    let name = &module.name;
    let entry = entry_of(registry, module);
    if entry.is_some() {
        return entry;
    }
    let next = registry.next_free_id().map_or_else(String::new, |id| format!("; the next free ID is {id}"));
    let by_name = registry.module_named(name);
    let (title, label, help) = match (module.id, by_name) {
        (Id::Known(id), Some(entry)) => (
            format!("module `{name}` has ID {id} here and {} in the registry", entry.id),
            format!("`{name}` is {}", entry.id),
            format!("write `id = {}`, or give the module another name", entry.id),
        ),
        (Id::Known(id), None) => match registry.module(id) {
            Some(entry) => (
                format!("module ID {id} is `{}` in the registry, and `{name}` here", entry.name),
                format!("{id} is `{}`", entry.name),
                format!(
                    "write `name = \"{}\"` if it is that module, or list `{name}` under an ID of its own{next}",
                    entry.name
                ),
            ),
            None => (
                format!("module {id}, `{name}`, is not in the registry"),
                "not listed".to_owned(),
                format!("list it in {}, or write `unlisted` if it is for tests", registry.path().display()),
            ),
        },
        (_, _) => (
            format!("module `{name}` is not in the registry"),
            "not listed by its name, and its ID is known to the compiler alone".to_owned(),
            format!("list it in {}{next}", registry.path().display()),
        ),
    };
    findings.push(Finding::in_code(module, module.span.clone(), title, label, help));
    None
}

fn owner(entry: &ModuleEntry, module: &Module, findings: &mut Vec<Finding>) {
    if module.is_client || entry.may_be_implemented_by(&module.package) {
        return;
    }
    let (name, package, owners) = (&entry.name, &module.package, entry.owners.join("`, `"));
    let title =
        format!("module {}, `{name}`, is implemented by `{package}`, which is none of its owners", entry.id);
    let help = format!(
        "its owners are `{owners}`: add `{package}` to them, or write `client_only` if it only calls"
    );
    findings.push(Finding::in_code(
        module,
        module.span.clone(),
        title,
        format!("in package `{package}`"),
        help,
    ));
}

fn methods(entry: &ModuleEntry, module: &Module, findings: &mut Vec<Finding>) {
    for method in &module.methods {
        let (module_name, name) = (&entry.name, &method.name);
        let by_name = entry.method_named(name);
        let (title, label, help) = match (id_of(entry, method), by_name) {
            (Some(id), Some(listed)) if listed.id == id => continue,
            (None, Some(_)) => continue,
            (Some(id), Some(listed)) => (
                format!(
                    "method `{name}` of `{module_name}` has ID {id} here and {} in the registry",
                    listed.id
                ),
                format!("`{name}` is {}", listed.id),
                format!("write `#[method({})]`", listed.number()),
            ),
            (Some(id), None) => match entry.method(id) {
                Some(listed) => (
                    format!("method ID {id} is `{}` in the registry, and `{name}` here", listed.name),
                    format!("{id} is `{}` of `{module_name}`", listed.name),
                    format!(
                        "write `name = \"{}\"` if it is that method, or list `{name}` under an ID of its own",
                        listed.name
                    ),
                ),
                None => (
                    format!("method {id}, `{name}` of `{module_name}`, is not in the registry"),
                    match entry.reservation(id) {
                        Some(reserved) => format!("reserved: {}", reserved.reason),
                        None => "not listed".to_owned(),
                    },
                    format!("list it under module `{module_name}`"),
                ),
            },
            (None, None) => (
                format!("method `{name}` of `{module_name}` is not in the registry"),
                "not listed".to_owned(),
                format!("list it under module `{module_name}`"),
            ),
        };
        findings.push(Finding::in_code(module, method.span.clone(), title, label, help));
    }
}

/// An owner in this workspace owes an implementation; without one, others may have it.
fn unimplemented(
    registry: &Registry,
    entry: &ModuleEntry,
    packages: &[String],
    modules: &[Module],
    findings: &mut Vec<Finding>,
) {
    let implementations: Vec<_> = modules
        .iter()
        .filter(|module| !module.is_client)
        .filter(|module| entry_of(registry, module).is_some_and(|of| of.id == entry.id))
        .collect();
    let at = |location| Place::Registry(registry.path().display().to_string(), location);
    if implementations.is_empty() {
        let owed = entry.owners.iter().find(|owner| packages.contains(owner));
        findings.push(Finding {
            severity: if owed.is_some() { Severity::Error } else { Severity::Warning },
            title: format!("module {}, `{}`, is implemented nowhere in this workspace", entry.id, entry.name),
            place: at(entry.location),
            label: String::new(),
            help: match owed {
                Some(owner) => format!("implement it in `{owner}`, which is its owner, or correct `owners`"),
                None => "nothing is wrong if its server is not of this workspace".to_owned(),
            },
        });
        return;
    }
    for method in &entry.methods {
        let is_implemented = implementations.iter().flat_map(|module| &module.methods).any(|implemented| {
            implemented.name == method.name || id_of(entry, implemented) == Some(method.id)
        });
        if !is_implemented {
            let (id, name) = (method.id, &method.name);
            findings.push(Finding {
                severity: Severity::Warning,
                title: format!(
                    "method {id}, `{name}` of `{}`, is implemented nowhere in this workspace",
                    entry.name
                ),
                place: at(method.location),
                label: String::new(),
                help: "callers are answered UNKNOWN_METHOD: implement it, or reserve its ID if it is gone"
                    .to_owned(),
            });
        }
    }
}

/// The entry that is the module's by name, and by ID where that is said.
fn entry_of<'r>(registry: &'r Registry, module: &Module) -> Option<&'r ModuleEntry> {
    registry.module_named(&module.name).filter(|entry| match module.id {
        Id::Known(id) => id == entry.id,
        Id::InModule(_) | Id::Unsaid => true,
    })
}

fn id_of(entry: &ModuleEntry, method: &Method) -> Option<i32> {
    match method.id {
        Id::Known(id) => Some(id),
        Id::InModule(number) => Some(entry.method_ids().start().saturating_add(number)),
        Id::Unsaid => None,
    }
}

impl Finding {
    fn in_code(module: &Module, span: Range<usize>, title: String, label: String, help: String) -> Finding {
        Finding {
            severity: Severity::Error,
            title,
            place: Place::Code(module.file.clone(), span),
            label,
            help,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        })
    }
}
