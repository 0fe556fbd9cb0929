//! What the two readers hand to the checks: entries as written, with spans and possibly incomplete.

use crate::registry::method_ids;
use crate::source::{At, Span};

/// A module as written.
#[derive(Debug)]
pub(crate) struct ModuleDraft {
    pub(crate) span: Span,
    pub(crate) id: Field<i32>,
    pub(crate) name: Field<String>,
    pub(crate) doc: String,
    pub(crate) owners: Vec<String>,
    pub(crate) remote: bool,
    pub(crate) methods: Vec<MethodDraft>,
    pub(crate) reserved: Vec<ReservedDraft>,
}

/// A method as written.
#[derive(Debug)]
pub(crate) struct MethodDraft {
    pub(crate) span: Span,
    pub(crate) id: MethodId,
    pub(crate) name: Field<String>,
    pub(crate) doc: String,
}

/// A reserved ID as written.
#[derive(Debug)]
pub(crate) struct ReservedDraft {
    pub(crate) span: Span,
    pub(crate) id: MethodId,
    pub(crate) reason: Field<String>,
}

/// The two ways to say which method is meant; both may be given if they agree.
#[derive(Debug)]
pub(crate) struct MethodId {
    /// The number within the module.
    pub(crate) number: Field<i32>,
    /// The global ID.
    pub(crate) global: Field<i32>,
}

impl ModuleDraft {
    /// The name for messages, good or not.
    pub(crate) fn display_name(&self) -> &str {
        self.name.given().map_or("?", |name| &name.value)
    }
}

impl MethodId {
    pub(crate) fn global(id: At<i32>) -> Self {
        Self { number: Field::Missing, global: Field::Given(id) }
    }

    /// The global ID within a module, if one can be made out without a complaint.
    pub(crate) fn resolve(&self, module: i32) -> Option<i32> {
        let number =
            || self.number.given().map(|number| number.value).filter(|number| (0..=99).contains(number));
        let global =
            || self.global.given().map(|global| global.value).filter(|id| method_ids(module).contains(id));
        global().or_else(|| number().map(|number| method_ids(module).start() + number))
    }
}

/// One field of an entry.
#[derive(Debug)]
pub(crate) enum Field<T> {
    /// Not written.
    Missing,
    /// Written, but of no use; the reader has reported why.
    Faulty,
    /// Written, and of the right type.
    Given(At<T>),
}

impl<T> Field<T> {
    pub(crate) fn given(&self) -> Option<&At<T>> {
        match self {
            Field::Given(at) => Some(at),
            Field::Missing | Field::Faulty => None,
        }
    }
}
