//! From the model to Rust: a function for every item that is generated.
//!
//! The comments show what each makes of
//!
//! ```text
//! /// Greets people.
//! #[drpc_module(id = 5, register)]
//! impl Greeter {
//!     /// Greets a person by name.
//!     #[method(1)]
//!     async fn hello(&self, req: Hello) -> Result<HelloResponse, Failure> { … }
//! }
//! ```

use proc_macro2::{Ident, Literal, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Meta, Type};

use crate::args::Register;
use crate::item::is_punct;
use crate::model::{Method, Model, ModuleId};
use crate::names;
use crate::places::{around, ends, here, located, name_at};
use crate::signature::{Call, KnownCall, Outcome, Parameter, borrows};

/// All that is generated beside the user's own item.
pub(crate) fn expand(model: &Model) -> TokenStream {
    let krate = krate(model);
    let methods = methods(model);
    let client = client(model);
    let registry = registry(model);
    let asked = model.asked.items(&model.krate);
    let unread = unread(model);
    let served = model.served_by.as_ref().map(|ty| {
        let arms = model.methods.iter().map(|method| arm(model, method)).collect();
        let module = module(model, ty, &arms);
        let declares = declares(model, ty);
        let is_module = is_module(model, ty);
        let descriptor = descriptor(model, ty);
        quote!(#module #declares #is_module #descriptor)
    });
    quote!(#krate #methods #served #client #asked #registry #unread)
}

// Output:
//     use ::drpc as __drpc_greeter;
//
// Where there is no such crate, this is the one error of it.
pub(crate) fn krate(model: &Model) -> TokenStream {
    let (path, name) = (&model.path, &model.krate);
    quote!(
        use #path as #name;
    )
}

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
            let check = quote_spanned!(here(value.span())=> #krate::private::module_id);
            // A constant of its own, which the compiler tells of once.
            quote!({
                const __ID: ::core::primitive::i32 = #value;
                #check(__ID)
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
            || method.timeout.is_some()
            || method.request_limit.is_some()
    };
    let method = match model.methods.iter().any(says_more) {
        false => method,
        true => {
            let arms = model.methods.iter().map(
                |Method { variant, cfgs, rule, idempotent, timeout, request_limit, .. }| {
                    let idempotent = idempotent.then(|| quote!(.idempotent()));
                    let rule = rule.as_ref().map(|rule| quote!(.with_rule(#rule)));
                    let timeout = timeout
                        .map(|millis| quote!(.with_timeout(::core::time::Duration::from_millis(#millis))));
                    let request_limit = request_limit.map(|bytes| quote!(.with_request_limit(#bytes)));
                    quote!(#(#cfgs)* Self::#variant => #method #rule #idempotent #timeout #request_limit)
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
                __f.pad(self.name())
            }
        }
    }
}

// Output:
//     impl Module for Greeter where for<'__module> Greeter: ModuleType {
//         fn id(&self) -> i32 { GreeterMethod::MODULE }
//         fn name(&self) -> &str { "greeter" }
//         fn rule(&self) -> Option<&str> { Some("users") } // With a rule.
//         fn is_unlisted(&self) -> bool { true } // If it is unlisted.
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
//         let limit = request_limit(&context, method);
//         Box::pin(async move {
//             let request = <Hello as Requested<__GreeterRequest0>>::decode(body, limit)?;
//             match Self::hello(&self, request).await {
//                 Ok(reply) => <HelloResponse as Returned<__GreeterReply0>>::reply(reply),
//                 Err(error) => Err(__failed_0(error)),
//             }
//         })
//     }
fn arm(model: &Model, method: &Method) -> TokenStream {
    let Call::Known(call) = &method.call else { return TokenStream::new() };
    let krate = &model.krate;
    let methods = names::methods(&model.base);
    let Method { handler, variant, cfgs, .. } = method;
    let request = call.request().map(|(_, ty)| {
        let decode = as_requested(model, method, ty, "decode");
        quote!(let __request = #decode(__body, __limit)?;)
    });
    let limit = request
        .is_some()
        .then(|| quote!(let __limit = #krate::private::request_limit(&__context, __method);));
    let span = here(handler.span());
    let private = located(&quote!(#krate::private), span);
    let receiver = match call.takes_reference {
        true => quote_spanned!(span=> &self),
        false => quote_spanned!(span=> #private::HandlerReceiver::of(&self)),
    };
    let arguments = call.parameters.iter().map(|parameter| match parameter {
        Parameter::Request { .. } => quote!(__request),
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
    let answer = match &call.outcome {
        Outcome::Nothing => {
            quote!(::core::result::Result::Ok(#krate::private::IntoReply::into_reply(#returned)))
        }
        Outcome::Result { reply, error, .. } => {
            let failure = match place(model, method).and_then(|place| model.asked.error(place)) {
                Some(conversion) => quote!(#conversion(__error)),
                None => raise(model, error),
            };
            let reply = as_returned(model, method, reply, "reply");
            quote! {
                match #returned {
                    ::core::result::Result::Ok(__reply) => #reply(__reply),
                    ::core::result::Result::Err(__error) => ::core::result::Result::Err(#failure),
                }
            }
        }
        Outcome::Type(ty) => {
            let answer = as_returned(model, method, ty, "answer");
            let raise = raise(model, ty);
            quote!(#answer(#returned).map_err(|__error| #raise))
        }
    };
    // A future that is not `Send` is an error at the handler.
    let boxed = quote_spanned!(span=> #private::Box::pin(async move { #request #answer }));
    quote! {
        #(#cfgs)*
        ::core::option::Option::Some(#methods::#variant) => {
            #limit
            #boxed
        }
    }
}

/// The failure that an error becomes, at the place of its type's name.
fn raise(model: &Model, error: &TokenStream) -> TokenStream {
    let krate = &model.krate;
    let name = error.clone().into_iter().take_while(|token| !is_punct(token, '<'));
    let name = name.filter(|token| matches!(token, TokenTree::Ident(_))).last();
    let place = here(name.map_or_else(|| ends(error).0, |name| name.span()));
    let way = Ident::new(if borrows(error) { "way_of_borrowed" } else { "way" }, place);
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
        let failure = raise(model, ty);
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
//     #[deny(unused_must_use)]
//     const _: fn() = || { unread(); };
//
// The compiler warns so late that it does not where it has found another error, which is then the right one.
pub(crate) fn unread(model: &Model) -> TokenStream {
    let krate = &model.krate;
    let unread = model.unread.iter().map(|&span| {
        quote_spanned! {here(span)=>
            #[deny(unused_must_use)]
            const _: fn() = || {
                #krate::private::unread();
            };
        }
    });
    quote!(#(#unread)*)
}

// Output:
//     const _: fn(&Greeter) = is_module::<Greeter>;
fn is_module(model: &Model, ty: &Type) -> Option<TokenStream> {
    let krate = &model.krate;
    // A generic module is one for some types; a registered one is asked where it is made.
    let is_asked = model.generics.params.is_empty() && model.register.is_none();
    is_asked.then(|| quote!(const _: fn(&#ty) = #krate::private::is_module::<#ty>;))
}

// Output:
//     impl Declares for Greeter {
//         const METHODS: &'static [&'static str] = &["hello"];
//     }
fn declares(model: &Model, ty: &Type) -> Option<TokenStream> {
    let krate = &model.krate;
    let declared: Vec<_> = model.methods.iter().filter(|method| method.is_declaration).collect();
    if declared.is_empty() || !model.generics.params.is_empty() {
        return None;
    }
    let methods = declared.iter().map(|Method { handler, cfgs, .. }| {
        let name = names::method(handler);
        quote!(#(#cfgs)* #name)
    });
    Some(quote! {
        impl #krate::private::Declares for #ty {
            const METHODS: &'static [&'static ::core::primitive::str] = &[#(#methods),*];
        }
    })
}

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
fn descriptor(model: &Model, ty: &Type) -> TokenStream {
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
    let types = model.contract.then(|| types(model));
    let with_types = types.as_ref().map(|_| {
        let rule = match &model.rule {
            Some(rule) => quote!(::core::option::Option::Some(#rule)),
            None => quote!(::core::option::Option::None),
        };
        quote!(.with_types(#rule, __TYPES))
    });
    let claim = cfg!(feature = "unique-ids").then(|| claim(model)).flatten();
    let allowed = allowed(model);
    quote! {
        #allowed
        const _: () = {
            const __METHODS: &[#krate::Method] = &[#(#all),*];

            #create

            #claim

            #types

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
                ) #with_types
            } };
        };
    }
}

// Output:
//     const TYPES: &[MethodTypes] = &[MethodTypes {
//         request: carried!(Hello),
//         reply: carried!(<HelloResponse as Returned<__GreeterReply0>>::Received),
//     }];
fn types(model: &Model) -> TokenStream {
    let krate = &model.krate;
    let calls = model.methods.iter().filter_map(|method| Some((method, method.call.known()?)));
    let types = calls.map(|(method, call)| {
        let cfgs = &method.cfgs;
        let request = call.request().map_or_else(|| quote!(()), |(_, ty)| ty.clone());
        let reply = received(model, method, call);
        quote! {
            #(#cfgs)*
            #krate::private::MethodTypes {
                request: #krate::private::carried!(#request),
                reply: #krate::private::carried!(#reply),
            }
        }
    });
    quote! {
        const __TYPES: &[#krate::private::MethodTypes] = &[#(#types),*];
    }
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
        #[allow(unsafe_code)]
        #[unsafe(export_name = #symbol)]
        static __CLAIM: ::core::primitive::u8 = 0;
    })
}

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
    let given = around(
        &received,
        |place| {
            let krate = name_at(krate, place);
            quote_spanned!(here(place)=> <__C as #krate::Caller>::Outcome<)
        },
        |place| quote_spanned!(place=> >),
    );
    let (parameter, request, argument) = match call.request() {
        Some((name, ty)) => {
            let sent = as_requested(model, method, ty, "sent");
            (quote!(#name: #ty), as_requested(model, method, ty, "Sent"), quote!(#sent(#name)))
        }
        None => (quote!(), quote!(()), quote!(())),
    };
    quote! {
        #notes
        #(#cfgs)*
        pub fn #handler(&self, #parameter) -> #given {
            self.caller.call::<#request, #received>(#methods::#variant.method(), #argument, &self.options)
        }
    }
}

// Output:
//     const _: () = assert!(ids::GREETER == 5, "…");
//     const _: &[u8] = include_bytes!("/…/modules.toml");
//
// The file is included for the compiler to know that the crate depends on it.
fn registry(model: &Model) -> TokenStream {
    let assertion = match &model.id {
        ModuleId::Constant { value, listed: Some((id, otherwise)) } => {
            let span = here(value.span());
            let id = integer(*id, span);
            Some(quote_spanned!(span=> const _: () = ::core::assert!((#value) == #id, #otherwise);))
        }
        _ => None,
    };
    let dependency = model.registry.as_ref().map(|path| {
        let path = path.display().to_string();
        quote!(
            const _: &[::core::primitive::u8] = ::core::include_bytes!(#path);
        )
    });
    quote!(#assertion #dependency)
}

/// What a client is given for what a handler returns.
fn received(model: &Model, method: &Method, call: &KnownCall) -> TokenStream {
    match &call.outcome {
        Outcome::Nothing => quote!(()),
        Outcome::Type(ty) | Outcome::Result { reply: ty, .. } => as_returned(model, method, ty, "Received"),
    }
}

/// What a type is that a handler takes as its request: `<Hello as Requested<__GreeterRequest0>>::Sent`.
fn as_requested(model: &Model, method: &Method, ty: &TokenStream, item: &str) -> TokenStream {
    let krate = &model.krate;
    let travels = place(model, method).and_then(|place| model.asked.request(place));
    as_asked(ty, krate, "Requested", travels, item)
}

/// What a type is that a handler returns: `<HelloResponse as Returned<__GreeterReply0>>::Received`.
fn as_returned(model: &Model, method: &Method, ty: &TokenStream, item: &str) -> TokenStream {
    let krate = &model.krate;
    let kind = place(model, method).and_then(|place| model.asked.reply(place));
    as_asked(ty, krate, "Returned", kind, item)
}

/// An item of a type, by the answer of what it is: `<Hello as Requested<__GreeterRequest0>>::Sent`.
fn as_asked(ty: &TokenStream, krate: &Ident, role: &str, answer: Option<&Ident>, item: &str) -> TokenStream {
    around(
        ty,
        |place| quote_spanned!(place=> <),
        |place| {
            let (krate, item) = (name_at(krate, place), Ident::new(item, place));
            let (role, answer) = (Ident::new(role, here(place)), answer.map(|answer| name_at(answer, place)));
            quote_spanned!(here(place)=> as #krate::private::#role<#answer>>::#item)
        },
    )
}

/// A method's place among the module's.
fn place(model: &Model, method: &Method) -> Option<usize> {
    model.methods.iter().position(|other| std::ptr::eq(other, method))
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

fn integer(value: i32, span: Span) -> TokenStream {
    let mut digits = Literal::u32_unsuffixed(value.unsigned_abs());
    digits.set_span(span);
    if value < 0 { quote_spanned!(span=> -#digits) } else { quote!(#digits) }
}

/// What the user said of the module, under a first line of ours.
fn docs(summary: String, model: &Model) -> TokenStream {
    let docs = model.docs.iter().filter_map(copied);
    let blank = (!model.docs.is_empty()).then(|| quote!(#[doc = ""]));
    quote!(#[doc = #summary] #blank #(#docs)*)
}

/// What the user said of the method, or a line of ours.
fn notes(method: &Method) -> TokenStream {
    let is_text = |note: &Attribute| note.path().is_ident("doc") && matches!(note.meta, Meta::NameValue(_));
    let summary = (!method.notes.iter().any(is_text)).then(|| {
        let summary = format!(" Method `{}`.", method.name);
        quote!(#[doc = #summary])
    });
    let notes = method.notes.iter().filter_map(copied);
    quote!(#summary #(#notes)*)
}

/// A note, for another item than the user's own. Its examples are tested there, and nowhere else.
fn copied(note: &Attribute) -> Option<TokenStream> {
    match &note.meta {
        meta @ Meta::NameValue(_) if note.path().is_ident("doc") => {
            Some(quote!(#[cfg_attr(not(doctest), #meta)]))
        }
        meta => Some(quote!(#[#meta])),
    }
}

/// Links in copied docs may lead to what is not public, or not in sight from there.
fn links(model: &Model) -> Option<TokenStream> {
    let mut notes = model.docs.iter().chain(model.methods.iter().flat_map(|method| &method.notes));
    let has_link = notes.any(|note| match &note.meta {
        Meta::NameValue(meta) => meta.value.to_token_stream().to_string().contains('['),
        _ => false,
    });
    has_link.then(
        || quote!(#[cfg_attr(doc, allow(rustdoc::broken_intra_doc_links, rustdoc::private_intra_doc_links))]),
    )
}

/// What is allowed in generated code: what is in the user's block; and the use of deprecated methods, whose callers are the ones to know.
fn allowed(model: &Model) -> TokenStream {
    let allowed = &model.allowed;
    let mut notes = model.methods.iter().flat_map(|method| &method.notes);
    let deprecated =
        notes.any(|note| note.path().is_ident("deprecated")).then(|| quote!(#[allow(deprecated)]));
    quote!(#(#[allow(#allowed)])* #deprecated)
}
