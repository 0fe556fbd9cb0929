//! Where generated code stands: at the user's own tokens, so that an error points there, with names that mean what they mean in
//! generated code.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::quote;

/// The user's place, with names that mean what they mean in the generated code.
pub(crate) fn here(span: Span) -> Span {
    span.resolved_at(Span::call_site())
}

/// The same tokens, at another place.
pub(crate) fn located(tokens: &TokenStream, place: Span) -> TokenStream {
    let located = |mut token: TokenTree| {
        token.set_span(token.span().located_at(place));
        token
    };
    tokens.clone().into_iter().map(located).collect()
}

/// Something about the type, at its place: as a whole, it begins and ends where the type does. The compiler shows an error of the same
/// words at the same place but once.
pub(crate) fn around(
    ty: &TokenStream,
    before: &TokenStream,
    behind: &TokenStream,
    last: &TokenStream,
) -> TokenStream {
    let (first_span, last_span) = ends(ty);
    let place = |tokens: &TokenStream, place: Span| -> TokenStream {
        let placed = |mut token: TokenTree| {
            token.set_span(match &token {
                // Not a name: it may be the user's own.
                TokenTree::Punct(_) => place,
                token => token.span().located_at(place),
            });
            token
        };
        tokens.clone().into_iter().map(placed).collect()
    };
    let (before, behind) = (place(before, first_span), place(behind, last_span));
    quote!(#before #ty #behind #last)
}

/// The places of the first and the last token.
pub(crate) fn ends(tokens: &TokenStream) -> (Span, Span) {
    let mut spans = tokens.clone().into_iter().map(|token| token.span());
    let first = spans.next().unwrap_or_else(Span::call_site);
    (first, spans.last().unwrap_or(first))
}
