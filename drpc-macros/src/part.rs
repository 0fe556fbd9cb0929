//! A block of handlers that another block of the same type declares, with their numbers.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::Meta;

use crate::args::ModuleArgs;
use crate::expand::allowed_in_block;
use crate::mistake::{Mistakes, mistake};
use crate::names;
use crate::parse::Draft;
use crate::places::here;

/// Whether each handler is declared, which only the compiler can tell.
//
// Output:
//     const _: () = assert!(is_declared(<Pools as Declares>::METHODS, "create"), "…");
pub(crate) fn expand(draft: &Draft, args: &ModuleArgs, mistakes: &mut Mistakes) -> TokenStream {
    check_args(draft, args, mistakes);
    let (krate, ty, allowed) = (&args.krate, &draft.ty, allowed_in_block(&draft.allowed));
    let handlers = draft.handlers.iter().map(|handler| {
        let name = names::method(&handler.ident);
        let otherwise = format!(
            "`{name}` is no method of the module yet: declare it in the block that has the module's `id`, as \
             `#[method(…)] fn {name}(&self, …) -> …;` without a body"
        );
        let (span, cfgs) = (here(handler.ident.span()), &handler.cfgs);
        quote_spanned! {span=>
            #(#cfgs)*
            #allowed
            const _: () = ::core::assert!(
                #krate::private::is_declared(<#ty as #krate::private::Declares>::METHODS, #name),
                #otherwise
            );
        }
    });
    quote!(#(#handlers)*)
}

fn check_args(draft: &Draft, args: &ModuleArgs, mistakes: &mut Mistakes) {
    let part = args.part.as_ref().map(ToTokens::to_token_stream);
    if !draft.generics.params.is_empty() {
        let help = "leave the attribute and `#[method]` out: handlers of a generic module may stand in any block, and are declared in the module's own";
        mistakes.add(mistake(part, "a part of a generic module can't be checked", help));
    } else if args.id.is_some()
        || args.name.is_some()
        || args.register.is_some()
        || args.allow.is_some()
        || args.client_only.is_some()
        || args.prefix.is_some()
        || args.unlisted.is_some()
        || args.remote.is_some()
    {
        let help =
            "write `#[drpc_module(part)]`: the other keys stand on the block that declares the methods";
        mistakes.add(mistake(part, "`part` stands alone", help));
    }
    for handler in &draft.handlers {
        if handler.is_declaration {
            let help = "declare it in the block that has the module's `id`; here is its body";
            mistakes.add(mistake(&handler.ident, "a part has the handlers themselves", help));
        } else if !matches!(handler.attribute.meta, Meta::Path(_)) {
            let help = "write `#[method]`: the rest stands where the method is declared";
            mistakes.add(mistake(&handler.attribute, "the method is declared in another block", help));
        }
    }
}
