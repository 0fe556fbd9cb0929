//! The sources of `drpc-macros` as an ordinary library: a crate of procedural macros exports those alone, and they run in the compiler.

#[path = "../../../drpc-macros/src/args.rs"]
mod args;
#[path = "../../../drpc-macros/src/asked.rs"]
mod asked;
#[path = "../../../drpc-macros/src/attribute.rs"]
mod attribute;
#[path = "../../../drpc-macros/src/contract.rs"]
mod contract;
#[path = "../../../drpc-macros/src/expand/mod.rs"]
mod expand;
#[path = "../../../drpc-macros/src/failure.rs"]
mod failure;
#[path = "../../../drpc-macros/src/fallback.rs"]
mod fallback;
#[path = "../../../drpc-macros/src/item.rs"]
mod item;
#[path = "../../../drpc-macros/src/mistake.rs"]
mod mistake;
#[path = "../../../drpc-macros/src/model.rs"]
mod model;
#[path = "../../../drpc-macros/src/names.rs"]
mod names;
#[path = "../../../drpc-macros/src/parse.rs"]
mod parse;
#[path = "../../../drpc-macros/src/part.rs"]
mod part;
#[path = "../../../drpc-macros/src/places.rs"]
mod places;
#[path = "../../../drpc-macros/src/registry.rs"]
mod registry;
#[expect(dead_code, reason = "there is no Cargo.toml of a user's to read")]
#[path = "../../../drpc-macros/src/renamed.rs"]
mod renamed;
#[path = "../../../drpc-macros/src/signature.rs"]
mod signature;
#[path = "../../../drpc-macros/src/taken.rs"]
mod taken;
#[path = "../../../drpc-macros/src/validate.rs"]
mod validate;

extern crate proc_macro;

use proc_macro2::TokenStream;

use crate::validate::Environment;

/// What `#[drpc_module(args)]` makes of an item, in a package of its own, without a registry.
pub fn drpc_module(args: TokenStream, item: TokenStream) -> TokenStream {
    let environment = Environment { registry: None, package: "fuzz".into(), renamed: None, described: true };
    attribute::expand(args, item, &environment)
}

/// What `#[derive(Failure)]` makes of a type.
pub fn derive_failure(input: TokenStream) -> TokenStream {
    failure::derive(input, None)
}
