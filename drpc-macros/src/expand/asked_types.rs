//! How generated code names a type that a handler takes or returns, by what the compiler was found to say of it.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};

use crate::model::{Method, Model};
use crate::places::{around, here, name_at};
use crate::signature::{KnownCall, Outcome};

/// What a client is given for what a handler returns.
pub(super) fn received(model: &Model, method: &Method, call: &KnownCall) -> TokenStream {
    match &call.outcome {
        Outcome::Nothing => quote!(()),
        Outcome::Type(ty) | Outcome::Result { reply: ty, .. } => as_returned(model, method, ty, "Received"),
        Outcome::Stream { item, .. } => {
            let travels = place(model, method).and_then(|place| model.asked.item(place));
            as_asked(item, &model.krate, "Requested", travels, "Sent")
        }
    }
}

/// Whether what a client is given has descriptors.
pub(super) fn reply_has_fds(model: &Model, method: &Method, call: &KnownCall) -> TokenStream {
    match &call.outcome {
        Outcome::Nothing => quote!(false),
        Outcome::Type(ty) | Outcome::Result { reply: ty, .. } => as_returned(model, method, ty, "HAS_FDS"),
        Outcome::Stream { item, .. } => {
            let travels = place(model, method).and_then(|place| model.asked.item(place));
            as_asked(item, &model.krate, "Requested", travels, "HAS_FDS")
        }
    }
}

/// What a client sends for the items that a handler takes, if it takes a stream of them.
pub(super) fn taken(model: &Model, method: &Method, call: &KnownCall) -> Option<TokenStream> {
    let travels = place(model, method).and_then(|place| model.asked.taken(place));
    call.taken_item().map(|item| as_asked(item, &model.krate, "Requested", travels, "Sent"))
}

/// What a type is that a handler takes as its request: `<Hello as Requested<__GreeterRequest0>>::Sent`.
pub(super) fn as_requested(model: &Model, method: &Method, ty: &TokenStream, item: &str) -> TokenStream {
    let krate = &model.krate;
    let travels = place(model, method).and_then(|place| model.asked.request(place));
    as_asked(ty, krate, "Requested", travels, item)
}

/// What a type is that a handler returns: `<HelloResponse as Returned<__GreeterReply0>>::Received`.
pub(super) fn as_returned(model: &Model, method: &Method, ty: &TokenStream, item: &str) -> TokenStream {
    let krate = &model.krate;
    let kind = place(model, method).and_then(|place| model.asked.reply(place));
    as_asked(ty, krate, "Returned", kind, item)
}

/// An item of a type, by the answer of what it is: `<Hello as Requested<__GreeterRequest0>>::Sent`.
fn as_asked(ty: &TokenStream, krate: &Ident, role: &str, answer: Option<&Ident>, item: &str) -> TokenStream {
    around(
        ty,
        |place| quote_spanned!(place=> <),
        |place| {
            let (krate, item) = (name_at(krate, place), Ident::new(item, place));
            let (role, answer) = (Ident::new(role, here(place)), answer.map(|answer| name_at(answer, place)));
            quote_spanned!(here(place)=> as #krate::private::#role<#answer>>::#item)
        },
    )
}

/// A method's place among the module's.
pub(super) fn place(model: &Model, method: &Method) -> Option<usize> {
    model.methods.iter().position(|other| std::ptr::eq(other, method))
}
