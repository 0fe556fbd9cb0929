//! What stands in for a module with a mistake: all that other code may name, so that one mistake is one error.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};

use crate::args::ModuleArgs;
use crate::expand;
use crate::model::{Method, Model, ModuleId};
use crate::names;
use crate::parse::{Call, Draft, Outcome};

/// The generated items, with numbers of no meaning and handlers that are not called.
pub(crate) fn stubs(draft: &Draft, args: &ModuleArgs) -> TokenStream {
    let model = model(draft, args);
    let methods = expand::methods(&model);
    let client = expand::client(&model);
    let module = model.served_by.as_ref().map(|ty| expand::module(&model, ty, &TokenStream::new()));
    quote!(#methods #module #client)
}

fn model(draft: &Draft, args: &ModuleArgs) -> Model {
    let mut methods: Vec<Method> = Vec::new();
    for (number, handler) in (0..).zip(&draft.handlers) {
        let variant = names::variant(&handler.ident);
        if methods.iter().any(|method| method.variant == variant) {
            continue;
        }
        let nothing = Call { is_async: false, parameters: Vec::new(), reply: None, outcome: Outcome::Reply };
        methods.push(Method {
            handler: client_function(&handler.ident),
            variant,
            name: names::method(&handler.ident),
            number,
            number_span: Span::call_site(),
            rule: None,
            idempotent: handler.args.idempotent,
            notes: handler.notes.clone(),
            cfgs: handler.cfgs.clone(),
            call: handler.call.clone().unwrap_or(nothing),
        });
    }
    Model {
        krate: args.krate.clone(),
        served_by: args.client_only.is_none().then(|| draft.ty.clone()),
        base: draft.base.clone(),
        id: ModuleId::Number(0),
        name: names::module(&draft.base),
        rule: None,
        register: None,
        docs: draft.docs.clone(),
        methods,
        registry: None,
    }
}

/// The handler's name, or one that the client has not taken.
fn client_function(handler: &Ident) -> Ident {
    match names::CLIENT_FUNCTIONS.contains(&names::method(handler).as_str()) {
        true => format_ident!("{handler}_"),
        false => handler.clone(),
    }
}
