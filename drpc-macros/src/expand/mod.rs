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

mod asked_types;
mod client;
mod descriptor;
mod methods;
mod module;
mod notes;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;

use self::asked_types::{as_requested, reply_has_fds};
pub(crate) use self::client::client;
use self::descriptor::descriptor;
use self::methods::integer;
pub(crate) use self::methods::methods;
pub(crate) use self::module::module;
use self::module::{arm, declares, is_module};
pub(crate) use self::notes::allowed_in_block;
use crate::model::{Method, Model, ModuleId};
use crate::places::{here, name_at};

/// All that is generated beside the user's own item.
pub(crate) fn expand(model: &Model) -> TokenStream {
    let krate = krate(model);
    let methods = methods(model);
    let client = client(model);
    let registry = registry(model);
    let asked = model.asked.items(&model.krate, &allowed_in_block(&model.allowed));
    let fds = model.methods.iter().filter_map(|method| passes_fds(model, method));
    let fds: TokenStream = fds.collect();
    let unread = model.unread.iter().map(|&place| unread(&model.krate, place));
    let served = model.served_by.as_ref().map(|ty| {
        let arms = model.methods.iter().map(|method| arm(model, method)).collect();
        let module = module(model, ty, &arms);
        let declares = declares(model, ty);
        let is_module = is_module(model, ty);
        let descriptor = descriptor(model, ty);
        quote!(#module #declares #is_module #descriptor)
    });
    quote!(#krate #methods #served #client #asked #fds #registry #(#unread)*)
}

// Output, of a method with `fds`:
//     const _: () = assert_fds(<WithFds<Open> as Requested<__GreeterRequest0>>::HAS_FDS, <Opened as …>::HAS_FDS);
fn passes_fds(model: &Model, method: &Method) -> Option<TokenStream> {
    let (krate, cfgs, call) = (&model.krate, &method.cfgs, method.call.known()?);
    let span = here(method.fds?);
    let request = match call.request() {
        Some((_, ty)) => as_requested(model, method, ty, "HAS_FDS"),
        None => quote!(false),
    };
    let reply = reply_has_fds(model, method, call);
    let allowed = allowed_in_block(&model.allowed);
    let krate = name_at(krate, span);
    let assert = quote_spanned!(span=> #krate::private::assert_fds(#request, #reply));
    Some(quote!(#(#cfgs)* #allowed const _: () = #assert;))
}

// Output:
//     use ::drpc::private::root as __drpc_greeter;
//
// Where there is no such crate, or another one, this is the one error of it.
pub(crate) fn krate(model: &Model) -> TokenStream {
    let (path, name) = (&model.path, &model.krate);
    let root = quote_spanned!(here(path.span())=> private::root);
    quote!(
        use #path::#root as #name;
    )
}

// Output:
//     #[deny(unused_must_use)]
//     const _: fn() = || { unread(); };
//
// The compiler warns so late that it does not where it has found another error, which is then the right one.
pub(crate) fn unread(krate: &impl ToTokens, place: Span) -> TokenStream {
    quote_spanned! {here(place)=>
        #[deny(unused_must_use)]
        const _: fn() = || {
            #krate::private::unread();
        };
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
            let allowed = allowed_in_block(&model.allowed);
            Some(quote_spanned!(span=> #allowed const _: () = ::core::assert!((#value) == #id, #otherwise);))
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
