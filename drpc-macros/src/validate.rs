//! From what was written to what is meant: names, numbers, and what the registry says of them.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use drpc_registry::Registry;
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Expr, LitStr};

use crate::args::{Id, Integer, ModuleArgs, Number, Register};
use crate::asked::Asked;
use crate::contract::Contract;
use crate::mistake::{Mistakes, mistake};
use crate::model::{Method, Model, ModuleId};
use crate::names;
use crate::parse::{Draft, Handler};
use crate::registry;
use crate::signature::without_self;

/// What the macro knows from outside its input.
pub(crate) struct Environment {
    /// The registry to check against.
    pub(crate) registry: Option<PathBuf>,
    /// The package that is being compiled.
    pub(crate) package: String,
    /// What the package calls the `drpc` crate, if not that.
    pub(crate) renamed: Option<String>,
    /// Whether descriptors tell types.
    pub(crate) described: bool,
}

/// The module IDs whose hundred method IDs all fit an `i32`.
const MODULE_IDS: RangeInclusive<i32> = -21_474_836..=21_474_835;

/// The module that is meant; nothing if there is a mistake in it.
pub(crate) fn validate(
    draft: &Draft,
    args: &ModuleArgs,
    environment: &Environment,
    mistakes: &mut Mistakes,
) -> Option<Model> {
    if let (Some(_), Some(register)) = (&args.client_only, &args.register) {
        let help = "leave it out: a client has no module to make";
        mistakes.add(mistake(register, "`register` does not go with `client_only`", help));
    }
    if let (Some(_), Some(register)) = (&args.unlisted, &args.register) {
        let help = "leave it out: a test gives the module to its server, by `.module(…)`";
        mistakes.add(mistake(register, "`register` does not go with `unlisted`", help));
    }
    if args.client_only.is_some() {
        let of_methods = draft.handlers.iter().filter_map(|handler| handler.args.allow.as_ref());
        for rule in args.allow.iter().chain(of_methods) {
            let help = "leave it out: the server says who may call";
            mistakes.add(mistake(rule, "`allow` does not go with `client_only`", help));
        }
        for timeout in draft.handlers.iter().filter_map(|handler| handler.args.timeout.as_ref()) {
            let help =
                "leave it out: the server says how long a handler may take, and a caller how long it waits";
            mistakes.add(mistake(timeout, "`timeout` does not go with `client_only`", help));
        }
        for limit in draft.handlers.iter().filter_map(|handler| handler.args.request_limit.as_ref()) {
            let help = "leave it out: the server says how long a request may be";
            mistakes.add(mistake(limit, "`request_limit` does not go with `client_only`", help));
        }
    }
    let register = args.register.as_ref().and_then(|register| mistakes.check(of_type(register, draft)));
    let registry = environment.registry.as_deref().map(registry::load).transpose();
    let registry = mistakes.check(registry.map_err(|error| syn::Error::new(Span::call_site(), error)))?;

    let name = args.name.as_ref().map_or_else(|| names::module(&draft.name), |name| name.value());
    let identity = match args.faulty {
        true => None,
        false => mistakes.check(identify(draft, args, &name, registry.as_deref(), &environment.package)),
    };
    let is_listed = registry.is_some() && args.unlisted.is_none();
    let method = |handler| method(handler, identity.as_ref(), is_listed, mistakes);
    let methods: Vec<Method> = draft.handlers.iter().filter_map(method).collect();
    let listed = identity.as_ref().and_then(|identity| identity.contract.as_ref());
    if let (Some(remote), Some(contract)) = (&args.remote, listed) {
        let help = format!("leave it out, and write `remote = true` there ({})", contract.place());
        mistakes.add(mistake(remote, "the registry says which modules other hosts may reach", help));
    }
    let remote = args.remote.is_some() || listed.is_some_and(Contract::is_remote);
    if !are_distinct(&methods, mistakes) || mistakes.count() > 0 || draft.is_refused {
        return None;
    }
    let base = args.base(&draft.name).clone();
    Some(Model {
        path: args.krate.clone(),
        krate: names::krate(&base),
        served_by: args.client_only.is_none().then(|| draft.ty.clone()),
        generics: draft.generics.clone(),
        type_name: draft.name.clone(),
        asked: Asked::of(&methods, &base),
        base,
        id: identity?.id,
        name,
        rule: args.allow.as_ref().map(LitStr::value),
        unlisted: args.unlisted.is_some(),
        remote,
        register,
        docs: draft.docs.clone(),
        allowed: draft.allowed.clone(),
        methods,
        registry: environment.registry.clone(),
        described: environment.described,
        unread: draft.unread.clone(),
    })
}

/// How the module registers itself, which only one of one type can.
fn of_type(register: &Register, draft: &Draft) -> syn::Result<Register> {
    if !draft.generics.params.is_empty() {
        let help = "give the server one that is made: `Server::builder().module(…)`";
        let what = "a generic module can't register itself: nothing says for which types to make it";
        return Err(mistake(register, what, help));
    }
    match register {
        Register::Factory(path) => {
            let own = without_self(path.to_token_stream(), &draft.ty);
            Ok(Register::Factory(syn::parse2(own).unwrap_or_else(|_| path.clone())))
        }
        Register::Default(_) => Ok(register.clone()),
    }
}

/// A module's ID, and what is known of it.
struct Identity<'r> {
    id: ModuleId,
    value: Option<i32>,
    contract: Option<Contract<'r>>,
}

fn identify<'r>(
    draft: &Draft,
    args: &ModuleArgs,
    name: &str,
    registry: Option<&'r Registry>,
    package: &str,
) -> syn::Result<Identity<'r>> {
    // A client may be in any package.
    let owned = |contract: Contract<'r>, at: &dyn ToTokens| match args.client_only {
        Some(_) => Ok(contract),
        None => contract.owned_by(package, at),
    };
    if let (Some(_), Some(Id::Literal(id)), Some(registry)) = (&args.unlisted, &args.id, registry) {
        Contract::unlisted(registry, id)?;
    }
    match (&args.id, registry.filter(|_| args.unlisted.is_none())) {
        (Some(Id::Literal(id)), _) if !MODULE_IDS.contains(&id.value) => {
            let help = format!(
                "module m has the method IDs m·100 to m·100+99: use {} to {}",
                MODULE_IDS.start(),
                MODULE_IDS.end()
            );
            Err(mistake(id, "this module's method IDs don't fit an `i32`", help))
        }
        (Some(Id::Literal(id)), registry) => {
            let contract =
                registry.map(|registry| owned(Contract::of_id(registry, id, name)?, id)).transpose()?;
            Ok(Identity { id: ModuleId::Number(id.value), value: Some(id.value), contract })
        }
        (Some(Id::Constant(value)), None) => {
            let id = ModuleId::Constant { value: constant(value, draft)?, listed: None };
            Ok(Identity { id, value: None, contract: None })
        }
        (Some(Id::Constant(constant_id)), Some(registry)) => {
            let contract = owned(Contract::of_name(registry, name, constant_id)?, constant_id)?;
            let value = contract.id();
            let otherwise = format!("`{name}` is module {value} in the registry ({})", contract.place());
            let id =
                ModuleId::Constant { value: constant(constant_id, draft)?, listed: Some((value, otherwise)) };
            Ok(Identity { id, value: Some(value), contract: Some(contract) })
        }
        (None, Some(registry)) => {
            let at: &dyn ToTokens = match &args.name {
                Some(name) => name,
                None => &draft.name,
            };
            let contract = owned(Contract::of_name(registry, name, at)?, at)?;
            Ok(Identity {
                id: ModuleId::Number(contract.id()),
                value: Some(contract.id()),
                contract: Some(contract),
            })
        }
        (None, None) => {
            let help = "write `#[drpc_module(id = 5)]`; only a registry makes it known by the name \
                        (`drpc_build::configure().registry(…)` in build.rs)";
            Err(mistake(TokenStream::new(), "the module's `id` is missing", help))
        }
    }
}

/// A constant that may be one of the type's own.
fn constant(value: &Expr, draft: &Draft) -> syn::Result<TokenStream> {
    let tokens = value.to_token_stream();
    let own = without_self(tokens.clone(), &draft.ty);
    if !draft.generics.params.is_empty() && own.to_string() != tokens.to_string() {
        let help = "name a constant outside of the `impl`: all modules of the type have one ID";
        return Err(mistake(value, "`Self` is not known here: the module is generic", help));
    }
    Ok(own)
}

fn method(
    handler: &Handler,
    identity: Option<&Identity<'_>>,
    has_registry: bool,
    mistakes: &mut Mistakes,
) -> Option<Method> {
    mistakes.check(check_generated_names(handler));
    let name = handler.args.name.as_ref().map_or_else(|| names::method(&handler.ident), |name| name.value());
    if handler.args.faulty {
        return None;
    }
    let (number, number_span) = mistakes.check(number(handler, &name, identity, has_registry))??;
    Some(Method {
        handler: handler.ident.clone(),
        variant: names::variant(&handler.ident),
        name,
        number,
        number_span,
        rule: handler.args.allow.as_ref().map(LitStr::value),
        idempotent: handler.args.idempotent,
        fds: handler.args.fds,
        timeout: handler.args.timeout.as_ref().map(|timeout| timeout.millis),
        request_limit: handler.args.request_limit.as_ref().map(|limit| limit.bytes),
        notes: handler.notes.clone(),
        cfgs: handler.cfgs.clone(),
        call: handler.call.clone(),
        is_declaration: handler.is_declaration,
    })
}

/// A method's number within its module, and where it was said; nothing if it depends on another mistake.
fn number(
    handler: &Handler,
    name: &str,
    identity: Option<&Identity<'_>>,
    has_registry: bool,
) -> syn::Result<Option<(i32, Span)>> {
    let contract = identity.and_then(|identity| identity.contract.as_ref());
    let (number, written) = match &handler.args.number {
        Some(Number::InModule(number)) => (in_module(number, identity)?, number),
        Some(Number::Global(id)) => match identity {
            Some(identity) => (global(id, identity)?, id),
            None => return Ok(None),
        },
        None => match contract {
            Some(contract) => {
                let number = contract.number_of(name, &handler.ident)?;
                return Ok(Some((number, handler.ident.span())));
            }
            None if has_registry => return Ok(None),
            None => {
                let help = "write `#[method(1)]`; only a registry makes it known by the name \
                            (`drpc_build::configure().registry(…)` in build.rs)";
                return Err(mistake(&handler.attribute, "the method's number is missing", help));
            }
        },
    };
    if let Some(contract) = contract {
        contract.check_number(number, name, written)?;
    }
    Ok(Some((number, written.to_token_stream().span())))
}

fn in_module(number: &Integer, identity: Option<&Identity<'_>>) -> syn::Result<i32> {
    if (0..=99).contains(&number.value) {
        return Ok(number.value);
    }
    let module = identity.and_then(|identity| identity.value);
    let (id, local) = (number.value, number.value.rem_euclid(100));
    let help = if module == Some(id.div_euclid(100)) {
        format!(
            "{id} is the system-wide ID of number {local}: write `#[method({local})]` or `#[method(id = {id})]`"
        )
    } else {
        "the system-wide ID is made of it: module · 100 + number".to_owned()
    };
    Err(mistake(number, "a method's number within its module is 0 to 99", help))
}

fn global(id: &Integer, identity: &Identity<'_>) -> syn::Result<i32> {
    let local = id.value.rem_euclid(100);
    match identity.value {
        Some(module) if id.value.div_euclid(100) == module => Ok(local),
        Some(module) => {
            let (first, last) = (module * 100, module * 100 + 99);
            let help = match id.value {
                0..=99 => format!("{local} is a number within the module: write `#[method({local})]`"),
                _ => format!("write the number within the module: `#[method({local})]`"),
            };
            Err(mistake(id, format_args!("the method IDs of module {module} are {first} to {last}"), help))
        }
        None => {
            let help = format!("write the number within the module: `#[method({local})]`");
            Err(mistake(id, "a system-wide ID can't be checked where the module's ID is a constant", help))
        }
    }
}

fn check_generated_names(handler: &Handler) -> syn::Result<()> {
    let ident = &handler.ident;
    let (name, variant) = (ident.unraw().to_string(), names::variant(ident).to_string());
    let taken = if names::CLIENT_FUNCTIONS.contains(&name.as_str()) {
        format!("the generated client has a function `{name}` of its own")
    } else if names::METHODS_CONSTANTS.contains(&variant.as_str()) {
        format!("the generated enum of methods has a constant `{variant}`")
    } else {
        return Ok(());
    };
    let help = format!(
        "call the handler `{name}_` and the method by its name: `#[method(…, name = \"{}\")]`",
        name.to_lowercase()
    );
    Err(mistake(ident, taken, help))
}

/// Whether no handler is there twice; whatever else methods can't share is a mistake.
///
/// Of two methods that are conditional, only the compiler knows which there are.
fn are_distinct(methods: &[Method], mistakes: &mut Mistakes) -> bool {
    let mut distinct = true;
    for (at, method) in methods.iter().enumerate() {
        let others = || methods[..at].iter().filter(|other| method.cfgs.is_empty() || other.cfgs.is_empty());
        if others().any(|other| other.handler == method.handler) {
            // The compiler reports it by itself.
            distinct = false;
        } else if let Some(clash) = others().find_map(|other| clash(other, method)) {
            mistakes.add(clash);
        }
    }
    distinct
}

/// What two methods share and can't.
fn clash(other: &Method, method: &Method) -> Option<syn::Error> {
    let (at, place, what, help) = if method.number == other.number {
        let what = format!("number {}", method.number);
        (method.number_span, other.number_span, what, "give every method a number of its own")
    } else if method.name == other.name {
        let what = format!("the name `{}`", method.name);
        (method.handler.span(), other.handler.span(), what, "give every method a name of its own")
    } else if method.variant == other.variant {
        let what = format!("the generated name `{}`", method.variant);
        let help = "give the handler a name that differs in more than underscores";
        (method.handler.span(), other.handler.span(), what, help)
    } else {
        return None;
    };
    let line = line(place).map(|line| format!(" in line {line}")).unwrap_or_default();
    let what = format!("{what} is taken by `{}`{line}", other.handler);
    Some(mistake(quote_spanned!(at=> _), what, help))
}

/// The line of the source; unknown outside of the compiler.
fn line(span: Span) -> Option<usize> {
    proc_macro::is_available().then(|| span.unwrap().line())
}
