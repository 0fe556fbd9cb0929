//! What the attribute generates, against golden files.
//!
//! `tests/expansion/NAME.rs` holds declarations, `NAME.expanded.rs` what becomes of them. After a change that is meant,
//! `BLESS=1 cargo test -p drpc-macros` writes the latter anew.

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Attribute, Item};

use crate::attribute;
use crate::validate::Environment;

const FOLDER: &str = "tests/expansion";

fn expansion(name: &str, registry: Option<&str>) {
    let registry = registry.map(|file| Path::new(FOLDER).join(file));
    expansion_in(
        name,
        &Environment { registry, package: "greeterd".into(), renamed: None, described: false },
    );
}

fn expansion_in(name: &str, environment: &Environment) {
    let folder = Path::new(FOLDER);
    let declared = fs::read_to_string(folder.join(name).with_extension("rs")).unwrap();
    let items = syn::parse_file(&declared).unwrap().items;
    let tokens = items.into_iter().map(|item| expand_item(item, environment)).collect::<TokenStream>();
    let actual = prettyplease::unparse(&syn::parse2(tokens).unwrap());

    let golden: PathBuf = folder.join(name).with_extension("expanded.rs");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&golden, &actual).unwrap();
    }
    let expected = fs::read_to_string(&golden).unwrap_or_default();
    assert!(actual == expected, "{} differs; with BLESS=1 it becomes:\n\n{actual}", golden.display());
}

/// The item, or what the attribute makes of it.
fn expand_item(mut item: Item, environment: &Environment) -> TokenStream {
    let attributes: &mut Vec<Attribute> = match &mut item {
        Item::Impl(item) => &mut item.attrs,
        Item::Trait(item) => &mut item.attrs,
        _ => return item.into_token_stream(),
    };
    let mut ours = attributes.extract_if(.., |attribute| attribute.path().is_ident("drpc_module"));
    let Some(attribute) = ours.next() else { panic!("an item of a golden file without the attribute") };
    drop(ours);
    let args = attribute.meta.require_list().map(|list| list.tokens.clone()).unwrap_or_default();
    attribute::expand(args, item.into_token_stream(), environment)
}

#[test]
fn a_module() {
    expansion("module", None);
}

#[test]
fn every_form_of_handler() {
    expansion("handlers", None);
}

#[test]
fn an_id_from_a_constant() {
    expansion("constant", None);
}

#[test]
fn conditional_methods() {
    expansion("conditional", None);
}

#[test]
fn a_factory_and_a_renamed_crate() {
    expansion("factory", None);
}

#[test]
fn rules_of_access() {
    expansion("rules", None);
}

#[test]
fn a_client_only() {
    expansion("client_only", None);
}

#[test]
fn methods_that_pass_descriptors() {
    expansion("fds", None);
}

#[test]
fn idempotent_methods() {
    expansion("idempotent", None);
}

#[test]
fn methods_with_a_timeout() {
    expansion("timeout", None);
}

#[test]
fn handlers_that_return_a_stream() {
    expansion("streams", None);
}

#[test]
fn numbers_from_the_registry() {
    expansion("registry", Some("modules.toml"));
}

#[test]
fn the_docs_and_types_of_a_description() {
    expansion_in(
        "described",
        &Environment { registry: None, package: "greeterd".into(), renamed: None, described: true },
    );
}

#[test]
fn stubs_beside_mistakes() {
    expansion("mistakes", None);
}

#[test]
fn bodies_are_given_back_unread() {
    let environment =
        Environment { registry: None, package: "greeterd".into(), renamed: None, described: false };
    let unfinished = quote! {
        impl Greeter {
            #[method(1)]
            pub(crate) async fn hello(&self, req: Hello) {
                let name = req. ;
                if
            }
        }
    };
    let expanded = attribute::expand(quote!(id = 5), unfinished, &environment).to_string();
    let body = quote!({ let name = req. ; if }).to_string();
    assert!(expanded.contains(&body), "{expanded}");
    assert!(!expanded.contains("compile_error"), "{expanded}");
}
