//! The registry as its readers see it: checked entries and the ways to look them up.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use crate::source::Location;

/// A checked list of modules and their methods.
///
/// Whoever holds one need not check it again: IDs and names are unique, every method lies in its module's range and
/// none takes a reserved ID.
#[derive(Clone, Debug)]
pub struct Registry {
    path: PathBuf,
    modules: Vec<ModuleEntry>,
}

impl Registry {
    /// What a reader has checked.
    pub(crate) fn new(path: &Path, modules: Vec<ModuleEntry>) -> Self {
        Self { path: path.to_owned(), modules }
    }

    /// The path that the registry was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All modules, in the order of the file.
    pub fn modules(&self) -> &[ModuleEntry] {
        &self.modules
    }

    /// The module with this ID.
    pub fn module(&self, id: i32) -> Option<&ModuleEntry> {
        self.modules.iter().find(|module| module.id == id)
    }

    /// The module with this name.
    pub fn module_named(&self, name: &str) -> Option<&ModuleEntry> {
        self.modules.iter().find(|module| module.name == name)
    }

    /// The same with the owners of another registry, for modules of one ID and name, and open to other hosts (`remote`) where it is: for a
    /// registry read from a C header, which has no place for either.
    ///
    /// ```
    /// # use drpc_registry::Registry;
    /// let header = "enum drpc_module { DRPC_MODULE_TEST = 0, NUM_DRPC_MODULES };";
    /// let old = Registry::parse("old.toml", "[[module]]\nid = 0\nname = \"test\"\nowners = [\"testd\"]\nremote = true")?;
    /// let imported = Registry::parse("modules.h", header)?.with_owners_of(&old);
    /// assert_eq!(imported.modules()[0].owners, ["testd"]);
    /// assert!(imported.modules()[0].remote);
    /// # Ok::<(), drpc_registry::RegistryError>(())
    /// ```
    #[must_use]
    pub fn with_owners_of(mut self, other: &Registry) -> Self {
        for module in &mut self.modules {
            if let Some(same) = other.module(module.id).filter(|same| same.name == module.name) {
                module.owners.clone_from(&same.owners);
                module.remote = same.remote;
            }
        }
        self
    }

    /// The ID for a module to come: the one after the highest, or the lowest gap when that would be too high.
    pub fn next_free_id(&self) -> Option<i32> {
        next_free(NEXT_IDS, self.modules.iter().map(|module| module.id))
    }
}

/// One module: a contract, which any number of crates may implement (D7).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ModuleEntry {
    /// The module ID, unique over the registry.
    pub id: i32,
    /// The name, unique over the registry; `lower_snake_case`.
    pub name: String,
    /// What the module is for; empty if the registry doesn't say.
    pub doc: String,
    /// The packages that may implement the module; empty if any may.
    pub owners: Vec<String>,
    /// Whether other hosts may reach the module, through a server that lets them in.
    pub remote: bool,
    /// The methods, in the order of the file.
    pub methods: Vec<MethodEntry>,
    /// The method IDs that must not be used again, in the order of the file.
    pub reserved: Vec<ReservedEntry>,
    /// Where the entry begins.
    pub location: Location,
}

impl ModuleEntry {
    /// The method with this global ID.
    pub fn method(&self, id: i32) -> Option<&MethodEntry> {
        self.methods.iter().find(|method| method.id == id)
    }

    /// The method with this name.
    pub fn method_named(&self, name: &str) -> Option<&MethodEntry> {
        self.methods.iter().find(|method| method.name == name)
    }

    /// The reservation of this global ID.
    pub fn reservation(&self, id: i32) -> Option<&ReservedEntry> {
        self.reserved.iter().find(|reserved| reserved.id == id)
    }

    /// Whether a package may implement the module: its owners list it, or no owners are listed (D7).
    pub fn may_be_implemented_by(&self, package: &str) -> bool {
        self.owners.is_empty() || self.owners.iter().any(|owner| owner == package)
    }

    /// The hundred global method IDs that the module owns (M).
    pub fn method_ids(&self) -> RangeInclusive<i32> {
        method_ids(self.id)
    }

    /// The global ID for a method to come: the one after the highest listed or reserved.
    ///
    /// When that would be another module's, it is the lowest gap, and nothing when all hundred are gone.
    pub fn next_free_id(&self) -> Option<i32> {
        let listed = self.methods.iter().map(|method| method.id);
        next_free(self.method_ids(), listed.chain(self.reserved.iter().map(|reserved| reserved.id)))
    }
}

/// One method of a module.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MethodEntry {
    /// The global method ID, unique system-wide (M).
    pub id: i32,
    /// The name, unique within the module; `lower_snake_case`.
    pub name: String,
    /// What the method does; empty if the registry doesn't say.
    pub doc: String,
    /// Where the entry begins.
    pub location: Location,
}

impl MethodEntry {
    /// The method's number within its module, 0 to 99.
    pub fn number(&self) -> i32 {
        number_of(self.id)
    }
}

/// A method ID that was used once and must not be used again.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReservedEntry {
    /// The global method ID.
    pub id: i32,
    /// Why it is reserved.
    pub reason: String,
    /// Where the entry begins.
    pub location: Location,
}

impl ReservedEntry {
    /// The reserved number within the module, 0 to 99.
    pub fn number(&self) -> i32 {
        number_of(self.id)
    }
}

/// The module IDs whose method IDs all fit an i32.
pub(crate) const MODULE_IDS: RangeInclusive<i32> = -21_474_836..=21_474_835;

/// The highest of these, which are for the modules that drpc brings along, its health check and reflection first: no registry lists them.
pub(crate) const BUILT_IN_IDS: RangeInclusive<i32> = 21_474_800..=*MODULE_IDS.end();

/// The IDs that modules to come are given.
pub(crate) const NEXT_IDS: RangeInclusive<i32> = 0..=*BUILT_IN_IDS.start() - 1;

/// The method IDs of a module, whose ID must be one of [`MODULE_IDS`] (M).
pub(crate) fn method_ids(module: i32) -> RangeInclusive<i32> {
    module * 100..=module * 100 + 99
}

/// The module that owns a method ID (M).
pub(crate) fn module_of(method: i32) -> i32 {
    method.div_euclid(100)
}

/// The number of a method ID within its module (M).
pub(crate) fn number_of(method: i32) -> i32 {
    method.rem_euclid(100)
}

/// The ID after the highest one used in the range; when there is none, the lowest that is not used.
pub(crate) fn next_free(mut range: RangeInclusive<i32>, used: impl Iterator<Item = i32>) -> Option<i32> {
    let used: BTreeSet<i32> = used.filter(|id| range.contains(id)).collect();
    match used.last() {
        None => Some(*range.start()),
        Some(highest) if highest < range.end() => Some(highest + 1),
        Some(_) => range.find(|id| !used.contains(id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_free_id_follows_the_highest() {
        assert_eq!(next_free(0..=9, [].into_iter()), Some(0));
        assert_eq!(next_free(0..=9, [0, 5].into_iter()), Some(6));
        assert_eq!(next_free(0..=9, [-3, 20].into_iter()), Some(0));
    }

    #[test]
    fn the_lowest_gap_is_next_when_the_highest_id_is_used() {
        assert_eq!(next_free(0..=3, [0, 3].into_iter()), Some(1));
        assert_eq!(next_free(0..=3, [0, 1, 2, 3].into_iter()), None);
    }

    /// M: module m owns m * 100 to m * 100 + 99, below zero too.
    #[test]
    fn a_module_owns_a_hundred_ids() {
        assert_eq!(method_ids(-3), -300..=-201);
        for module in [*MODULE_IDS.start(), -3, 0, 2, *MODULE_IDS.end()] {
            for (number, id) in method_ids(module).enumerate() {
                assert_eq!(module_of(id), module);
                assert_eq!(number_of(id), number as i32);
            }
        }
    }
}
