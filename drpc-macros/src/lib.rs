//! The attribute `#[drpc_module]` and the derive `Failure` of the `drpc` crate, which documents them.
//!
//! It is a pure function of tokens, in steps: `args`, `item`, `signature` and `parse` read what was written, `validate` settles names
//! and numbers (`contract` against the registry), and from the `model` that comes of it `expand` generates the items.
//! Beside a mistake, `fallback` generates stubs of them instead.
//!
//! Beside it `#[derive(Failure)]`, which is all in `failure`, and the macros that include what the build script made, in `include`.

mod args;
mod asked;
mod contract;
mod expand;
mod failure;
mod fallback;
mod include;
mod item;
mod mistake;
mod model;
mod names;
mod parse;
mod part;
mod places;
mod registry;
mod renamed;
mod signature;
mod taken;
#[cfg(test)]
mod tests;
mod validate;

use proc_macro2::TokenStream;
use quote::quote;

use crate::args::ModuleArgs;
use crate::include::Built;
use crate::mistake::Mistakes;
use crate::validate::Environment;

/// Makes a dRPC module of an `impl` block, or a client of a `trait`.
#[proc_macro_attribute]
pub fn drpc_module(args: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let environment = Environment {
        registry: std::env::var_os("DRPC_REGISTRY").map(Into::into),
        package: std::env::var("CARGO_PKG_NAME").unwrap_or_default(),
        renamed: renamed::renamed(),
        described: cfg!(feature = "described"),
    };
    expand_module(args.into(), item.into(), &environment).into()
}

/// Makes failures of an error type, and the error of a failure's details.
#[proc_macro_derive(Failure, attributes(failure))]
pub fn derive_failure(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    failure::derive(input.into(), renamed::renamed().as_deref()).into()
}

/// Includes the messages of a package.
#[proc_macro]
pub fn include_proto(package: proc_macro::TokenStream) -> proc_macro::TokenStream {
    include::proto(package.into(), built().as_ref()).into()
}

/// Includes the constants of the registry.
#[proc_macro]
pub fn include_registry(nothing: proc_macro::TokenStream) -> proc_macro::TokenStream {
    include::registry(nothing.into(), built().as_ref()).into()
}

/// What the package's build script made, if it has one.
fn built() -> Option<Built> {
    std::env::var_os("OUT_DIR").map(|out_dir| Built::read(out_dir.as_ref()))
}

/// The user's item without `#[method]`, and what is generated for it: the module, or stubs beside the mistakes.
fn expand_module(args: TokenStream, item: TokenStream, environment: &Environment) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let mut args = ModuleArgs::parse(args, &mut mistakes);
    args.check_krate(environment.renamed.as_deref(), &mut mistakes);
    let (draft, item) = parse::parse(item, &args, &mut mistakes);
    let generated = match &draft {
        Some(draft) if args.part.is_some() && !draft.is_servable => TokenStream::new(),
        Some(draft) if args.part.is_some() => part::expand(draft, &args, &mut mistakes),
        Some(draft) if mistakes.check(taken::check(draft, args.base(&draft.name))).is_none() => {
            TokenStream::new()
        }
        Some(draft) => match validate::validate(draft, &args, environment, &mut mistakes) {
            Some(model) => expand::expand(&model),
            None => fallback::stubs(draft, &args),
        },
        None => TokenStream::new(),
    };
    let errors = mistakes.to_compile_errors();
    quote!(#item #generated #errors)
}
