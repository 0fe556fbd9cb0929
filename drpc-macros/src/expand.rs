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
use quote::{quote, quote_spanned};
use syn::Type;
use syn::spanned::Spanned;

use crate::args::Register;
use crate::model::{Method, Model, ModuleId};
use crate::names;
use crate::parse::{Outcome, Parameter};

/// All that is generated beside the user's own item.
pub(crate) fn expand(model: &Model) -> TokenStream {
    let methods = methods(model);
    let client = client(model);
    let registry = registry(model);
    let served = model.served_by.as_ref().map(|ty| {
        let arms = model.methods.iter().map(|method| arm(model, method)).collect();
        let module = module(model, ty, &arms);
        let descriptor = descriptor(model, ty);
        quote!(#module #descriptor)
    });
    quote!(#methods #served #client #registry)
}

// Output:
//     /// The methods of module `greeter`.
//     ///
//     /// Greets people.
//     #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
//     #[repr(i32)]
//     pub enum GreeterMethod {
//         /// Greets a person by name.
//         Hello = 501,
//     }
pub(crate) fn methods(model: &Model) -> TokenStream {
    let name = names::methods(&model.base);
    let docs = docs(format!(" The methods of module `{}`.", model.name), model);
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
        #[::core::prelude::v1::derive(
            ::core::clone::Clone,
            ::core::marker::Copy,
            ::core::fmt::Debug,
            ::core::cmp::PartialEq,
            ::core::cmp::Eq,
            ::core::hash::Hash
        )]
        #repr
        #[allow(dead_code, unreachable_pub, rustdoc::broken_intra_doc_links)]
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
//         pub const MODULE: i32 = 5;
//         pub const ALL: &'static [Self] = &[Self::Hello];
//         pub const fn id(self) -> i32 { self as i32 }
//         pub const fn module(self) -> i32 { Self::MODULE }
//         pub const fn name(self) -> &'static str {
//             match self { Self::Hello => "hello" }
//         }
//         pub const fn method(self) -> Method { Method::new(Self::MODULE, self.id(), self.name()) }
//             // With rules or idempotent methods: match self { Self::Hello => Method::new(…).with_rule("admin").idempotent(), … }
//         pub const fn from_id(id: i32) -> Option<Self> {
//             match id { 501 => Some(Self::Hello), _ => None }
//         }
//     }
fn methods_functions(model: &Model, name: &Ident) -> TokenStream {
    let krate = &model.krate;
    let module = match &model.id {
        ModuleId::Number(id) => integer(*id, Span::call_site()),
        ModuleId::Constant { path, .. } => quote!(#path),
    };
    let all = model.methods.iter().map(|Method { variant, cfgs, .. }| quote!(#(#cfgs)* Self::#variant));
    let names = model
        .methods
        .iter()
        .map(|Method { variant, cfgs, name, .. }| quote!(#(#cfgs)* Self::#variant => #name));
    let method = quote!(#krate::Method::new(Self::MODULE, self.id(), self.name()));
    let method = match model.methods.iter().any(|method| method.rule.is_some() || method.idempotent) {
        false => method,
        true => {
            let arms = model.methods.iter().map(|Method { variant, cfgs, rule, idempotent, .. }| {
                let idempotent = idempotent.then(|| quote!(.idempotent()));
                let rule = rule.as_ref().map(|rule| quote!(.with_rule(#rule)));
                quote!(#(#cfgs)* Self::#variant => #method #rule #idempotent)
            });
            quote!(match self { #(#arms,)* })
        }
    };
    let from_ids = model.methods.iter().map(|method| {
        let (variant, cfgs) = (&method.variant, &method.cfgs);
        let pattern = match &model.id {
            ModuleId::Number(_) => method_id(model, method),
            ModuleId::Constant { .. } => quote!(_ if id == Self::#variant.id()),
        };
        quote!(#(#cfgs)* #pattern => ::core::option::Option::Some(Self::#variant))
    });
    quote! {
        #[allow(dead_code, deprecated, unreachable_pub)]
        impl #name {
            /// The module's ID.
            pub const MODULE: i32 = #module;

            /// Every method of the module.
            pub const ALL: &'static [Self] = &[#(#all),*];

            /// The method's system-wide ID.
            pub const fn id(self) -> i32 {
                self as i32
            }

            /// The module's ID.
            pub const fn module(self) -> i32 {
                Self::MODULE
            }

            /// The method's name.
            pub const fn name(self) -> &'static str {
                match self {
                    #(#names,)*
                }
            }

            /// The method as a call names it.
            pub const fn method(self) -> #krate::Method {
                #method
            }

            /// The method of a system-wide ID.
            pub const fn from_id(id: i32) -> ::core::option::Option<Self> {
                match id {
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
        impl ::core::convert::TryFrom<i32> for #name {
            type Error = #krate::UnknownMethod;

            fn try_from(id: i32) -> ::core::result::Result<Self, Self::Error> {
                Self::from_id(id).ok_or(#krate::UnknownMethod::new(Self::MODULE, id))
            }
        }

        impl ::core::convert::From<#name> for #krate::Method {
            fn from(method: #name) -> Self {
                method.method()
            }
        }

        impl ::core::fmt::Display for #name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.pad(self.name())
            }
        }
    }
}

// Output:
//     impl Module for Greeter {
//         fn id(&self) -> i32 { GreeterMethod::MODULE }
//         fn name(&self) -> &str { "greeter" }
//         fn rule(&self) -> Option<&str> { Some("users") } // With a rule.
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
pub(crate) fn module(model: &Model, ty: &Type, arms: &TokenStream) -> TokenStream {
    let (krate, name) = (&model.krate, &model.name);
    let methods = names::methods(&model.base);
    let rule = model.rule.as_ref().map(|rule| {
        quote! {
            fn rule(&self) -> ::core::option::Option<&str> {
                ::core::option::Option::Some(#rule)
            }
        }
    });
    quote! {
        #[allow(deprecated)]
        impl #krate::Module for #ty {
            fn id(&self) -> i32 {
                #methods::MODULE
            }

            fn name(&self) -> &str {
                #name
            }

            #rule

            fn get_method(&self, id: i32) -> ::core::option::Option<#krate::Method> {
                #methods::from_id(id).map(#methods::method)
            }

            fn handle_call<'async_trait>(
                self: #krate::private::Arc<Self>,
                context: #krate::Context,
                method: #krate::Method,
                body: #krate::private::Bytes,
            ) -> #krate::private::HandlerFuture<'async_trait>
            where
                Self: 'async_trait,
            {
                match #methods::from_id(method.id()) {
                    #arms
                    _ => {
                        let unknown = #krate::Failure::unknown_method();
                        #krate::private::Box::pin(::core::future::ready(::core::result::Result::Err(unknown)))
                    }
                }
            }
        }
    }
}

// Output:
//     Some(GreeterMethod::Hello) => Box::pin(async move {
//         assert_payload::<Hello>();
//         let request = decode::<Hello>(body)?;
//         let this = &*self;
//         let reply = this.hello(request).await.map_err(|error| <Failure as IntoFailure>::into_failure(error))?;
//         Ok(<HelloResponse as IntoReply>::into_reply(reply))
//     }),
fn arm(model: &Model, method: &Method) -> TokenStream {
    let krate = &model.krate;
    let methods = names::methods(&model.base);
    let Method { handler, variant, cfgs, call, .. } = method;
    let assert = assert_request(model, method);
    let request = call.request().map(|(_, ty)| quote!(let request = #krate::private::decode::<#ty>(body)?;));
    let arguments = call.parameters.iter().map(|parameter| match parameter {
        Parameter::Request { .. } => quote!(request),
        Parameter::Context { span } => quote_spanned!(here(*span)=> &context),
    });
    let wait = call.is_async.then(|| quote!(.await));
    let convert = match &call.outcome {
        Outcome::Reply => None,
        Outcome::Result { error: Some(error), .. } => {
            Some(quote!(.map_err(|error| <#error as #krate::private::IntoFailure>::into_failure(error))?))
        }
        Outcome::Result { error: None, span } => {
            let into = quote_spanned!(here(*span)=> #krate::private::IntoFailure::into_failure(error));
            Some(quote!(.map_err(|error| #into)?))
        }
    };
    let into_reply = as_answer(model, method, "into_reply");
    let steps = quote! {
        #assert
        #request
        let this = &*self;
        let reply = this.#handler(#(#arguments),*)#wait #convert;
        ::core::result::Result::Ok(#into_reply(reply))
    };
    // A future that is not `Send` is an error at the handler.
    let span = here(handler.span());
    let private = located(quote!(#krate::private), span);
    let future = quote_spanned!(span=> #private::Box::pin(async move { #steps }));
    quote! {
        #(#cfgs)*
        ::core::option::Option::Some(#methods::#variant) => #future,
    }
}

/// Demands that the request can travel, at the type's own place.
///
/// The handler's and the client's code demand it in the same words, before all else, since the compiler shows errors in
/// the same words but once: a wrong type in a signature is one error, wherever it is used.
fn assert_request(model: &Model, method: &Method) -> Option<TokenStream> {
    let krate = &model.krate;
    method.call.request().map(|(_, ty)| quote!(#krate::private::assert_payload::<#ty>();))
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
    let (krate, name, ty_name) = (&model.krate, &model.name, model.base.to_string());
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
        quote! {
            fn create() -> #krate::private::Arc<dyn #krate::Module> {
                let module: #ty = #made;
                #krate::private::Arc::new(module)
            }
        }
    });
    let factory = match create {
        Some(_) => quote!(::core::option::Option::Some(create)),
        None => quote!(::core::option::Option::None),
    };
    let claim = cfg!(feature = "unique-ids").then(|| claim(model)).flatten();
    quote! {
        const _: () = {
            #[allow(deprecated)]
            const METHODS: &[#krate::Method] = &[#(#all),*];

            #create

            #claim

            #krate::private::inventory::submit! {
                #krate::private::ModuleDescriptor::new(
                    #methods::MODULE,
                    #name,
                    #ty_name,
                    ::core::env!("CARGO_PKG_NAME"),
                    ::core::file!(),
                    ::core::line!(),
                    METHODS,
                    #factory,
                )
            }
        };
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
        static CLAIM: u8 = 0;
    })
}

// Output:
//     /// A client of module `greeter`.
//     ///
//     /// Greets people.
//     #[derive(Clone, Debug)]
//     pub struct GreeterClient<C = DefaultCaller> {
//         caller: C,
//         options: CallOptions,
//     }
//     impl<C: Caller> GreeterClient<C> {
//         pub fn new(caller: C) -> Self { … }
//         pub fn with(&self, options: CallOptions) -> Self { … }
//         pub fn raw(&self, method: GreeterMethod, body: Bytes) -> C::Reply<Bytes> { … }
//         /// Greets a person by name.
//         pub fn hello(&self, req: Hello) -> C::Reply<<HelloResponse as IntoReply>::Received> { … }
//     }
pub(crate) fn client(model: &Model) -> TokenStream {
    let krate = &model.krate;
    let (name, methods) = (names::client(&model.base), names::methods(&model.base));
    let docs = docs(format!(" A client of module `{}`.", model.name), model);
    let functions = model.methods.iter().map(|method| client_function(model, method));
    quote! {
        #docs
        #[::core::prelude::v1::derive(::core::clone::Clone, ::core::fmt::Debug)]
        #[allow(dead_code, unreachable_pub, rustdoc::broken_intra_doc_links)]
        pub struct #name<C = #krate::private::DefaultCaller> {
            caller: C,
            options: #krate::CallOptions,
        }

        #[allow(
            dead_code,
            deprecated,
            non_snake_case,
            private_interfaces,
            unreachable_pub,
            rustdoc::broken_intra_doc_links
        )]
        impl<C: #krate::Caller> #name<C> {
            /// A client that calls through `caller`.
            pub fn new(caller: C) -> Self {
                Self { caller, options: ::core::default::Default::default() }
            }

            /// The same client with options for the calls to come.
            pub fn with(&self, options: #krate::CallOptions) -> Self {
                Self { caller: ::core::clone::Clone::clone(&self.caller), options }
            }

            /// Calls a method with a body as it is, and gives the reply's body as it is.
            pub fn raw(&self, method: #methods, body: #krate::private::Bytes) -> C::Reply<#krate::private::Bytes> {
                self.caller.call(method.method(), body, &self.options)
            }

            #(#functions)*
        }
    }
}

// Output:
//     /// Greets a person by name.
//     pub fn hello(&self, req: Hello) -> C::Reply<<HelloResponse as IntoReply>::Received> {
//         assert_payload::<Hello>();
//         self.caller.call::<Hello, <HelloResponse as IntoReply>::Received>(GreeterMethod::Hello.method(), req, &self.options)
//     }
fn client_function(model: &Model, method: &Method) -> TokenStream {
    let Method { handler, variant, cfgs, call, .. } = method;
    let methods = names::methods(&model.base);
    let (notes, assert, received) =
        (notes(method), assert_request(model, method), as_answer(model, method, "Received"));
    let given = given(model, &received);
    let (parameter, request, argument) = match call.request() {
        Some((name, ty)) => (quote!(#name: #ty), ty.clone(), quote!(#name)),
        None => (quote!(), quote!(()), quote!(())),
    };
    quote! {
        #notes
        #(#cfgs)*
        pub fn #handler(&self, #parameter) -> #given {
            #assert
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
        ModuleId::Constant { path, listed: Some((id, otherwise)) } => {
            let span = here(path.span());
            let id = integer(*id, span);
            Some(quote_spanned!(span=> const _: () = ::core::assert!(#path == #id, #otherwise);))
        }
        _ => None,
    };
    let dependency = model.registry.as_ref().map(|path| {
        let path = path.display().to_string();
        quote!(
            const _: &[u8] = ::core::include_bytes!(#path);
        )
    });
    quote!(#assertion #dependency)
}

/// What the reply's type is as an answer: `<HelloResponse as IntoReply>::into_reply`.
///
/// It stands at the type's own place, in the handler's and in the client's code, since the compiler shows an error of the same
/// words at the same place but once.
fn as_answer(model: &Model, method: &Method, item: &str) -> TokenStream {
    let (krate, reply) = (&model.krate, reply(method));
    let item = Ident::new(item, ends(&reply).1);
    around(&reply, quote!(<), quote!(as #krate::private::IntoReply>::), quote!(#item))
}

/// What a client gives for the reply: `<C as Caller>::Reply<<HelloResponse as IntoReply>::Received>`, at the type's own place likewise.
fn given(model: &Model, received: &TokenStream) -> TokenStream {
    let krate = &model.krate;
    around(received, quote!(<C as #krate::Caller>::Reply<), quote!(>), quote!())
}

/// Something about the type, at its place: as a whole, it begins and ends where the type does.
fn around(ty: &TokenStream, before: TokenStream, behind: TokenStream, last: TokenStream) -> TokenStream {
    let (first_span, last_span) = ends(ty);
    let place = |tokens: TokenStream, place: Span| -> TokenStream {
        let placed = |mut token: TokenTree| {
            token.set_span(match &token {
                // Not a name: it may be the user's own.
                TokenTree::Punct(_) => place,
                token => token.span().located_at(place),
            });
            token
        };
        tokens.into_iter().map(placed).collect()
    };
    let (before, behind) = (place(before, first_span), place(behind, last_span));
    quote!(#before #ty #behind #last)
}

/// The places of the first and the last token.
fn ends(tokens: &TokenStream) -> (Span, Span) {
    let mut spans = tokens.clone().into_iter().map(|token| token.span());
    let first = spans.next().unwrap_or_else(Span::call_site);
    (first, spans.last().unwrap_or(first))
}

fn reply(method: &Method) -> TokenStream {
    method.call.reply.clone().unwrap_or_else(|| quote!(()))
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
    let docs = &model.docs;
    let blank = (!docs.is_empty()).then(|| quote!(#[doc = ""]));
    quote!(#[doc = #summary] #blank #(#docs)*)
}

/// What the user said of the method, or a line of ours.
fn notes(method: &Method) -> TokenStream {
    let notes = &method.notes;
    let documented = notes.iter().any(|note| note.path().is_ident("doc"));
    let summary = (!documented).then(|| {
        let summary = format!(" Method `{}`.", method.name);
        quote!(#[doc = #summary])
    });
    quote!(#summary #(#notes)*)
}

/// The same tokens, at another place.
fn located(tokens: TokenStream, place: Span) -> TokenStream {
    let located = |mut token: TokenTree| {
        token.set_span(token.span().located_at(place));
        token
    };
    tokens.into_iter().map(located).collect()
}

/// The user's place, with names that mean what they mean in the generated code.
fn here(span: Span) -> Span {
    span.resolved_at(Span::call_site())
}
