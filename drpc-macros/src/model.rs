//! A module as it is generated: every question answered, every ID checked.

use std::path::PathBuf;

use proc_macro2::{Ident, Span};
use syn::{Attribute, Path, Type};

use crate::args::Register;
use crate::parse::Call;

/// A module.
pub(crate) struct Model {
    /// The path of the `drpc` crate.
    pub(crate) krate: Path,
    /// The type with the handlers; nothing for a client alone.
    pub(crate) served_by: Option<Type>,
    /// What the names of the generated items begin with.
    pub(crate) base: Ident,
    pub(crate) id: ModuleId,
    pub(crate) name: String,
    /// The rule that says who may call any of the methods.
    pub(crate) rule: Option<String>,
    /// How a server makes the module by itself; nothing if it doesn't.
    pub(crate) register: Option<Register>,
    /// The doc comment of the user's item.
    pub(crate) docs: Vec<Attribute>,
    pub(crate) methods: Vec<Method>,
    /// The registry that the IDs were checked against.
    pub(crate) registry: Option<PathBuf>,
}

/// A module's ID.
pub(crate) enum ModuleId {
    Number(i32),
    Constant {
        path: Path,
        /// What the constant is in the registry, and where that stands.
        listed: Option<(i32, String)>,
    },
}

/// A method.
pub(crate) struct Method {
    pub(crate) handler: Ident,
    pub(crate) variant: Ident,
    pub(crate) name: String,
    /// The number within the module, 0 to 99, and where it was given.
    pub(crate) number: i32,
    pub(crate) number_span: Span,
    /// The rule that says who may call the method, beside its module's.
    pub(crate) rule: Option<String>,
    pub(crate) idempotent: bool,
    /// `doc` and `deprecated`.
    pub(crate) notes: Vec<Attribute>,
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) call: Call,
}
