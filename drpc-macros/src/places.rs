//! Where generated code stands: at the user's own tokens, so that an error points there, with names that mean what they mean in
//! generated code.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::quote;

/// The user's place, with names that mean what they mean in the generated code.
pub(crate) fn here(span: Span) -> Span {
    span.resolved_at(Span::call_site())
}

/// Tokens of generated code, at the user's place.
pub(crate) fn located(tokens: &TokenStream, place: Span) -> TokenStream {
    placed(tokens, here(place), here(place))
}

/// Something about the type, at its place: as a whole, it begins and ends where the type does. The compiler shows an error of the same
/// words at the same place but once.
pub(crate) fn around(
    ty: &TokenStream,
    before: &TokenStream,
    behind: &TokenStream,
    last: &TokenStream,
) -> TokenStream {
    let (first, end) = ends(ty);
    // A name is not the user's own, even there; a sign may be.
    let (before, behind) = (placed(before, here(first), first), placed(behind, here(end), end));
    quote!(#before #ty #behind #last)
}

fn placed(tokens: &TokenStream, names: Span, signs: Span) -> TokenStream {
    let placed = |mut token: TokenTree| {
        token.set_span(match token {
            TokenTree::Punct(_) => signs,
            _ => names,
        });
        token
    };
    tokens.clone().into_iter().map(placed).collect()
}

/// The places of the first and the last token.
pub(crate) fn ends(tokens: &TokenStream) -> (Span, Span) {
    let mut spans = tokens.clone().into_iter().map(|token| token.span());
    let first = spans.next().unwrap_or_else(Span::call_site);
    (first, spans.last().unwrap_or(first))
}
