//! What the program is told of a module: its descriptor, in the inventory.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Meta, Type};

use super::asked_types::received;
use super::notes::allowed;
use crate::args::Register;
use crate::model::{Method, Model, ModuleId};
use crate::names;
use crate::places::{here, located};

// Output:
//     const _: () = {
//         const METHODS: &[Method] = &[GreeterMethod::Hello.method()];
//         fn create() -> Arc<dyn Module> {
//             let module: Greeter = Default::default();
//             Arc::new(module)
//         }
//         inventory::submit! {
//             ModuleDescriptor::new(5, "greeter", "Greeter", …, METHODS, Some(create))
//         }
//     };
pub(super) fn descriptor(model: &Model, ty: &Type) -> TokenStream {
    let (krate, name, ty_name) = (&model.krate, &model.name, model.type_name.to_string());
    let methods = names::methods(&model.base);
    let all = model
        .methods
        .iter()
        .map(|Method { variant, cfgs, .. }| quote!(#(#cfgs)* #methods::#variant.method()));
    let made = model.register.as_ref().map(|register| match register {
        Register::Default(key) => quote_spanned!(here(key.span())=> ::core::default::Default::default()),
        Register::Factory(path) => {
            let call = quote_spanned!(here(path.span())=> ());
            quote!(#path #call)
        }
    });
    let create = made.as_ref().map(|made| {
        let span = here(ty.span());
        let private = located(&quote!(#krate::private), span);
        let shared = quote_spanned!(span=> #private::Arc::new(__module));
        quote! {
            fn __create() -> #krate::private::Arc<dyn #krate::Module> {
                let __module: #ty = #made;
                #shared
            }
        }
    });
    let factory = match create {
        Some(_) => quote!(::core::option::Option::Some(__create)),
        None => quote!(::core::option::Option::None),
    };
    let descriptions = model.described.then(|| descriptions(model));
    let described = descriptions.as_ref().map(|_| {
        let rule = match &model.rule {
            Some(rule) => quote!(::core::option::Option::Some(#rule)),
            None => quote!(::core::option::Option::None),
        };
        let docs = text(&model.docs);
        quote!(.described(#rule, #docs, __DESCRIPTIONS))
    });
    let claim = cfg!(feature = "unique-ids").then(|| claim(model)).flatten();
    let allowed = allowed(model);
    quote! {
        #allowed
        const _: () = {
            const __METHODS: &[#krate::Method] = &[#(#all),*];

            #create

            #claim

            #descriptions

            #[allow(forbidden_lint_groups)]
            const _: () = { #krate::private::inventory::submit! {
                #krate::private::ModuleDescriptor::new(
                    #methods::MODULE,
                    #name,
                    #ty_name,
                    ::core::env!("CARGO_PKG_NAME"),
                    ::core::file!(),
                    ::core::line!(),
                    __METHODS,
                    #factory,
                ) #described
            } };
        };
    }
}

// Output:
//     const DESCRIPTIONS: &[MethodDescription] = &[MethodDescription {
//         docs: concat!(" Greets a person by name.", "\n"),
//         request: carried!(Hello),
//         reply: carried!(<HelloResponse as Returned<__GreeterReply0>>::Received),
//         items: None, // Of a handler that takes a stream: Some(carried!(Piece))
//     }];
fn descriptions(model: &Model) -> TokenStream {
    let krate = &model.krate;
    let calls = model.methods.iter().filter_map(|method| Some((method, method.call.known()?)));
    let descriptions = calls.map(|(method, call)| {
        let cfgs = &method.cfgs;
        let request = call.request().map_or_else(|| quote!(()), |(_, ty)| ty.clone());
        let reply = received(model, method, call);
        let message = |ty| match method.fds {
            Some(_) => quote!(<#ty as #krate::Payload>::Message),
            None => ty,
        };
        let (request, reply) = (message(request), message(reply));
        let docs = text(&method.notes);
        let items = match call.taken_item() {
            Some(item) => quote!(::core::option::Option::Some(#krate::private::carried!(#item))),
            None => quote!(::core::option::Option::None),
        };
        quote! {
            #(#cfgs)*
            #krate::private::MethodDescription {
                docs: #docs,
                request: #krate::private::carried!(#request),
                reply: #krate::private::carried!(#reply),
                items: #items,
            }
        }
    });
    quote! {
        const __DESCRIPTIONS: &[#krate::private::MethodDescription] = &[#(#descriptions),*];
    }
}

/// The text of doc comments, a line for each.
fn text(attributes: &[Attribute]) -> TokenStream {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(meta) if meta.path.is_ident("doc") => Some(&meta.value),
        _ => None,
    });
    // A line may be a macro's: `#[doc = include_str!("greeter.md")]`.
    quote!(::core::concat!(#(#lines, "\n"),*))
}

// Output:
//     #[unsafe(export_name = "two drpc modules have ID 5")]
//     static CLAIM: u8 = 0;
//
// A second symbol of that name in one program is an error, and the linker shows the name and where both are.
fn claim(model: &Model) -> Option<TokenStream> {
    let id = match &model.id {
        ModuleId::Number(id) => *id,
        ModuleId::Constant { listed, .. } => listed.as_ref()?.0,
    };
    let symbol = format!("two drpc modules have ID {id}");
    Some(quote! {
        // SAFETY: nothing calls or reads a symbol of this name; it is there to be there once.
        #[unsafe(export_name = #symbol)]
        static __CLAIM: ::core::primitive::u8 = 0;
    })
}
