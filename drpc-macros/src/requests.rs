//! The types that handlers take as requests: each is asked once whether it can travel, and told of once if it can't.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt;

use crate::model::Method;

/// The types that a module's handlers take.
pub(crate) struct Requests {
    requests: Vec<Request>,
    /// Which of them each method's handler takes, in the order of the methods.
    of_methods: Vec<Option<usize>>,
}

struct Request {
    cfgs: TokenStream,
    ty: TokenStream,
    /// The constant that tells whether it can travel.
    travels: Ident,
    /// Whether it is told of if it can't, which another that is there anyway may be.
    is_told: bool,
}

impl Requests {
    pub(crate) fn of(methods: &[Method], base: &Ident) -> Self {
        let unconditional = methods.iter().filter(|method| method.cfgs.is_empty());
        let calls = unconditional.filter_map(|method| method.call.known());
        let there_anyway: Vec<String> =
            calls.filter_map(|call| call.request().map(|(_, ty)| ty.to_string())).collect();
        let mut keys: Vec<String> = Vec::new();
        let mut requests = Vec::new();
        let of_method = |method: &Method| {
            let (_, ty) = method.call.known()?.request()?;
            let cfgs = &method.cfgs;
            let cfgs = quote!(#(#cfgs)*);
            let name = ty.to_string();
            let key = format!("{cfgs} {name}");
            Some(keys.iter().position(|known| *known == key).unwrap_or_else(|| {
                requests.push(Request {
                    is_told: cfgs.is_empty() || !there_anyway.contains(&name),
                    cfgs,
                    ty: ty.clone(),
                    travels: format_ident!(
                        "__{}_request_{}",
                        base.unraw(),
                        requests.len(),
                        span = Span::call_site()
                    ),
                });
                keys.push(key);
                requests.len() - 1
            }))
        };
        let of_methods = methods.iter().map(of_method).collect();
        Requests { requests, of_methods }
    }

    /// The constant that tells whether what the handler of a method takes can travel, by the method's place.
    pub(crate) fn travels(&self, method: usize) -> Option<&Ident> {
        self.of_methods.get(method).copied().flatten().map(|request| &self.requests[request].travels)
    }

    // Output:
    //     const __Greeter_request_0: bool = travels!(Hello);
    //     const _: () = assert_payload::<Hello>();
    pub(crate) fn items(&self, krate: &Ident) -> TokenStream {
        let items = self.requests.iter().map(|Request { cfgs, ty, travels, is_told }| {
            let assert =
                is_told.then(|| quote!(#cfgs const _: () = #krate::private::assert_payload::<#ty>();));
            quote! {
                #cfgs const #travels: ::core::primitive::bool = #krate::private::travels!(#ty);
                #assert
            }
        });
        quote!(#(#items)*)
    }
}
