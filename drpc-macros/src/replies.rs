//! The types that handlers return: each is asked once what it is, and told of once if it is no reply.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt;

use crate::model::Method;
use crate::signature::Outcome;

/// The types that a module's handlers return.
pub(crate) struct Replies {
    replies: Vec<Reply>,
    /// Which of them each method's handler returns, in the order of the methods.
    of_methods: Vec<Option<usize>>,
}

/// A type that handlers return, or the reply in their `Result`.
struct Reply {
    cfgs: TokenStream,
    ty: TokenStream,
    /// The constant that tells the type's kind.
    kind: Ident,
    is_in_result: bool,
    /// Whether it is a request, too, and told of as such if it can't travel.
    is_request: bool,
}

impl Replies {
    pub(crate) fn of(methods: &[Method], base: &Ident) -> Self {
        // A conditional one may not be there to be told of.
        let unconditional = methods.iter().filter(|method| method.cfgs.is_empty());
        let calls = unconditional.filter_map(|method| method.call.known());
        let requests: Vec<String> =
            calls.filter_map(|call| call.request().map(|(_, ty)| ty.to_string())).collect();
        let mut keys: Vec<String> = Vec::new();
        let mut replies = Vec::new();
        let of_method = |method: &Method| {
            let (ty, is_in_result) = match &method.call.known()?.outcome {
                Outcome::Nothing => return None,
                Outcome::Type(ty) => (ty, false),
                Outcome::Result { reply, .. } => (reply, true),
            };
            let cfgs = &method.cfgs;
            let cfgs = quote!(#(#cfgs)*);
            let name = ty.to_string();
            let key = format!("{cfgs} {name}");
            Some(keys.iter().position(|known| *known == key).unwrap_or_else(|| {
                keys.push(key);
                replies.push(Reply {
                    cfgs,
                    ty: ty.clone(),
                    kind: format_ident!(
                        "__{}_reply_{}",
                        base.unraw(),
                        replies.len(),
                        span = Span::call_site()
                    ),
                    is_in_result,
                    is_request: requests.contains(&name),
                });
                replies.len() - 1
            }))
        };
        let of_methods = methods.iter().map(of_method).collect();
        Replies { replies, of_methods }
    }

    /// The constant that tells the kind of what the handler of a method returns, by the method's place.
    pub(crate) fn kind(&self, method: usize) -> Option<&Ident> {
        self.of_methods.get(method).copied().flatten().map(|reply| &self.replies[reply].kind)
    }

    // Output:
    //     const __Greeter_reply_0: u8 = kind!(HelloResponse);
    //     const _: () = assert_returned::<HelloResponse, __Greeter_reply_0>();
    pub(crate) fn items(&self, krate: &Ident) -> TokenStream {
        let items = self.replies.iter().map(|Reply { cfgs, ty, kind, is_in_result, is_request }| {
            let assert = match is_in_result {
                true => quote!(assert_reply::<#ty>()),
                false => quote!(assert_returned::<#ty, #kind>()),
            };
            let assert = (!is_request).then(|| quote!(#cfgs const _: () = #krate::private::#assert;));
            quote! {
                #cfgs const #kind: ::core::primitive::u8 = #krate::private::kind!(#ty);
                #assert
            }
        });
        quote!(#(#items)*)
    }
}
