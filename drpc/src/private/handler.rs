//! What a handler takes, and what it is a handler of.

use std::sync::Arc;

use crate::handler::context::Context;
use crate::handler::failure::Failure;
use crate::handler::module::HandlerFuture;

/// What a handler may take by reference.
#[diagnostic::on_unimplemented(
    message = "a handler can't take a reference to `{Self}`",
    label = "only the context is taken by reference",
    note = "a request is taken by value: a prost message, or `bytes::Bytes` for the body as it came",
    note = "who calls, and whether they still wait, is in the context: `&drpc::Context`"
)]
pub trait FromContext {
    /// What the handler is given.
    fn of(context: &Context) -> &Self;
}

impl FromContext for Context {
    fn of(context: &Context) -> &Self {
        context
    }
}

/// What a handler's `self` may be, of a module `M`.
#[diagnostic::on_unimplemented(
    message = "a handler can't take `self` as `{Self}`",
    label = "not a way to take `self`",
    note = "write `&self`; or `self: Arc<Self>`, for work that goes on after the call was answered"
)]
pub trait HandlerReceiver<'a, M> {
    /// The module, as the handler takes it.
    fn of(module: &'a Arc<M>) -> Self;
}

impl<'a, M> HandlerReceiver<'a, M> for &'a M {
    fn of(module: &'a Arc<M>) -> Self {
        module
    }
}

impl<M> HandlerReceiver<'_, M> for Arc<M> {
    fn of(module: &Arc<M>) -> Self {
        Arc::clone(module)
    }
}

impl<'a, M> HandlerReceiver<'a, M> for &'a Arc<M> {
    fn of(module: &'a Arc<M>) -> Self {
        module
    }
}

/// What a module's type is.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a module: calls come to it from several threads at once",
    label = "not `Send` and `Sync`",
    note = "hold what changes in a `Mutex`, an `RwLock` or an atomic in place of a `Cell` or `RefCell`, and an `Arc` in place of an `Rc`"
)]
pub trait ModuleType: Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<M: Send + Sync + 'static> ModuleType for M {}

/// Fails to compile, at the type's own span, for what can't be a module.
pub fn is_module<M: ModuleType>(_: &M) {}

/// A module whose handlers may stand in other blocks.
#[diagnostic::on_unimplemented(
    message = "no block of `{Self}` declares methods for its parts",
    label = "has no methods that are declared",
    note = "declare them in the block that has the module's `id`, as `#[method(…)] fn hello(&self, req: Hello) -> Reply;` without a body"
)]
pub trait Declares {
    /// The declared methods' handlers.
    const METHODS: &'static [&'static str];
}

/// What a call of a method comes to that the module does not have.
#[must_use]
pub fn unknown_method<'a>() -> HandlerFuture<'a> {
    Box::pin(std::future::ready(Err(Failure::unknown_method())))
}

/// A module's ID, whose hundred method IDs all fit an `i32` (M).
///
/// # Panics
///
/// If they don't. It is called by the compiler, whose error that is.
#[must_use]
#[track_caller]
pub const fn module_id(id: i32) -> i32 {
    assert!(
        id >= i32::MIN / 100 && id < i32::MAX / 100,
        "this module's method IDs don't fit an `i32`: module m has m·100 to m·100+99, so use -21474836 to 21474835"
    );
    id
}

/// Whether a module declares a method of the name.
#[must_use]
pub const fn is_declared(names: &[&str], name: &str) -> bool {
    let mut at = 0;
    while at < names.len() {
        if equal(names[at].as_bytes(), name.as_bytes()) {
            return true;
        }
        at += 1;
    }
    false
}

const fn equal(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// Stands beside an item that the macro could not read. The compiler could not either, and said so; or else it warns of this,
/// which generated code denies.
#[must_use = "`#[drpc_module]` could not read an item of this block, which is left out: write it more simply, or move it to another `impl` block"]
pub const fn unread() -> bool {
    true
}
