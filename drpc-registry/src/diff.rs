//! Today's registry against an earlier one: what was added, and what breaks programs that are already out there.

use std::fmt;

use crate::registry::{MethodEntry, ModuleEntry, Registry, ReservedEntry};
use crate::source::Location;

/// Tells what changed from one registry to a later one, module by module in the order of the IDs.
///
/// ```
/// use drpc_registry::{ChangeKind, Registry, compare};
///
/// let old = Registry::parse("old.toml", "[[module]]\nid = 5\nname = \"greeter\"")?;
/// let new = Registry::parse("new.toml", "[[module]]\nid = 6\nname = \"greeter\"")?;
/// let changes = compare(&old, &new);
/// assert_eq!(changes[0].kind(), ChangeKind::ModuleRenumbered);
/// assert!(changes[0].is_breaking());
/// assert_eq!(changes[0].to_string(), "breaking: module `greeter` had ID 5 and now has 6 (new.toml:1:1)");
/// # Ok::<(), drpc_registry::RegistryError>(())
/// ```
pub fn compare(old: &Registry, new: &Registry) -> Vec<Change> {
    let mut comparison = Comparison { old, new, changes: Vec::new() };
    let mut ids: Vec<i32> = old.modules().iter().chain(new.modules()).map(|module| module.id).collect();
    ids.sort_unstable();
    ids.dedup();
    for id in ids {
        comparison.module(id);
    }
    comparison.changes
}

/// One difference between two registries; it shows as one line.
#[derive(Clone, Debug)]
pub struct Change {
    kind: ChangeKind,
    message: String,
    place: String,
}

impl Change {
    /// What kind of change it is.
    pub fn kind(&self) -> ChangeKind {
        self.kind
    }

    /// What it means for programs that follow the earlier registry.
    pub fn severity(&self) -> Severity {
        self.kind.severity()
    }

    /// Whether a program that follows the earlier registry may now call, or be taken for, something else.
    pub fn is_breaking(&self) -> bool {
        self.severity() == Severity::Breaking
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.severity(), self.message, self.place)
    }
}

/// What a change means for programs that follow the earlier registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// They go on to work.
    Compatible,
    /// They don't, or will not when the ID is used again.
    Breaking,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Compatible => "compatible",
            Severity::Breaking => "breaking",
        })
    }
}

/// The kinds of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChangeKind {
    /// A module with a new ID and a new name.
    ModuleAdded,
    /// A module ID is no longer listed, nor its name.
    ModuleRemoved,
    /// A module has another ID.
    ModuleRenumbered,
    /// A module ID belongs to another name.
    ModuleIdReused,
    /// A method with a new ID and a new name.
    MethodAdded,
    /// A method is gone, and its ID may be used again.
    MethodRemoved,
    /// A method is gone, and its ID is reserved.
    MethodRetired,
    /// A method has another ID.
    MethodRenumbered,
    /// A method ID belongs to another name.
    MethodIdReused,
    /// A method has an ID that was reserved.
    ReservedIdReused,
    /// An ID that nobody had is reserved.
    IdReserved,
    /// An ID is no longer reserved.
    ReservationRemoved,
    /// A doc text, or the reason of a reservation.
    TextChanged,
    /// Other packages may implement a module.
    OwnersChanged,
    /// Other hosts may now reach a module.
    ModuleOpened,
    /// Other hosts may no longer reach a module.
    ModuleClosed,
}

impl ChangeKind {
    /// What changes of this kind mean for programs that follow the earlier registry.
    pub fn severity(self) -> Severity {
        match self {
            ChangeKind::ModuleAdded
            | ChangeKind::MethodAdded
            | ChangeKind::MethodRetired
            | ChangeKind::IdReserved
            | ChangeKind::TextChanged
            | ChangeKind::OwnersChanged
            | ChangeKind::ModuleOpened => Severity::Compatible,
            ChangeKind::ModuleRemoved
            | ChangeKind::ModuleClosed
            | ChangeKind::ModuleRenumbered
            | ChangeKind::ModuleIdReused
            | ChangeKind::MethodRemoved
            | ChangeKind::MethodRenumbered
            | ChangeKind::MethodIdReused
            | ChangeKind::ReservedIdReused
            | ChangeKind::ReservationRemoved => Severity::Breaking,
        }
    }
}

struct Comparison<'a> {
    old: &'a Registry,
    new: &'a Registry,
    changes: Vec<Change>,
}

impl Comparison<'_> {
    fn module(&mut self, id: i32) {
        match (self.old.module(id), self.new.module(id)) {
            (Some(old), Some(new)) if old.name == new.name => self.same_module(old, new),
            (Some(old), Some(new)) => {
                let message = format!("module ID {id} was `{}` and is now `{}`", old.name, new.name);
                self.found(ChangeKind::ModuleIdReused, message, new.location);
                self.moved_module(new);
            }
            (None, Some(new)) => {
                if !self.moved_module(new) {
                    let message = format!("module {id}, `{}`, is new", new.name);
                    self.found(ChangeKind::ModuleAdded, message, new.location);
                }
            }
            (Some(old), None) if self.new.module_named(&old.name).is_none() => {
                let message = format!("module {id}, `{}`, is gone", old.name);
                self.lost(ChangeKind::ModuleRemoved, message, old.location);
            }
            // Its name has another ID now: reported there.
            (Some(_), None) | (None, None) => {}
        }
    }

    /// Reports a module that had another ID before.
    fn moved_module(&mut self, new: &ModuleEntry) -> bool {
        let Some(old) = self.old.module_named(&new.name) else { return false };
        let message = format!("module `{}` had ID {} and now has {}", new.name, old.id, new.id);
        self.found(ChangeKind::ModuleRenumbered, message, new.location);
        true
    }

    fn same_module(&mut self, old: &ModuleEntry, new: &ModuleEntry) {
        let name = &new.name;
        if old.doc != new.doc {
            self.found(ChangeKind::TextChanged, format!("module `{name}` has another doc"), new.location);
        }
        if old.owners != new.owners {
            let (before, now) = (owners(old), owners(new));
            let message = format!("module `{name}` was for {before} and is now for {now}");
            self.found(ChangeKind::OwnersChanged, message, new.location);
        }
        match (old.remote, new.remote) {
            (false, true) => {
                let message = format!("module `{name}` may now be reached from other hosts");
                self.found(ChangeKind::ModuleOpened, message, new.location);
            }
            (true, false) => {
                let message = format!("module `{name}` may no longer be reached from other hosts");
                self.found(ChangeKind::ModuleClosed, message, new.location);
            }
            _ => {}
        }
        for id in new.method_ids() {
            self.method(old, new, id);
            self.reservation(old, new, id);
        }
    }

    fn method(&mut self, old_module: &ModuleEntry, new_module: &ModuleEntry, id: i32) {
        let module = &new_module.name;
        match (old_module.method(id), new_module.method(id)) {
            (Some(old), Some(new)) if old.name == new.name => {
                if old.doc != new.doc {
                    let message = format!("method {id}, `{}` of `{module}`, has another doc", new.name);
                    self.found(ChangeKind::TextChanged, message, new.location);
                }
            }
            (Some(old), Some(new)) => {
                let message =
                    format!("method ID {id} of `{module}` was `{}` and is now `{}`", old.name, new.name);
                self.found(ChangeKind::MethodIdReused, message, new.location);
                self.moved_method(old_module, module, new);
            }
            (None, Some(new)) => {
                let moved = self.moved_method(old_module, module, new);
                if let Some(reserved) = old_module.reservation(id) {
                    let (name, reason) = (&new.name, &reserved.reason);
                    let message =
                        format!("method {id}, `{name}` of `{module}`, has an ID that was reserved: {reason}");
                    self.found(ChangeKind::ReservedIdReused, message, new.location);
                } else if !moved {
                    let message = format!("method {id}, `{}` of `{module}`, is new", new.name);
                    self.found(ChangeKind::MethodAdded, message, new.location);
                }
            }
            (Some(old), None) => {
                let name = &old.name;
                let moved = new_module.method_named(name).is_some();
                match new_module.reservation(id) {
                    Some(reserved) if !moved => {
                        let message =
                            format!("method {id}, `{name}` of `{module}`, is gone and its ID reserved");
                        self.found(ChangeKind::MethodRetired, message, reserved.location);
                    }
                    None if !moved => {
                        let message =
                            format!("method {id}, `{name}` of `{module}`, is gone and its ID not reserved");
                        self.lost(ChangeKind::MethodRemoved, message, old.location);
                    }
                    // Its name has another ID now: reported there.
                    _ => {}
                }
            }
            (None, None) => {}
        }
    }

    /// Reports a method that had another ID before.
    fn moved_method(&mut self, old_module: &ModuleEntry, module: &str, new: &MethodEntry) -> bool {
        let Some(old) = old_module.method_named(&new.name) else { return false };
        let message = format!("method `{}` of `{module}` had ID {} and now has {}", new.name, old.id, new.id);
        self.found(ChangeKind::MethodRenumbered, message, new.location);
        true
    }

    fn reservation(&mut self, old_module: &ModuleEntry, new_module: &ModuleEntry, id: i32) {
        let module = &new_module.name;
        match (old_module.reservation(id), new_module.reservation(id)) {
            (Some(old), Some(new)) if old.reason != new.reason => {
                let message = format!("method ID {id} of `{module}` is reserved for another reason");
                self.found(ChangeKind::TextChanged, message, new.location);
            }
            (None, Some(ReservedEntry { location, .. })) if old_module.method(id).is_none() => {
                let message = format!("method ID {id} of `{module}` is now reserved");
                self.found(ChangeKind::IdReserved, message, *location);
            }
            (Some(ReservedEntry { location, .. }), None) if new_module.method(id).is_none() => {
                let message = format!("method ID {id} of `{module}` is no longer reserved");
                self.lost(ChangeKind::ReservationRemoved, message, *location);
            }
            // With a method before or after, it is the method's change.
            _ => {}
        }
    }

    /// Notes a change that shows in the new registry.
    fn found(&mut self, kind: ChangeKind, message: String, location: Location) {
        let place = format!("{}:{location}", self.new.path().display());
        self.changes.push(Change { kind, message, place });
    }

    /// Notes a change that shows only in the old registry.
    fn lost(&mut self, kind: ChangeKind, message: String, location: Location) {
        let place = format!("{}:{location}", self.old.path().display());
        self.changes.push(Change { kind, message, place });
    }
}

fn owners(module: &ModuleEntry) -> String {
    if module.owners.is_empty() {
        "any package".to_owned()
    } else {
        format!("`{}`", module.owners.join("`, `"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = r#"
        [[module]]
        id = 5
        name = "greeter"
        method = [{ number = 1, name = "hello" }, { number = 2, name = "bye" }]
        reserved = [{ number = 7, reason = "was `shout`" }]
    "#;

    /// The changes from [`OLD`] to the same with some text replaced, without their places.
    fn changes(from: &str, to: &str) -> Vec<String> {
        assert!(OLD.contains(from), "{from}");
        let old = Registry::parse("old.toml", OLD).expect("a good registry");
        let new = Registry::parse("new.toml", &OLD.replace(from, to)).expect("a good registry");
        compare(&old, &new)
            .iter()
            .map(|change| format!("{}: {}", change.severity(), change.message))
            .collect()
    }

    #[test]
    fn nothing_changed() {
        assert_eq!(changes("5", "5"), [""; 0]);
    }

    #[test]
    fn additions_texts_and_owners_are_compatible() {
        assert_eq!(
            changes("[[module]]", "[[module]]\nid = 6\nname = \"mailer\"\n[[module]]"),
            ["compatible: module 6, `mailer`, is new"]
        );
        assert_eq!(
            changes("[{ number = 1", "[{ number = 3, name = \"wave\" }, { number = 1"),
            ["compatible: method 503, `wave` of `greeter`, is new"]
        );
        assert_eq!(
            changes("[{ number = 7", "[{ number = 8, reason = \"later\" }, { number = 7"),
            ["compatible: method ID 508 of `greeter` is now reserved"]
        );
        assert_eq!(
            changes("id = 5", "id = 5\ndoc = \"Greets.\"\nowners = [\"a\", \"b\"]"),
            [
                "compatible: module `greeter` has another doc",
                "compatible: module `greeter` was for any package and is now for `a`, `b`"
            ]
        );
        assert_eq!(
            changes("id = 5", "id = 5\nremote = true"),
            ["compatible: module `greeter` may now be reached from other hosts"]
        );
        assert_eq!(
            changes("name = \"bye\"", "name = \"bye\", doc = \"Parts.\""),
            ["compatible: method 502, `bye` of `greeter`, has another doc"]
        );
        assert_eq!(
            changes("`shout`", "`yell`"),
            ["compatible: method ID 507 of `greeter` is reserved for another reason"]
        );
    }

    #[test]
    fn a_method_is_retired_by_reserving_its_id() {
        let bye = ", { number = 2, name = \"bye\" }]\n        reserved = [";
        assert_eq!(
            changes(bye, "]\nreserved = ["),
            ["breaking: method 502, `bye` of `greeter`, is gone and its ID not reserved"]
        );
        assert_eq!(
            changes(bye, "]\nreserved = [{ number = 2, reason = \"was `bye`\" }, "),
            ["compatible: method 502, `bye` of `greeter`, is gone and its ID reserved"]
        );
    }

    #[test]
    fn ids_that_mean_something_else_are_breaking() {
        assert_eq!(
            changes("\"bye\"", "\"wave\""),
            ["breaking: method ID 502 of `greeter` was `bye` and is now `wave`"]
        );
        assert_eq!(
            changes("number = 2", "number = 3"),
            ["breaking: method `bye` of `greeter` had ID 502 and now has 503"]
        );
        assert_eq!(
            changes(
                "number = 1, name = \"hello\" }, { number = 2",
                "number = 2, name = \"hello\" }, { number = 1"
            ),
            [
                "breaking: method ID 501 of `greeter` was `hello` and is now `bye`",
                "breaking: method `bye` of `greeter` had ID 502 and now has 501",
                "breaking: method ID 502 of `greeter` was `bye` and is now `hello`",
                "breaking: method `hello` of `greeter` had ID 501 and now has 502",
            ]
        );
        assert_eq!(
            changes("\"greeter\"", "\"mailer\""),
            ["breaking: module ID 5 was `greeter` and is now `mailer`"]
        );
        assert_eq!(changes("id = 5", "id = 6"), ["breaking: module `greeter` had ID 5 and now has 6"]);
        assert_eq!(changes(OLD, ""), ["breaking: module 5, `greeter`, is gone"]);
    }

    #[test]
    fn a_reservation_is_for_good() {
        let reserved = "reserved = [{ number = 7, reason = \"was `shout`\" }]";
        assert_eq!(changes(reserved, ""), ["breaking: method ID 507 of `greeter` is no longer reserved"]);
        let reused = "[[module.method]]\nnumber = 7\nname = \"wave\"";
        let old =
            OLD.replace("method = [{ number = 1, name = \"hello\" }, { number = 2, name = \"bye\" }]", "");
        let new = old.replace(reserved, reused);
        let [old, new] = [old, new].map(|text| Registry::parse("m.toml", &text).expect("a good registry"));
        let changes = compare(&old, &new);
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].kind(), ChangeKind::ReservedIdReused);
        assert!(changes[0].is_breaking());
    }
}
