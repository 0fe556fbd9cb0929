//! What the generated items are called.

use proc_macro2::{Ident, Span};
use quote::format_ident;
use syn::ext::IdentExt;

/// The module's name when the attribute doesn't say one: `PoolService` is `pool_service`.
pub(crate) fn module(base: &Ident) -> String {
    drpc_registry::module_name_of(&base.unraw().to_string())
}

/// The method's name when the attribute doesn't say one: the handler's.
pub(crate) fn method(handler: &Ident) -> String {
    handler.unraw().to_string()
}

/// The variant for a handler: `pool_create` is `PoolCreate`.
pub(crate) fn variant(handler: &Ident) -> Ident {
    let mut name = String::new();
    for word in handler.unraw().to_string().split('_') {
        let mut letters = word.chars();
        name.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        name.push_str(letters.as_str());
    }
    // Neither is a name that an enum's variant can have.
    if name == "Self" || !name.starts_with(char::is_alphabetic) {
        name.insert(0, '_');
    }
    generated(&Ident::new(&name, handler.span()))
}

/// The name at its place, but as one of generated code, whose lints are not the user's.
pub(crate) fn generated(name: &Ident) -> Ident {
    let span = Span::call_site().located_at(name.span());
    // What is no keyword in the user's edition may be one in that of generated code.
    if name == "gen" {
        return Ident::new_raw("gen", span);
    }
    let mut name = name.clone();
    name.set_span(span);
    name
}

/// The `drpc` crate, in what is generated for one module.
pub(crate) fn krate(base: &Ident) -> Ident {
    format_ident!("__drpc_{}", base.unraw(), span = Span::call_site())
}

/// The enum of the methods.
pub(crate) fn methods(base: &Ident) -> Ident {
    generated(&format_ident!("{}Method", base.unraw(), span = base.span()))
}

/// Functions that every client has.
pub(crate) const CLIENT_FUNCTIONS: [&str; 3] = ["new", "with", "raw"];

/// Constants that every enum of methods has.
pub(crate) const METHODS_CONSTANTS: [&str; 2] = ["ALL", "MODULE"];

/// The client.
pub(crate) fn client(base: &Ident) -> Ident {
    generated(&format_ident!("{}Client", base.unraw(), span = base.span()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ident(name: &str) -> Ident {
        syn::parse_str(name).unwrap()
    }

    #[test]
    fn a_module_is_named_after_its_type() {
        for (ty, name) in [
            ("Greeter", "greeter"),
            ("PoolService", "pool_service"),
            ("HTTPServer", "http_server"),
            ("Chk2", "chk2"),
            ("Pool_Service", "pool_service"),
            ("r#Type", "type"),
            ("already_so", "already_so"),
        ] {
            assert_eq!(module(&ident(ty)), name, "{ty}");
        }
    }

    #[test]
    fn a_generated_name_is_none_of_the_newest_keywords() {
        for (name, is) in [("gen", "r#gen"), ("r#gen", "r#gen"), ("r#type", "r#type"), ("hello", "hello")] {
            assert_eq!(generated(&ident(name)).to_string(), is, "{name}");
        }
    }

    #[test]
    fn a_variant_is_named_after_its_handler() {
        for (handler, name) in [
            ("hello", "Hello"),
            ("pool_create", "PoolCreate"),
            ("r#type", "Type"),
            ("self_", "_Self"),
            ("_1", "_1"),
            ("getThing", "GetThing"),
        ] {
            assert_eq!(variant(&ident(handler)), name, "{handler}");
        }
    }
}
