//! The modules that `#[drpc_module]` declared in this program.
//!
//! Every use of the attribute leaves a [`ModuleDescriptor`] in the program, collected by the `inventory` crate. With `register` it also leaves a factory,
//! and servers find the module by themselves.
//!
//! **The linker may drop a registration**, in two cases: a library that nothing in the program refers to is not linked (write `use my_modules as _;`), and
//! of a Rust `staticlib` linked into a C program only the referenced objects are kept (link it with `--whole-archive`, or use `.module(…)`).
//! `ServerBuilder::expect_modules` turns either into an error when the server starts.

use std::fmt;
use std::sync::Arc;

use crate::handler::method::Method;
use crate::handler::module::Module;
#[cfg(feature = "described")]
use crate::private::MethodDescription;

/// What is known about a module without constructing it: its IDs, and where it is declared.
///
/// ```
/// use drpc::{drpc_module, registry};
///
/// struct Echo;
///
/// #[drpc_module(id = 7)]
/// impl Echo {
///     #[method(0)]
///     fn ping(&self) {}
/// }
///
/// let echo = registry::declared_modules().find(|module| module.type_name() == "Echo").unwrap();
/// assert_eq!((echo.id(), echo.name(), echo.methods().len()), (7, "echo", 1));
/// ```
pub struct ModuleDescriptor {
    id: i32,
    name: &'static str,
    type_name: &'static str,
    package: &'static str,
    file: &'static str,
    line: u32,
    methods: &'static [Method],
    factory: Option<fn() -> Arc<dyn Module>>,
    #[cfg(feature = "described")]
    #[cfg_attr(not(feature = "contract"), expect(dead_code, reason = "a contract alone asks for it here"))]
    rule: Option<&'static str>,
    #[cfg(feature = "described")]
    docs: &'static str,
    #[cfg(feature = "described")]
    descriptions: &'static [MethodDescription],
}

/// All modules that `#[drpc_module]` declared in this program, in no particular order.
pub fn declared_modules() -> impl Iterator<Item = &'static ModuleDescriptor> {
    inventory::iter::<ModuleDescriptor>()
}

inventory::collect!(ModuleDescriptor);

/// Where a module comes from, for errors: its declaration, if it can be told which one that is; else its type.
pub(crate) fn origin_of<M: Module>(module: &M) -> String {
    let type_name = std::any::type_name::<M>();
    let short_name = type_name.rsplit("::").next();
    let mut declared = declared_modules()
        .filter(|declared| declared.id == module.id() && Some(declared.type_name) == short_name);
    match (declared.next(), declared.next()) {
        (Some(one), None) => one.to_string(),
        _ => format!("`{type_name}`"),
    }
}

impl ModuleDescriptor {
    /// For generated code.
    #[doc(hidden)]
    #[must_use]
    #[allow(clippy::too_many_arguments, reason = "called by generated code alone, once a module")]
    pub const fn new(
        id: i32,
        name: &'static str,
        type_name: &'static str,
        package: &'static str,
        file: &'static str,
        line: u32,
        methods: &'static [Method],
        factory: Option<fn() -> Arc<dyn Module>>,
    ) -> Self {
        ModuleDescriptor {
            id,
            name,
            type_name,
            package,
            file,
            line,
            methods,
            factory,
            #[cfg(feature = "described")]
            rule: None,
            #[cfg(feature = "described")]
            docs: "",
            #[cfg(feature = "described")]
            descriptions: &[],
        }
    }

    /// The same, with what contracts and reflection say besides: the module's rule and docs, and more of the methods, in their order.
    #[cfg(feature = "described")]
    #[doc(hidden)]
    #[must_use]
    pub const fn described(
        self,
        rule: Option<&'static str>,
        docs: &'static str,
        descriptions: &'static [MethodDescription],
    ) -> Self {
        ModuleDescriptor { rule, docs, descriptions, ..self }
    }

    #[cfg(feature = "contract")]
    pub(crate) fn rule(&self) -> Option<&'static str> {
        self.rule
    }

    #[cfg(feature = "described")]
    pub(crate) fn docs(&self) -> &'static str {
        self.docs
    }

    #[cfg(feature = "described")]
    pub(crate) fn descriptions(&self) -> &'static [MethodDescription] {
        self.descriptions
    }

    /// The module's ID.
    #[must_use]
    pub const fn id(&self) -> i32 {
        self.id
    }

    /// The module's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The type whose `impl` block the attribute stands on.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        self.type_name
    }

    /// The package that the module was declared in.
    #[must_use]
    pub const fn package(&self) -> &'static str {
        self.package
    }

    /// The module's methods.
    #[must_use]
    pub const fn methods(&self) -> &'static [Method] {
        self.methods
    }

    /// The full names in protobuf of what a method takes and what it returns; `()` is `google.protobuf.Empty`. `None` if either is raw bytes or a
    /// message without a name, or the method is none of the module's.
    #[cfg(feature = "reflection")]
    #[must_use]
    pub fn message_names(&self, method: i32) -> Option<[String; 2]> {
        let place = self.methods.iter().position(|known| known.id() == method)?;
        let MethodDescription { request, reply, .. } = self.descriptions.get(place)?;
        Some([request.full_name()?, reply.full_name()?])
    }

    /// The same of each item that a method takes; `None` if it takes none.
    #[cfg(feature = "reflection")]
    #[must_use]
    pub fn item_name(&self, method: i32) -> Option<String> {
        let place = self.methods.iter().position(|known| known.id() == method)?;
        self.descriptions.get(place)?.items?.full_name()
    }

    /// A new module, if it was declared with `register`.
    #[must_use]
    pub fn create(&self) -> Option<Arc<dyn Module>> {
        self.factory.map(|factory| factory())
    }
}

/// `Greeter (greeter 0.1, src/greeter.rs:12)`: type, package and place.
impl fmt::Display for ModuleDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` of package {} ({}:{})", self.type_name, self.package, self.file, self.line)
    }
}

impl fmt::Debug for ModuleDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModuleDescriptor")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("declared", &format_args!("{self}"))
            .field("methods", &self.methods)
            .field("registers_itself", &self.factory.is_some())
            .finish()
    }
}
