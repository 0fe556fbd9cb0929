//! Where generated code stands: at the user's own tokens, so that an error points there, with names that mean what they mean in
//! generated code.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};

/// The user's place, with names that mean what they mean in the generated code.
pub(crate) fn here(span: Span) -> Span {
    span.resolved_at(Span::call_site())
}

/// Tokens of generated code, at the user's place.
pub(crate) fn located(tokens: &TokenStream, place: Span) -> TokenStream {
    let place = here(place);
    let located = |mut token: TokenTree| {
        token.set_span(place);
        token
    };
    tokens.clone().into_iter().map(located).collect()
}

/// Something about the type, at its place: as a whole, it begins and ends where the type does. The compiler shows an error of the same
/// words at the same place but once.
pub(crate) fn around(
    ty: &TokenStream,
    before: impl FnOnce(Span) -> TokenStream,
    behind: impl FnOnce(Span) -> TokenStream,
) -> TokenStream {
    let (first, last) = ends(ty);
    let mut around = before(first);
    around.extend([ty.clone(), behind(last)]);
    around
}

/// The name, at another place.
pub(crate) fn name_at(name: &Ident, place: Span) -> Ident {
    let mut name = name.clone();
    name.set_span(here(place));
    name
}

/// The places of the first and the last token.
pub(crate) fn ends(tokens: &TokenStream) -> (Span, Span) {
    let mut spans = tokens.clone().into_iter().map(|token| token.span());
    let first = spans.next().unwrap_or_else(Span::call_site);
    (first, spans.last().unwrap_or(first))
}
