use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::handler::context::Context;
use crate::handler::failure::Failure;
use crate::handler::failure::guard::guarded;
use crate::handler::method::{Method, UnknownMethod};
use crate::handler::reply::Reply;

/// What [`Module::handle_call`] returns once `async_trait` has rewritten it.
pub type HandlerFuture<'a> = Pin<Box<dyn Future<Output = Result<Reply, Failure>> + Send + 'a>>;

/// A set of methods under one module ID: what a server dispatches to.
///
/// `#[drpc_module]` generates it for an `impl` block. By hand it looks like this:
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
    /// The module's ID: any number, unique within a server ([D6](crate::guide::rules#dispatch)).
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

    /// Whether the module is for tests: a server on a socket takes it only where `ServerBuilder::allow_unlisted` says so, and one
    /// in memory always.
    ///
    /// `#[drpc_module]` takes it as `unlisted`, for an ID that the registry does not list.
    fn is_unlisted(&self) -> bool {
        false
    }

    /// Whether other hosts may reach the module, through a server that lets them in (that of the crate `drpc-grpc`): such a server takes no other.
    ///
    /// `#[drpc_module]` takes it from the registry (`remote = true`), or as `remote` where there is none.
    fn is_remote(&self) -> bool {
        false
    }

    /// The method of a (system-wide) ID, or `None` if this module does not serve it ([D2](crate::guide::rules#dispatch), [D7](crate::guide::rules#dispatch)).
    fn get_method(&self, id: i32) -> Option<Method>;

    /// Carries out one call of a method that [`get_method`](Self::get_method) gave.
    ///
    /// The body is the marshalled request; the result is the marshalled reply, or [`Reply::Submitted`]. The module and the context
    /// are the call's own, so that it may go on wherever it likes.
    ///
    /// # Errors
    ///
    /// A [`struct@Failure`], whose status answers the call.
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

    fn is_unlisted(&self) -> bool {
        (**self).is_unlisted()
    }

    fn is_remote(&self) -> bool {
        (**self).is_remote()
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

impl From<UnknownMethod> for Failure {
    fn from(_: UnknownMethod) -> Self {
        Failure::unknown_method()
    }
}

/// The methods of a module, as far as they are of its own hundred (M).
pub(crate) fn methods_of(module: &dyn Module) -> impl Iterator<Item = Method> {
    let first = module.id().checked_mul(100);
    let ids =
        first.into_iter().flat_map(|first| (0..100).filter_map(move |number| first.checked_add(number)));
    // One that panics does so again when it is called, and answers FAILURE (S10).
    ids.filter_map(|id| guarded(|| module.get_method(id)).ok().flatten())
}

/// The name of a module, for logs and figures.
pub(crate) fn name_of(module: &dyn Module) -> &str {
    guarded(|| module.name()).unwrap_or("unknown: it panicked")
}
