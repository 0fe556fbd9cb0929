//! The attribute `#[drpc_module]` and the derive `Failure` of the `drpc` crate, which documents them.
//!
//! It is a pure function of tokens, in steps: `args`, `item`, `signature` and `parse` read what was written, `validate` settles names
//! and numbers (`contract` against the registry), and from the `model` that comes of it `expand` generates the items.
//! Beside a mistake, `fallback` generates stubs of them instead. `attribute` has all steps in a row.
//!
//! Beside it are `#[derive(Failure)]`, which is all in `failure`, and the macros that include what the build script made, in `include`.

mod args;
mod asked;
mod attribute;
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

use crate::include::Built;
use crate::validate::Environment;

/// Makes a dRPC module of an `impl` block, or a client of a `trait`.
#[proc_macro_attribute]
pub fn drpc_module(args: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let environment = Environment {
        registry: std::env::var_os("DRPC_BUILD_REGISTRY").map(Into::into),
        package: std::env::var("CARGO_PKG_NAME").unwrap_or_default(),
        renamed: renamed::renamed(),
        described: cfg!(feature = "described"),
    };
    attribute::expand(args.into(), item.into(), &environment).into()
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
