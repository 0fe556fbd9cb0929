//! The types that handlers return: each is asked once what it is, and told of once if it is no reply.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use crate::model::Method;
use crate::signature::Outcome;

/// The types that a module's handlers return.
pub(crate) struct Replies(Vec<Reply>);

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
        let calls = || methods.iter().filter_map(|method| Some((method, method.call.known()?)));
        let requests: Vec<String> = calls()
            // A conditional one may not be there to be told of.
            .filter(|(method, _)| method.cfgs.is_empty())
            .filter_map(|(_, call)| call.request().map(|(_, ty)| ty.to_string()))
            .collect();
        let mut replies = Replies(Vec::new());
        for (method, call) in calls() {
            let (ty, is_in_result) = match &call.outcome {
                Outcome::Nothing => continue,
                Outcome::Type(ty) => (ty, false),
                Outcome::Result { reply, .. } => (reply, true),
            };
            if replies.find(method, ty).is_none() {
                let cfgs = &method.cfgs;
                replies.0.push(Reply {
                    cfgs: quote!(#(#cfgs)*),
                    ty: ty.clone(),
                    kind: format_ident!(
                        "__{base}_reply_{}",
                        replies.0.len(),
                        span = proc_macro2::Span::call_site()
                    ),
                    is_in_result,
                    is_request: requests.contains(&ty.to_string()),
                });
            }
        }
        replies
    }

    /// The constant that tells the kind of a type that the method's handler returns.
    pub(crate) fn kind(&self, method: &Method, ty: &TokenStream) -> Option<&Ident> {
        self.find(method, ty).map(|reply| &reply.kind)
    }

    fn find(&self, method: &Method, ty: &TokenStream) -> Option<&Reply> {
        let (cfgs, ty) = (&method.cfgs, ty.to_string());
        let cfgs = quote!(#(#cfgs)*).to_string();
        self.0.iter().find(|reply| reply.ty.to_string() == ty && reply.cfgs.to_string() == cfgs)
    }

    // Output:
    //     const __Greeter_reply_0: u8 = kind!(HelloResponse);
    //     const _: () = assert_returned::<HelloResponse, __Greeter_reply_0>();
    pub(crate) fn items(&self, krate: &Ident) -> TokenStream {
        let items = self.0.iter().map(|Reply { cfgs, ty, kind, is_in_result, is_request }| {
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
