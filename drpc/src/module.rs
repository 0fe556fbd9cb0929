use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::private::HandlerFuture;
use crate::{Context, Failure, Reply};

/// A set of methods under one module ID: what a server dispatches to.
///
/// `#[drpc_module]` writes this for an `impl` block. By hand it looks like this:
///
/// ```
/// use std::sync::Arc;
/// use drpc::{Bytes, Context, Failure, Method, Module, Reply};
///
/// struct Echo;
///
/// const ECHO: Method = Method::new(7, 700, "echo");
///
/// #[drpc::async_trait]
/// impl Module for Echo {
///     fn id(&self) -> i32 { 7 }
///     fn name(&self) -> &str { "echo" }
///     fn get_method(&self, id: i32) -> Option<Method> { (id == ECHO.id()).then_some(ECHO) }
///     async fn handle_call(self: Arc<Self>, _: Context, method: Method, body: Bytes) -> Result<Reply, Failure> {
///         match method {
///             ECHO => Ok(body.into()),
///             _ => Err(Failure::unknown_method()),
///         }
///     }
/// }
/// ```
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be served as a module",
    label = "not a module, or not `Send` and `Sync`",
    note = "put `#[drpc_module(id = …)]` on the `impl` block with its handlers",
    note = "calls come to a module from several threads at once: it must be `Send` and `Sync`"
)]
pub trait Module: Send + Sync + 'static {
    /// The module's ID: any number, unique within a server (D6).
    fn id(&self) -> i32;

    /// The module's name, for logs and errors.
    fn name(&self) -> &str;

    /// The rule that says who may call any of the module's methods: `ServerBuilder::rule` defines it by this name. `None` if
    /// everyone may who is connected. A method may have a [rule of its own](Method::rule) beside it.
    ///
    /// `#[drpc_module]` takes the name as `allow = "users"`.
    fn rule(&self) -> Option<&str> {
        None
    }

    /// The method of a (system-wide) ID, or `None` if this module does not serve it (D2, D7).
    fn get_method(&self, id: i32) -> Option<Method>;

    /// Carries out one call of a method that [`get_method`](Self::get_method) gave.
    ///
    /// The body is the marshalled request; the result is the marshalled reply, or [`Reply::Submitted`]. The module and the context
    /// are the call's own, so that it may go on wherever it likes.
    ///
    /// # Errors
    ///
    /// A [`Failure`], whose status answers the call.
    async fn handle_call(
        self: Arc<Self>,
        context: Context,
        method: Method,
        body: Bytes,
    ) -> Result<Reply, Failure>;
}

/// A module may be shared: a server then takes an `Arc` of it, and its owner keeps another.
impl<M: Module + ?Sized> Module for Arc<M> {
    fn id(&self) -> i32 {
        (**self).id()
    }

    fn name(&self) -> &str {
        (**self).name()
    }

    fn rule(&self) -> Option<&str> {
        (**self).rule()
    }

    fn get_method(&self, id: i32) -> Option<Method> {
        (**self).get_method(id)
    }

    // What async-trait makes of the declaration, but without a second box around the future.
    fn handle_call<'async_trait>(
        self: Arc<Self>,
        context: Context,
        method: Method,
        body: Bytes,
    ) -> HandlerFuture<'async_trait>
    where
        Self: 'async_trait,
    {
        M::handle_call(Arc::clone(&self), context, method, body)
    }
}

/// A method of a module: which one it is, its name, and who may call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Method {
    module: i32,
    id: i32,
    name: &'static str,
    rule: Option<&'static str>,
    idempotent: bool,
}

impl Method {
    /// A method by its module's ID, its own system-wide ID, and its name.
    #[must_use]
    pub const fn new(module: i32, id: i32, name: &'static str) -> Self {
        Method { module, id, name, rule: None, idempotent: false }
    }

    /// The same method, for those alone whom a rule of the server allows: `ServerBuilder::rule` defines it by this name.
    ///
    /// For a module written by hand; `#[method]` takes the name as `allow = "admin"`. Whoever the [module's](Module::rule) rule
    /// refuses is refused none the less.
    #[must_use]
    pub const fn with_rule(self, name: &'static str) -> Self {
        Method { rule: Some(name), ..self }
    }

    /// The same method, declared to do no more if it is executed twice than once: see
    /// [`RetryPolicy`](crate::RetryPolicy). `#[method(3, idempotent)]` declares it so.
    ///
    /// ```
    /// use drpc::Method;
    ///
    /// const STATUS: Method = Method::new(7, 702, "status").idempotent();
    /// assert!(STATUS.is_idempotent());
    /// ```
    #[must_use]
    pub const fn idempotent(self) -> Self {
        Method { idempotent: true, ..self }
    }

    /// Whether the method is declared to do no more if it is executed twice than once.
    #[must_use]
    pub const fn is_idempotent(self) -> bool {
        self.idempotent
    }

    /// The ID of the method's module.
    #[must_use]
    pub const fn module(self) -> i32 {
        self.module
    }

    /// The method's system-wide ID: module · 100 + its number in the module (M).
    #[must_use]
    pub const fn id(self) -> i32 {
        self.id
    }

    /// The method's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// The rule that says who may call the method; `None` if everyone may whom its module's rule lets.
    #[must_use]
    pub const fn rule(self) -> Option<&'static str> {
        self.rule
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}

/// The ID names no method of the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownMethod {
    module: i32,
    id: i32,
}

impl UnknownMethod {
    /// The ID that the module does not have.
    #[must_use]
    pub const fn new(module: i32, id: i32) -> Self {
        UnknownMethod { module, id }
    }
}

impl fmt::Display for UnknownMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "module {} has no method {}", self.module, self.id)
    }
}

impl std::error::Error for UnknownMethod {}

impl From<UnknownMethod> for Failure {
    fn from(_: UnknownMethod) -> Self {
        Failure::unknown_method()
    }
}
