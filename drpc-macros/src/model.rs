//! A module as it is generated: every question answered, every ID checked.

use std::path::PathBuf;

use proc_macro2::{Ident, Span, TokenStream};
use syn::{Attribute, Generics, Path, Type};

use crate::args::Register;
use crate::asked::Asked;
use crate::signature::Call;

/// A module.
pub(crate) struct Model {
    /// The path of the `drpc` crate, and what it is called in the generated code.
    pub(crate) path: Path,
    pub(crate) krate: Ident,
    /// The type with the handlers; nothing for a client alone.
    pub(crate) served_by: Option<Type>,
    /// What the module is generic over.
    pub(crate) generics: Generics,
    /// The last name in the type.
    pub(crate) type_name: Ident,
    /// What the names of the generated items begin with.
    pub(crate) base: Ident,
    pub(crate) id: ModuleId,
    pub(crate) name: String,
    /// The rule that says who may call any of the methods.
    pub(crate) rule: Option<String>,
    /// Whether it is for tests alone.
    pub(crate) unlisted: bool,
    /// Whether other hosts may reach it.
    pub(crate) remote: bool,
    /// How a server makes the module by itself; nothing if it doesn't.
    pub(crate) register: Option<Register>,
    /// The doc comment of the user's item.
    pub(crate) docs: Vec<Attribute>,
    /// The lints that are allowed in the user's item.
    pub(crate) allowed: Vec<TokenStream>,
    pub(crate) methods: Vec<Method>,
    pub(crate) asked: Asked,
    /// The registry that the IDs were checked against.
    pub(crate) registry: Option<PathBuf>,
    /// Whether the descriptor tells the docs, and the types that calls carry.
    pub(crate) described: bool,
    /// Where something stands that can't be read, and so is not among the methods.
    pub(crate) unread: Vec<Span>,
}

/// A module's ID.
pub(crate) enum ModuleId {
    Number(i32),
    Constant {
        value: TokenStream,
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
    /// Where it is said that it passes descriptors.
    pub(crate) fds: Option<Span>,
    /// How many milliseconds the handler may take.
    pub(crate) timeout: Option<u64>,
    /// How many bytes of a request are decoded.
    pub(crate) request_limit: Option<usize>,
    /// `doc` and `deprecated`.
    pub(crate) notes: Vec<Attribute>,
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) call: Call,
    /// Whether the handler stands in another block.
    pub(crate) is_declaration: bool,
}
