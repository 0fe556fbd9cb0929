//! The enum of a module's methods.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{quote, quote_spanned};

use super::notes::{allowed, docs, links, notes};
use crate::model::{Method, Model, ModuleId};
use crate::names;
use crate::places::{ends, here, name_at};
use crate::signature::KnownCall;

// Output:
//     #[doc = "The methods of module `greeter`."]
//     #[cfg_attr(not(doctest), doc = "Greets people.")]
//     #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
//     #[repr(i32)]
//     pub enum GreeterMethod {
//         /// Greets a person by name.
//         Hello = 501,
//     }
pub(crate) fn methods(model: &Model) -> TokenStream {
    let name = names::methods(&model.base);
    let docs = docs(format!(" The methods of module `{}`.", model.name), model);
    let links = links(model);
    let variants = model.methods.iter().map(|method| {
        let (variant, notes, cfgs, id) =
            (&method.variant, notes(method), &method.cfgs, method_id(model, method));
        quote!(#notes #(#cfgs)* #variant = #id)
    });
    let repr = repr(model);
    let functions = methods_functions(model, &name);
    let conversions = methods_conversions(model, &name);
    quote! {
        #docs
        #links
        #[::core::prelude::v1::derive(
            ::core::clone::Clone,
            ::core::marker::Copy,
            ::core::fmt::Debug,
            ::core::cmp::PartialEq,
            ::core::cmp::Eq,
            ::core::hash::Hash
        )]
        #repr
        pub enum #name {
            #(#variants,)*
        }
        #functions
        #conversions
    }
}

/// `#[repr(i32)]`, which an enum can't have that its methods' conditions leave empty.
fn repr(model: &Model) -> TokenStream {
    if model.methods.iter().any(|method| method.cfgs.is_empty()) {
        return quote!(#[repr(i32)]);
    }
    let conditions = model.methods.iter().map(|method| {
        let conditions =
            method.cfgs.iter().filter_map(|cfg| cfg.meta.require_list().ok()).map(|list| &list.tokens);
        quote!(all(#(#conditions),*))
    });
    quote!(#[cfg_attr(any(#(#conditions),*), repr(i32))])
}

// Output:
//     impl GreeterMethod {
//         pub const MODULE: i32 = 5; // a constant: module_id(ids::GREETER)
//         pub const ALL: &'static [Self] = &[Self::Hello];
//         pub const fn id(self) -> i32 { self as i32 }
//         pub const fn module(self) -> i32 { Self::MODULE }
//         pub const fn name(self) -> &'static str {
//             match self { Self::Hello => "hello" }
//         }
//         pub const fn method(self) -> Method { Method::new(Self::MODULE, self.id(), self.name()) }
//             // With more to say of a method: match self { Self::Hello => Method::new(…).with_rule("admin").idempotent(), … }
//         pub const fn from_id(id: i32) -> Option<Self> {
//             match id { 501 => Some(Self::Hello), _ => None }
//         }
//     }
fn methods_functions(model: &Model, name: &Ident) -> TokenStream {
    let krate = &model.krate;
    let module = match &model.id {
        ModuleId::Number(id) => integer(*id, Span::call_site()),
        ModuleId::Constant { value, .. } => {
            // The whole call stands where the value does.
            let (first, last) = ends(value);
            let (krate, argument) = (name_at(krate, first), quote_spanned!(here(last)=> (__ID)));
            let check = quote_spanned!(here(first)=> #krate::private::module_id #argument);
            // A constant of its own, which the compiler tells of once.
            quote!({
                const __ID: ::core::primitive::i32 = #value;
                #check
            })
        }
    };
    let allowed = allowed(model);
    let all = model.methods.iter().map(|Method { variant, cfgs, .. }| quote!(#(#cfgs)* Self::#variant));
    let names = model
        .methods
        .iter()
        .map(|Method { variant, cfgs, name, .. }| quote!(#(#cfgs)* Self::#variant => #name));
    let method = quote!(#krate::Method::new(Self::MODULE, self.id(), self.name()));
    let says_more = |method: &Method| {
        method.rule.is_some()
            || method.idempotent
            || method.fds.is_some()
            || method.timeout.is_some()
            || method.request_limit.is_some()
            || streams(method)
            || takes_stream(method)
    };
    let method = match model.methods.iter().any(says_more) {
        false => method,
        true => {
            let arms = model.methods.iter().map(
                |method_model| {
                    let Method { variant, cfgs, rule, idempotent, fds, timeout, request_limit, .. } = method_model;
                    let streaming = streams(method_model).then(|| quote!(.streaming()));
                    let client_streaming = takes_stream(method_model).then(|| quote!(.client_streaming()));
                    let idempotent = idempotent.then(|| quote!(.idempotent()));
                    let fds = fds.map(|_| quote!(.fds()));
                    let rule = rule.as_ref().map(|rule| quote!(.with_rule(#rule)));
                    let timeout = timeout
                        .map(|millis| quote!(.with_timeout(::core::time::Duration::from_millis(#millis))));
                    let request_limit = request_limit.map(|bytes| quote!(.with_request_limit(#bytes)));
                    quote!(#(#cfgs)* Self::#variant => #method #rule #idempotent #fds #timeout #request_limit #streaming #client_streaming)
                },
            );
            quote!(match self { #(#arms,)* })
        }
    };
    let from_ids = model.methods.iter().map(|method| {
        let (variant, cfgs) = (&method.variant, &method.cfgs);
        let pattern = match &model.id {
            ModuleId::Number(_) => method_id(model, method),
            ModuleId::Constant { .. } => quote!(_ if __id == Self::#variant.id()),
        };
        quote!(#(#cfgs)* #pattern => ::core::option::Option::Some(Self::#variant))
    });
    quote! {
        #allowed
        impl #name {
            /// The module's ID.
            pub const MODULE: ::core::primitive::i32 = #module;

            /// Every method of the module.
            pub const ALL: &'static [Self] = &[#(#all),*];

            /// The method's system-wide ID.
            pub const fn id(self) -> ::core::primitive::i32 {
                self as ::core::primitive::i32
            }

            /// The module's ID.
            pub const fn module(self) -> ::core::primitive::i32 {
                Self::MODULE
            }

            /// The method's name.
            pub const fn name(self) -> &'static ::core::primitive::str {
                match self {
                    #(#names,)*
                }
            }

            /// The method as a call names it.
            pub const fn method(self) -> #krate::Method {
                #method
            }

            /// The method of a system-wide ID.
            pub const fn from_id(__id: ::core::primitive::i32) -> ::core::option::Option<Self> {
                match __id {
                    #(#from_ids,)*
                    _ => ::core::option::Option::None,
                }
            }
        }
    }
}

// Output:
//     impl TryFrom<i32> for GreeterMethod { … }
//     impl From<GreeterMethod> for Method { … }
//     impl Display for GreeterMethod { … }
fn methods_conversions(model: &Model, name: &Ident) -> TokenStream {
    let krate = &model.krate;
    quote! {
        impl ::core::convert::TryFrom<::core::primitive::i32> for #name {
            type Error = #krate::UnknownMethod;

            fn try_from(__id: ::core::primitive::i32) -> ::core::result::Result<Self, #krate::UnknownMethod> {
                Self::from_id(__id).ok_or(#krate::UnknownMethod::new(Self::MODULE, __id))
            }
        }

        impl ::core::convert::From<#name> for #krate::Method {
            fn from(__method: #name) -> Self {
                __method.method()
            }
        }

        impl ::core::fmt::Display for #name {
            fn fmt(&self, __f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                __f.pad(Self::name(*self))
            }
        }
    }
}

/// Whether a method's handler returns a stream.
fn streams(method: &Method) -> bool {
    method.call.known().is_some_and(KnownCall::streams)
}

/// Whether a method's handler takes a stream.
fn takes_stream(method: &Method) -> bool {
    method.call.known().is_some_and(|call| call.taken_item().is_some())
}

/// A method's system-wide ID, as it stands in the enum.
fn method_id(model: &Model, method: &Method) -> TokenStream {
    let span = here(method.number_span);
    match &model.id {
        ModuleId::Number(module) => integer(module * 100 + method.number, span),
        ModuleId::Constant { .. } => {
            let (methods, number) = (names::methods(&model.base), integer(method.number, span));
            quote!(#methods::MODULE * 100 + #number)
        }
    }
}

pub(super) fn integer(value: i32, span: Span) -> TokenStream {
    let mut digits = Literal::u32_unsuffixed(value.unsigned_abs());
    digits.set_span(span);
    if value < 0 { quote_spanned!(span=> -#digits) } else { quote!(#digits) }
}
