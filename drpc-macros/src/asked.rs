//! The types in the signatures of a module's handlers. The compiler is asked once for each what it is, and tells once of one that does not do.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;

use crate::model::Method;
use crate::places::{around, ends, here, name_at};
use crate::signature::{KnownCall, Outcome};

/// The types that a module's handlers take and return.
pub(crate) struct Asked {
    requests: Types,
    replies: Types,
    /// The items of the streams that handlers take, and of those that they return.
    taken: Types,
    items: Types,
    /// What handlers and their streams fail with, but for what only their own call can tell: a type that borrows, or has no name.
    errors: Types,
}

impl Asked {
    pub(crate) fn of(methods: &[Method], base: &Ident) -> Self {
        Asked {
            requests: Types::of(methods, &prefix(base, "Request"), |call| call.request_type().into_iter()),
            replies: Types::of(methods, &prefix(base, "Reply"), |call| call.reply_type().into_iter()),
            taken: Types::of(methods, &prefix(base, "Taken"), |call| call.taken_item().into_iter()),
            items: Types::of(methods, &prefix(base, "Item"), |call| call.returned_item().into_iter()),
            errors: Types::of(methods, "__failed_", |call| call.error_types().into_iter()),
        }
    }

    /// The answer for what a handler takes, by its method's place among the module's.
    pub(crate) fn request(&self, place: usize) -> Option<&Ident> {
        self.requests.answer(place)
    }

    /// The answer for what a handler returns, by its method's place among the module's.
    pub(crate) fn reply(&self, place: usize) -> Option<&Ident> {
        self.replies.answer(place)
    }

    /// The answer for the items that a handler takes, by its method's place among the module's.
    pub(crate) fn taken(&self, place: usize) -> Option<&Ident> {
        self.taken.answer(place)
    }

    /// The answer for the items that a handler returns, by its method's place among the module's.
    pub(crate) fn item(&self, place: usize) -> Option<&Ident> {
        self.items.answer(place)
    }

    /// The conversion of an error of a handler, by its method's place and the error's type.
    pub(crate) fn error(&self, place: usize, ty: &TokenStream) -> Option<&Ident> {
        let text = ty.to_string();
        let is_it = |asked: &&Type| asked.text == text && asked.places.contains(&place);
        self.errors.0.iter().find(is_it).map(|asked| &asked.answer)
    }

    /// The types that handlers and their streams fail with, and the names of their conversions.
    pub(crate) fn errors(&self) -> impl Iterator<Item = (&TokenStream, &TokenStream, &Ident)> {
        self.errors.0.iter().map(|Type { cfgs, ty, answer, .. }| (cfgs, ty, answer))
    }

    // Output:
    //     type __GreeterRequest0 = travels!(Hello);
    //     const _: () = assert_payload::<Hello>(); // Of a method with `fds`: assert_payload_with_fds
    //     type __GreeterReply0 = kind!(HelloResponse);
    //     const _: () = assert_returned::<HelloResponse, __GreeterReply0>();
    //     type __GreeterItem0 = travels!(Event); // Or __GreeterTaken0
    //     const _: () = assert_item::<Event>();
    //
    // Above each is what the user allows in the block.
    pub(crate) fn items(&self, krate: &Ident, allowed: &TokenStream) -> TokenStream {
        // A type under a condition may not be there to be told of.
        let there_anyway: Vec<_> =
            self.requests.there_anyway().map(|asked| (&*asked.text, asked.fds)).collect();
        let is_told_anyway = |asked: &Type| there_anyway.contains(&(&*asked.text, asked.fds));
        let requests = self.requests.0.iter().map(|asked| {
            let Type { cfgs, ty, answer, .. } = asked;
            let is_told = asked.cfgs.is_empty() || !is_told_anyway(asked);
            let assert = asked.assertion(krate, "assert_payload", None);
            let assert = is_told.then(|| quote!(#cfgs #allowed const _: () = #assert;));
            quote! {
                #cfgs #allowed type #answer = #krate::private::travels!(#ty);
                #assert
            }
        });
        let replies = self.replies.0.iter().map(|asked| {
            let Type { cfgs, ty, answer, is_in_result, .. } = asked;
            let assert = match is_in_result {
                true => asked.assertion(krate, "assert_reply", None),
                false => asked.assertion(krate, "assert_returned", Some(answer)),
            };
            let assert = (!is_told_anyway(asked)).then(|| quote!(#cfgs #allowed const _: () = #assert;));
            quote! {
                #cfgs #allowed type #answer = #krate::private::kind!(#ty);
                #assert
            }
        });
        // Of one that is told of elsewhere it is still to be said that it has descriptors.
        let items = |items: &Types, told: &[&str]| -> TokenStream {
            let items = items.0.iter().map(|asked| {
                let Type { cfgs, ty, answer, text, .. } = asked;
                let place = here(ends(ty).0);
                let sent = quote_spanned!(place=> <#ty as #krate::private::Requested<#answer>>::Sent);
                let of = if told.contains(&&**text) { &sent } else { ty };
                let assert = assertion(of, krate, "assert_item", None);
                quote! {
                    #cfgs #allowed type #answer = #krate::private::travels!(#ty);
                    #cfgs #allowed const _: () = #assert;
                }
            });
            items.collect()
        };
        let mut told: Vec<_> = there_anyway.iter().map(|(text, _)| *text).collect();
        let taken = items(&self.taken, &told);
        told.extend(self.taken.there_anyway().map(|asked| &*asked.text));
        let returned = items(&self.items, &told);
        quote!(#(#requests)* #(#replies)* #taken #returned)
    }
}

/// Types that are asked the same, each of them once under the same conditions.
struct Types(Vec<Type>);

struct Type {
    cfgs: TokenStream,
    ty: TokenStream,
    /// The type's tokens, to compare.
    text: String,
    /// What the answer is called.
    answer: Ident,
    /// Whether it is the reply in a handler's `Result`.
    is_in_result: bool,
    /// Whether its methods pass descriptors.
    fds: bool,
    /// The places of the methods whose type it is.
    places: Vec<usize>,
}

impl Types {
    fn of<'m, I: Iterator<Item = &'m TokenStream>>(
        methods: &'m [Method],
        prefix: &str,
        of_call: impl Fn(&'m KnownCall) -> I,
    ) -> Self {
        let mut types: Vec<Type> = Vec::new();
        let calls = methods.iter().enumerate().filter_map(|(place, method)| {
            let call = method.call.known()?;
            Some(of_call(call).map(move |ty| (place, method, call, ty)))
        });
        for (place, method, call, ty) in calls.flatten() {
            let (cfgs, text) = (&method.cfgs, ty.to_string());
            let cfgs = quote!(#(#cfgs)*);
            let conditions = cfgs.to_string();
            let fds = method.fds.is_some();
            let is_same = |known: &&mut Type| {
                known.text == text && known.fds == fds && known.cfgs.to_string() == conditions
            };
            match types.iter_mut().find(is_same) {
                Some(known) => known.places.push(place),
                None => types.push(Type {
                    cfgs,
                    ty: ty.clone(),
                    text,
                    answer: format_ident!("{prefix}{}", types.len(), span = Span::call_site()),
                    is_in_result: !matches!(call.outcome, Outcome::Type(_)),
                    fds,
                    places: vec![place],
                }),
            }
        }
        Types(types)
    }

    /// Those that are under no condition.
    fn there_anyway(&self) -> impl Iterator<Item = &Type> {
        self.0.iter().filter(|asked| asked.cfgs.is_empty())
    }

    fn answer(&self, place: usize) -> Option<&Ident> {
        self.0.iter().find(|asked| asked.places.contains(&place)).map(|asked| &asked.answer)
    }
}

impl Type {
    /// What asserts that it does, at its own place.
    fn assertion(&self, krate: &Ident, name: &str, answer: Option<&Ident>) -> TokenStream {
        let name = format!("{name}{}", if self.fds { "_with_fds" } else { "" });
        assertion(&self.ty, krate, &name, answer)
    }
}

/// An assertion about a type, at its place.
fn assertion(ty: &TokenStream, krate: &Ident, name: &str, answer: Option<&Ident>) -> TokenStream {
    let assert = format_ident!("{name}");
    let answer = answer.map(|answer| quote!(, #answer));
    around(
        ty,
        |place| {
            let (krate, assert) = (name_at(krate, place), name_at(&assert, place));
            quote_spanned!(here(place)=> #krate::private::#assert::<)
        },
        |place| quote_spanned!(here(place)=> #answer>()),
    )
}

fn prefix(base: &Ident, role: &str) -> String {
    format!("__{}{role}", base.unraw())
}
