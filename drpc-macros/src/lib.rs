//! The attribute `#[drpc_module]` of the `drpc` crate, which documents it.
//!
//! It is a pure function of tokens, in steps: `args` and `parse` read what was written, `validate` settles names and
//! numbers (`contract` against the registry), and from the `model` that comes of it `expand` generates the items.
//! Beside a mistake, `fallback` generates stubs of them instead.

mod args;
mod contract;
mod expand;
mod fallback;
mod item;
mod mistake;
mod model;
mod names;
mod parse;
mod registry;
#[cfg(test)]
mod tests;
mod validate;

use proc_macro2::TokenStream;
use quote::quote;

use crate::args::ModuleArgs;
use crate::mistake::Mistakes;
use crate::validate::Environment;

/// Makes a dRPC module of an `impl` block, or a client of a `trait`.
#[proc_macro_attribute]
pub fn drpc_module(args: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let environment = Environment {
        registry: std::env::var_os("DRPC_REGISTRY").map(Into::into),
        package: std::env::var("CARGO_PKG_NAME").unwrap_or_default(),
    };
    expand_module(args.into(), item.into(), &environment).into()
}

/// The user's item without `#[method]`, and what is generated for it: the module, or stubs beside the mistakes.
fn expand_module(args: TokenStream, item: TokenStream, environment: &Environment) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let args = ModuleArgs::parse(args, &mut mistakes);
    let (draft, item) = parse::parse(item, args.client_only.as_ref(), &mut mistakes);
    let model = draft.as_ref().and_then(|draft| validate::validate(draft, &args, environment, &mut mistakes));
    let generated = match (model, draft) {
        (Some(model), _) => expand::expand(&model),
        (None, Some(draft)) => fallback::stubs(&draft, &args),
        (None, None) => TokenStream::new(),
    };
    let errors = mistakes.to_compile_errors();
    quote!(#item #generated #errors)
}
