//! What stands in for a module with a mistake: all that other code may name, so that one mistake is one error.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};

use crate::args::ModuleArgs;
use crate::asked::Asked;
use crate::expand;
use crate::model::{Method, Model, ModuleId};
use crate::names;
use crate::parse::Draft;

/// The generated items, with numbers of no meaning and handlers that are not called.
pub(crate) fn stubs(draft: &Draft, args: &ModuleArgs) -> TokenStream {
    let model = model(draft, args);
    let krate = expand::krate(&model);
    let asked = model.asked.items(&model.krate, &expand::allowed_in_block(&model.allowed));
    let methods = expand::methods(&model);
    let client = expand::client(&model);
    let module = model.served_by.as_ref().map(|ty| expand::module(&model, ty, &TokenStream::new()));
    quote!(#krate #methods #module #client #asked)
}

fn model(draft: &Draft, args: &ModuleArgs) -> Model {
    let mut methods: Vec<Method> = Vec::new();
    for (number, handler) in (0..).zip(&draft.handlers) {
        let variant = names::variant(&handler.ident);
        if methods.iter().any(|method| method.variant == variant) {
            continue;
        }
        methods.push(Method {
            handler: client_function(&handler.ident),
            variant,
            name: names::method(&handler.ident),
            number,
            number_span: Span::call_site(),
            rule: None,
            idempotent: handler.args.idempotent,
            fds: handler.args.fds,
            timeout: None,
            request_limit: None,
            notes: handler.notes.clone(),
            cfgs: handler.cfgs.clone(),
            call: handler.call.clone(),
            is_declaration: false,
        });
    }
    let base = args.base(&draft.name).clone();
    Model {
        path: args.krate.clone(),
        krate: names::krate(&base),
        served_by: (args.client_only.is_none() && draft.is_servable).then(|| draft.ty.clone()),
        generics: draft.generics.clone(),
        type_name: draft.name.clone(),
        asked: Asked::of(&methods, &base),
        base,
        id: ModuleId::Number(0),
        name: names::module(&draft.name),
        rule: None,
        unlisted: false,
        remote: false,
        register: None,
        docs: draft.docs.clone(),
        allowed: draft.allowed.clone(),
        methods,
        registry: None,
        described: false,
        unread: draft.unread.clone(),
    }
}

/// The handler's name, or one that the client has not taken.
fn client_function(handler: &Ident) -> Ident {
    match names::CLIENT_FUNCTIONS.contains(&names::method(handler).as_str()) {
        true => format_ident!("{handler}_"),
        false => handler.clone(),
    }
}
