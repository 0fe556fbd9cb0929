//! Doc comments and lints: what the user said of the module and its methods.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Attribute, Meta};

use crate::model::{Method, Model};

/// What the user said of the module, under a first line of ours.
pub(super) fn docs(summary: String, model: &Model) -> TokenStream {
    let docs = model.docs.iter().filter_map(copied);
    let blank = (!model.docs.is_empty()).then(|| quote!(#[doc = ""]));
    quote!(#[doc = #summary] #blank #(#docs)*)
}

/// What the user said of the method, or a line of ours.
pub(super) fn notes(method: &Method) -> TokenStream {
    let is_text = |note: &Attribute| note.path().is_ident("doc") && matches!(note.meta, Meta::NameValue(_));
    let summary = (!method.notes.iter().any(is_text)).then(|| {
        let summary = format!(" Method `{}`.", method.name);
        quote!(#[doc = #summary])
    });
    let notes = method.notes.iter().filter_map(copied);
    quote!(#summary #(#notes)*)
}

/// A note, for another item than the user's own. Its examples are tested there, and nowhere else.
fn copied(note: &Attribute) -> Option<TokenStream> {
    match &note.meta {
        meta @ Meta::NameValue(_) if note.path().is_ident("doc") => {
            Some(quote!(#[cfg_attr(not(doctest), #meta)]))
        }
        meta => Some(quote!(#[#meta])),
    }
}

/// Links in copied docs may lead to what is not public, or not in sight from there.
pub(super) fn links(model: &Model) -> Option<TokenStream> {
    let mut notes = model.docs.iter().chain(model.methods.iter().flat_map(|method| &method.notes));
    let has_link = notes.any(|note| match &note.meta {
        Meta::NameValue(meta) => meta.value.to_token_stream().to_string().contains('['),
        _ => false,
    });
    has_link.then(
        || quote!(#[cfg_attr(doc, allow(rustdoc::broken_intra_doc_links, rustdoc::private_intra_doc_links))]),
    )
}

/// What is allowed in generated code: what is in the user's block; and the use of deprecated methods, whose callers are the ones to know.
pub(super) fn allowed(model: &Model) -> TokenStream {
    let allowed = allowed_in_block(&model.allowed);
    let mut notes = model.methods.iter().flat_map(|method| &method.notes);
    let deprecated =
        notes.any(|note| note.path().is_ident("deprecated")).then(|| quote!(#[allow(deprecated)]));
    quote!(#allowed #deprecated)
}

/// What is allowed in the user's block, for generated code that names nothing but the types in it.
pub(crate) fn allowed_in_block(allowed: &[TokenStream]) -> TokenStream {
    quote!(#(#[allow(#allowed)])*)
}
