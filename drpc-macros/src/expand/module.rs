//! `impl Module`: from a call to its handler.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::Type;

use super::asked_types::{as_requested, as_returned, place};
use super::notes::{allowed, allowed_in_block};
use crate::item::is_punct;
use crate::model::{Method, Model};
use crate::names;
use crate::places::{around, ends, here, located, name_at};
use crate::signature::{Call, ErrorType, Outcome, Parameter, borrows};

// Output:
//     impl Module for Greeter where for<'__module> Greeter: ModuleType {
//         fn id(&self) -> i32 { GreeterMethod::MODULE }
//         fn name(&self) -> &str { "greeter" }
//         fn rule(&self) -> Option<&str> { Some("users") } // With a rule.
//         fn is_unlisted(&self) -> bool { true } // If it is unlisted.
//         fn is_remote(&self) -> bool { true } // If other hosts may reach it.
//         fn get_method(&self, id: i32) -> Option<Method> { GreeterMethod::from_id(id).map(GreeterMethod::method) }
//         fn handle_call(self: Arc<Self>, context: Context, method: Method, body: Bytes) -> HandlerFuture {
//             match GreeterMethod::from_id(method.id()) {
//                 Some(GreeterMethod::Hello) => …,
//                 _ => Box::pin(ready(Err(Failure::unknown_method()))),
//             }
//         }
//     }
//
// `handle_call` is what `#[async_trait]` would make of it, but with a future for every method of its own: a call holds
// the state of its handler, and not that of the largest one.
//
// The bound, which the compiler does not check here since it has a lifetime, lets it take every handler's future for `Send` as far as the
// module is concerned: that the module is `Send` and `Sync` is asked once, in `is_module`.
pub(crate) fn module(model: &Model, ty: &Type, arms: &TokenStream) -> TokenStream {
    let (krate, name) = (&model.krate, &model.name);
    let methods = names::methods(&model.base);
    let allowed = allowed(model);
    let rule = model.rule.as_ref().map(|rule| {
        quote! {
            fn rule(&self) -> ::core::option::Option<&::core::primitive::str> {
                ::core::option::Option::Some(#rule)
            }
        }
    });
    let conversions = (!arms.is_empty()).then(|| conversions(model)).flatten();
    let unlisted = model.unlisted.then(|| {
        quote! {
            fn is_unlisted(&self) -> ::core::primitive::bool {
                true
            }
        }
    });
    let remote = model.remote.then(|| {
        quote! {
            fn is_remote(&self) -> ::core::primitive::bool {
                true
            }
        }
    });
    let (generics, _, bounds) = model.generics.split_for_impl();
    let bounds = bounds.map(|bounds| &bounds.predicates);
    quote! {
        #allowed
        impl #generics #krate::Module for #ty
        where
            for<'__module> #ty: #krate::private::ModuleType,
            #bounds
        {
            fn id(&self) -> ::core::primitive::i32 {
                #methods::MODULE
            }

            fn name(&self) -> &::core::primitive::str {
                #name
            }

            #rule

            #unlisted

            #remote

            fn get_method(&self, __id: ::core::primitive::i32) -> ::core::option::Option<#krate::Method> {
                #methods::from_id(__id).map(#methods::method)
            }

            fn handle_call<'async_trait>(
                self: #krate::private::Arc<Self>,
                __context: #krate::Context,
                __method: #krate::Method,
                __body: #krate::private::Bytes,
            ) -> #krate::private::HandlerFuture<'async_trait>
            where
                Self: 'async_trait,
            {
                #conversions
                match #methods::from_id(__method.id()) {
                    #arms
                    _ => #krate::private::unknown_method(),
                }
            }
        }
    }
}

// Output:
//     Some(GreeterMethod::Hello) => {
//         let mut reading = reading(&context, method, &body);
//         Box::pin(async move {
//             let request = <Hello as Requested<__GreeterRequest0>>::decode(body, &mut reading)?;
//             match Self::hello(&self, request).await {
//                 Ok(reply) => <HelloResponse as Returned<__GreeterReply0>>::reply(reply),
//                 Err(error) => Err(__failed_0(error)),
//             }
//         })
//     }
//
// A handler that returns a stream:
//     Some(ClockMethod::Ticks) => private::stream(move |outlet| async move {
//         let items = Self::ticks(&self);
//         outlet.send::<__ClockItem0, _, _, _, _>(items, __failed_0).await
//     })
//
// One that takes a stream:
//     Some(StoreMethod::Upload) => private::taking::<Piece, __StoreTaken0>(context, method, move |context, incoming| Box::pin(async move {
//         …Self::upload(&self, incoming).await…
//     }))
pub(super) fn arm(model: &Model, method: &Method) -> TokenStream {
    let Call::Known(call) = &method.call else { return TokenStream::new() };
    let krate = &model.krate;
    let methods = names::methods(&model.base);
    let Method { handler, variant, cfgs, .. } = method;
    let request = call.request().map(|(_, ty)| {
        let decode = as_requested(model, method, ty, "decode");
        quote!(let __request = #decode(__body, &mut __reading)?;)
    });
    // What the request is counted as, until the handler is done.
    let reading = request
        .is_some()
        .then(|| quote!(let mut __reading = #krate::private::reading(&__context, __method, &__body);));
    let span = here(handler.span());
    let private = located(&quote!(#krate::private), span);
    let receiver = match call.takes_reference {
        true => quote_spanned!(span=> &self),
        false => quote_spanned!(span=> #private::HandlerReceiver::of(&self)),
    };
    let arguments = call.parameters.iter().map(|parameter| match parameter {
        Parameter::Request { .. } => quote!(__request),
        Parameter::Incoming { .. } => quote!(__incoming),
        Parameter::Context { ty } => {
            let of = around(
                ty,
                |place| quote_spanned!(place=> <),
                |place| {
                    let krate = name_at(krate, place);
                    quote_spanned!(here(place)=> as #krate::private::FromContext>::of)
                },
            );
            quote!(#of(&__context))
        }
    });
    let wait = call.is_async.then(|| quote!(.await));
    let of_self = Ident::new("Self", span);
    let returned = quote_spanned!(span=> #of_self::#handler(#receiver, #(#arguments),*) #wait);
    let item = place(model, method).and_then(|place| model.asked.item(place));
    let answer = match &call.outcome {
        Outcome::Nothing => {
            quote!(::core::result::Result::Ok(#krate::private::IntoReply::into_reply(#returned)))
        }
        Outcome::Result { reply, error } => {
            let failure = failure(model, method, error);
            let reply = as_returned(model, method, reply, "reply");
            quote! {
                match #returned {
                    ::core::result::Result::Ok(__reply) => #reply(__reply),
                    ::core::result::Result::Err(__error) => ::core::result::Result::Err(#failure),
                }
            }
        }
        Outcome::Stream { error, refusal, .. } => {
            let items = match refusal {
                None => returned,
                Some(refusal) => {
                    let failure = failure(model, method, refusal);
                    quote! {
                        match #returned {
                            ::core::result::Result::Ok(__items) => __items,
                            ::core::result::Result::Err(__error) => return ::core::result::Result::Err(#failure),
                        }
                    }
                }
            };
            let conversion = match conversion(model, method, error) {
                Some(conversion) => quote!(#conversion),
                None => {
                    let raise = raise(model, &error.ty, error.borrows);
                    quote!(|__error| #raise)
                }
            };
            quote! {
                let __items = #items;
                __outlet.send::<#item, _, _, _, _>(__items, #conversion).await
            }
        }
        Outcome::Type(ty) => {
            let answer = as_returned(model, method, ty, "answer");
            let raise = raise(model, ty, borrows(ty));
            quote!(#answer(#returned).map_err(|__error| #raise))
        }
    };
    // A future that is not `Send` is an error at the handler.
    let boxed = match call.streams() {
        false => quote_spanned!(span=> #private::Box::pin(async move { #request #answer })),
        true => quote_spanned!(span=> #private::stream(move |__outlet| async move { #request #answer })),
    };
    let boxed = match call.taken_item() {
        None => boxed,
        Some(item) => {
            let answer_of_items = place(model, method).and_then(|place| model.asked.taken(place));
            let taking = around(
                item,
                |place| {
                    let krate = name_at(krate, place);
                    quote_spanned!(here(place)=> #krate::private::taking::<)
                },
                |place| {
                    let answer = answer_of_items.map(|answer| name_at(answer, place));
                    quote_spanned!(place=> , #answer>)
                },
            );
            quote!(#taking(__context, __method, move |__context, __incoming| #boxed))
        }
    };
    quote! {
        #(#cfgs)*
        ::core::option::Option::Some(#methods::#variant) => {
            #reading
            #boxed
        }
    }
}

/// The conversion of an error of a method, if it is one of those that are asked once.
fn conversion<'m>(model: &'m Model, method: &Method, error: &ErrorType) -> Option<&'m Ident> {
    model.asked.error(place(model, method)?, &error.ty)
}

/// The failure that an error of a method becomes.
fn failure(model: &Model, method: &Method, error: &ErrorType) -> TokenStream {
    match conversion(model, method, error) {
        Some(conversion) => quote!(#conversion(__error)),
        None => raise(model, &error.ty, error.borrows),
    }
}

/// The failure that an error becomes, at the place of its type's name.
fn raise(model: &Model, error: &TokenStream, borrows: bool) -> TokenStream {
    let krate = &model.krate;
    let name = error.clone().into_iter().take_while(|token| !is_punct(token, '<'));
    let name = name.filter(|token| matches!(token, TokenTree::Ident(_))).last();
    let place = here(name.map_or_else(|| ends(error).0, |name| name.span()));
    let way = Ident::new(if borrows { "way_of_borrowed" } else { "way" }, place);
    let error = located(&quote!(__error), place);
    quote_spanned!(place=> (&&&&&&&&#krate::private::Raised::of(&#error)).#way().failure(#error))
}

// Output:
//     use private::{HasConversion as _, …};
//     let __failed_0 = |error: Failure| (&&&&&&&&Raised::of(&error)).way().failure(error);
//
// What `raise` asks, if a handler may fail; each type of error is asked once.
fn conversions(model: &Model) -> Option<TokenStream> {
    let krate = &model.krate;
    let calls = model.methods.iter().filter_map(|method| method.call.known());
    let mut outcomes = calls.map(|call| &call.outcome);
    let may_fail = outcomes.any(|outcome| !matches!(outcome, Outcome::Nothing));
    let conversions = model.asked.errors().map(|(cfgs, ty, name)| {
        let failure = raise(model, ty, false);
        quote!(#cfgs let #name = |__error: #ty| #failure;)
    });
    may_fail.then(|| {
        quote! {
            use #krate::private::{
                BorrowsConversion as _, BorrowsNothing as _, BorrowsText as _, HasConversion as _, HoldsError as _,
                HoldsLocalError as _, HoldsSendError as _, IsError as _, IsLocalError as _, IsNoError as _,
            };
            #(#conversions)*
        }
    })
}

// Output:
//     const _: fn(&Greeter) = is_module::<Greeter>;
pub(super) fn is_module(model: &Model, ty: &Type) -> Option<TokenStream> {
    let krate = &model.krate;
    // A generic module is one for some types; a registered one is asked where it is made.
    let is_asked = model.generics.params.is_empty() && model.register.is_none();
    let allowed = allowed_in_block(&model.allowed);
    is_asked.then(|| quote!(#allowed const _: fn(&#ty) = #krate::private::is_module::<#ty>;))
}

// Output:
//     impl Declares for Greeter {
//         const METHODS: &'static [&'static str] = &["hello"];
//     }
pub(super) fn declares(model: &Model, ty: &Type) -> Option<TokenStream> {
    let krate = &model.krate;
    let declared: Vec<_> = model.methods.iter().filter(|method| method.is_declaration).collect();
    if declared.is_empty() || !model.generics.params.is_empty() {
        return None;
    }
    let methods = declared.iter().map(|Method { handler, cfgs, .. }| {
        let name = names::method(handler);
        quote!(#(#cfgs)* #name)
    });
    let allowed = allowed_in_block(&model.allowed);
    Some(quote! {
        #allowed
        impl #krate::private::Declares for #ty {
            const METHODS: &'static [&'static ::core::primitive::str] = &[#(#methods),*];
        }
    })
}
