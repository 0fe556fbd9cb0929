//! The typed client.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};

use super::asked_types::{as_requested, received, taken};
use super::notes::{allowed, docs, links, notes};
use crate::model::{Method, Model};
use crate::names;
use crate::places::{around, here, name_at};
use crate::signature::Call;

// Output:
//     #[doc = "A client of module `greeter`."]
//     #[cfg_attr(not(doctest), doc = "Greets people.")]
//     #[derive(Clone, Debug)]
//     pub struct GreeterClient<C = DefaultCaller> {
//         caller: C,
//         options: CallOptions,
//     }
//     impl<C: Caller> GreeterClient<C> {
//         pub fn new(caller: C) -> Self { … }
//         pub fn with(&self, options: CallOptions) -> Self { … }
//         pub fn raw(&self, method: GreeterMethod, body: Bytes) -> C::Outcome<Bytes> { … }
//         #[cfg_attr(not(doctest), doc = "Greets a person by name.")]
//         pub fn hello(&self, req: Hello) -> C::Outcome<<HelloResponse as Returned<__GreeterReply0>>::Received> { … }
//     }
pub(crate) fn client(model: &Model) -> TokenStream {
    let krate = &model.krate;
    let (name, methods) = (names::client(&model.base), names::methods(&model.base));
    let docs = docs(format!(" A client of module `{}`.", model.name), model);
    let (links, allowed) = (links(model), allowed(model));
    let functions = model.methods.iter().map(|method| client_function(model, method));
    quote! {
        #docs
        #links
        #[::core::prelude::v1::derive(::core::clone::Clone, ::core::fmt::Debug)]
        pub struct #name<C = #krate::private::DefaultCaller> {
            caller: C,
            options: #krate::CallOptions,
        }

        #links
        #allowed
        impl<__C: #krate::Caller> #name<__C> {
            /// A client that calls through `caller`.
            pub fn new(__caller: __C) -> Self {
                Self { caller: __caller, options: ::core::default::Default::default() }
            }

            /// The same client with options for the calls to come.
            pub fn with(&self, __options: #krate::CallOptions) -> Self {
                Self { caller: ::core::clone::Clone::clone(&self.caller), options: __options }
            }

            /// Calls a method with a body as it is, and gives the reply's body as it is.
            pub fn raw(
                &self,
                __method: #methods,
                __body: #krate::private::Bytes,
            ) -> <__C as #krate::Caller>::Outcome<#krate::private::Bytes> {
                self.caller.call(__method.method(), __body, &self.options)
            }

            #(#functions)*
        }
    }
}

// A handler that returns a stream has `caller.open`, and `C::Outcome<C::Streaming<…>>`; one that takes a stream has `caller.upload`, and
// `C::Outcome<C::Upload<Piece, …>>`; one that does both has `caller.exchange`.
//
// Output:
//     #[cfg_attr(not(doctest), doc = "Greets a person by name.")]
//     pub fn hello(&self, req: Hello) -> C::Outcome<<HelloResponse as Returned<__GreeterReply0>>::Received> {
//         self.caller.call::<<Hello as Requested<__GreeterRequest0>>::Sent, <HelloResponse as …>::Received>(
//             GreeterMethod::Hello.method(),
//             <Hello as Requested<__GreeterRequest0>>::sent(req),
//             &self.options,
//         )
//     }
fn client_function(model: &Model, method: &Method) -> TokenStream {
    let krate = &model.krate;
    let Method { handler, variant, cfgs, .. } = method;
    let (methods, notes, handler) = (names::methods(&model.base), notes(method), names::generated(handler));
    let call = match &method.call {
        Call::Known(call) => call,
        Call::Unknown { requests } => {
            let parameters = (0..*requests).map(|_| quote!(_: impl ::core::marker::Sized));
            return quote! {
                #(#cfgs)*
                pub fn #handler(&self, #(#parameters),*) -> <__C as #krate::Caller>::Outcome<()> {
                    loop {}
                }
            };
        }
    };
    let received = received(model, method, call);
    let taken = taken(model, method, call);
    let comma = taken.as_ref().map(|_| quote!(,));
    let (make, kind) = match (call.streams(), taken.is_some()) {
        (false, false) => (quote!(call), None),
        (true, false) => (quote!(open), Some("Streaming")),
        (false, true) => (quote!(upload), Some("Upload")),
        (true, true) => (quote!(exchange), Some("Exchange")),
    };
    let given = around(
        &received,
        |place| {
            let krate = name_at(krate, place);
            let of_stream = kind.map(|kind| {
                let kind = Ident::new(kind, here(place));
                quote_spanned!(here(place)=> <__C as #krate::Caller>::#kind< #taken #comma)
            });
            quote_spanned!(here(place)=> <__C as #krate::Caller>::Outcome< #of_stream)
        },
        |place| {
            let of_stream = kind.map(|_| quote_spanned!(place=> >));
            quote_spanned!(place=> #of_stream >)
        },
    );
    let (parameter, request, argument) = match call.request() {
        Some((name, ty)) => {
            let name = names::generated(name);
            let sent = as_requested(model, method, ty, "sent");
            (quote!(#name: #ty), as_requested(model, method, ty, "Sent"), quote!(#sent(#name)))
        }
        None => (quote!(), quote!(()), quote!(())),
    };
    quote! {
        #notes
        #(#cfgs)*
        pub fn #handler(&self, #parameter) -> #given {
            self.caller.#make::<#request, #taken #comma #received>(#methods::#variant.method(), #argument, &self.options)
        }
    }
}
