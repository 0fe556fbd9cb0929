//! What a package calls the `drpc` crate, where Cargo.toml gives it another name.

use drpc_registry::Manifests;
use proc_macro2::{Ident, Span, TokenStream};
use syn::parse_quote;

use crate::mistake::mistake;

/// The library's own name.
const NAME: &str = "drpc";

/// The other name; nothing if there is none, or it can't be known.
pub(crate) fn renamed() -> Option<String> {
    let folder = std::env::var_os("CARGO_MANIFEST_DIR")?;
    let name = Manifests::read(folder.as_ref()).ok()?.name_of_drpc();
    name.filter(|name| name != NAME)
}

/// That the name is not said.
pub(crate) fn mistake_of(name: &str, help: &str) -> syn::Error {
    let what = format!("Cargo.toml calls the crate `{NAME}` `{name}`, which the generated code must be told");
    mistake(TokenStream::new(), what, format_args!("write `{help}`"))
}

/// The crate by that name.
pub(crate) fn path(name: &str) -> syn::Path {
    let name = Ident::new(name, Span::call_site());
    parse_quote!(::#name)
}
