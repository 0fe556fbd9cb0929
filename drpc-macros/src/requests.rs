//! The types that handlers take as requests: each is asked once whether it can travel, and told of once if it can't.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt;

use crate::model::Method;

/// The types that a module's handlers take.
pub(crate) struct Requests(Vec<Request>);

struct Request {
    cfgs: TokenStream,
    ty: TokenStream,
    /// The constant that tells whether it can travel.
    travels: Ident,
}

impl Requests {
    pub(crate) fn of(methods: &[Method], base: &Ident) -> Self {
        let mut requests = Requests(Vec::new());
        for method in methods {
            let Some((_, ty)) = method.call.known().and_then(|call| call.request()) else { continue };
            if requests.travels(method, ty).is_none() {
                let (cfgs, at) = (&method.cfgs, requests.0.len());
                requests.0.push(Request {
                    cfgs: quote!(#(#cfgs)*),
                    ty: ty.clone(),
                    travels: format_ident!("__{}_request_{at}", base.unraw(), span = Span::call_site()),
                });
            }
        }
        requests
    }

    /// The constant that tells whether a type can travel that the method's handler takes.
    pub(crate) fn travels(&self, method: &Method, ty: &TokenStream) -> Option<&Ident> {
        let (cfgs, ty) = (&method.cfgs, ty.to_string());
        let cfgs = quote!(#(#cfgs)*).to_string();
        let is_same = |request: &&Request| request.ty.to_string() == ty && request.cfgs.to_string() == cfgs;
        self.0.iter().find(is_same).map(|request| &request.travels)
    }

    // Output:
    //     const __Greeter_request_0: bool = travels!(Hello);
    //     const _: () = assert_payload::<Hello>();
    pub(crate) fn items(&self, krate: &Ident) -> TokenStream {
        let mut told: Vec<String> = Vec::new();
        let items = self.0.iter().map(|Request { cfgs, ty, travels }| {
            // A conditional one may not be there to be told of.
            let is_told = told.contains(&ty.to_string());
            if cfgs.is_empty() {
                told.push(ty.to_string());
            }
            let assert =
                (!is_told).then(|| quote!(#cfgs const _: () = #krate::private::assert_payload::<#ty>();));
            quote! {
                #cfgs const #travels: ::core::primitive::bool = #krate::private::travels!(#ty);
                #assert
            }
        });
        quote!(#(#items)*)
    }
}
