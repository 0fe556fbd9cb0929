//! `include_proto!` and `include_registry!`: what the build script made, or what it should have been told.

use std::fmt::Display;
use std::path::Path;

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::LitStr;

use crate::mistake::mistake;

/// The name, without its `.rs`, of what `drpc-build` makes of the registry.
const REGISTRY: &str = "drpc_registry";

/// What lies in `OUT_DIR`: the names of the Rust files, without their `.rs`.
pub(crate) struct Built(Vec<String>);

impl Built {
    pub(crate) fn read(out_dir: &Path) -> Self {
        let entries = out_dir.read_dir().into_iter().flatten().flatten();
        let mut names: Vec<_> = entries
            .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".rs")?.to_owned()))
            .collect();
        names.sort();
        Built(names)
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|built| built == name)
    }

    /// What can be said to `include_proto!`; a name that is spelled for Rust is the second name of its package.
    fn packages(&self) -> Vec<&str> {
        let names = self.0.iter().map(String::as_str);
        names.filter(|name| *name != REGISTRY && !name.contains("r#")).collect()
    }
}

/// Includes the messages of the package that a literal names. Nothing is built where no build script ran.
pub(crate) fn proto(tokens: TokenStream, built: Option<&Built>) -> TokenStream {
    let package: LitStr = match syn::parse2(tokens.clone()) {
        Ok(package) => package,
        Err(_) => {
            let help = "write what the .proto file says after `package`: `include_proto!(\"hello\")`";
            return mistake(tokens, "expected a name in quotes", help).to_compile_error();
        }
    };
    let name = package.value();
    let (what, help) = match built {
        Some(built) if built.has(&name) => return include(&name, package.span()),
        Some(built) if built.packages().is_empty() => (
            "no .proto file was compiled".to_owned(),
            "name the files in build.rs: `.compile_protos(&[\"proto/hello.proto\"], &[\"proto\"])`; with `.out_dir(…)`, use `include!`"
                .to_owned(),
        ),
        Some(built) => (
            match name.as_str() {
                "_" => "every .proto file that was compiled says `package …;`".to_owned(),
                name => format!("no .proto file that was compiled says `package {name};`"),
            },
            format!("write one of `{}`, or name its file in build.rs; with `.out_dir(…)`, use `include!`", built.packages().join("`, `")),
        ),
        None => no_build_script("compile_protos(…, …)"),
    };
    mistake(package, what, help).to_compile_error()
}

/// Includes the constants of the registry.
pub(crate) fn registry(tokens: TokenStream, built: Option<&Built>) -> TokenStream {
    if !tokens.is_empty() {
        let help = "write `include_registry!()`: the build script says where the registry is";
        return mistake(tokens, "nothing is expected here", help).to_compile_error();
    }
    let (what, help) = match built {
        Some(built) if built.has(REGISTRY) => return include(REGISTRY, Span::call_site()),
        Some(_) => (
            "the build script names no registry".to_owned(),
            "add `.registry(\"modules.toml\")` to `drpc_build::configure()` in build.rs; with `.out_dir(…)`, use `include!`".to_owned(),
        ),
        None => no_build_script("registry(…).generate()"),
    };
    mistake(tokens, what, help).to_compile_error()
}

fn no_build_script(call: impl Display) -> (String, String) {
    ("no build script ran".to_owned(), format!("add a build.rs with `drpc_build::configure().{call}`"))
}

fn include(name: &str, span: Span) -> TokenStream {
    let path = LitStr::new(&format!("/{name}.rs"), span);
    quote!(::core::include!(::core::concat!(::core::env!("OUT_DIR"), #path));)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(names: &[&str]) -> Built {
        Built(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn what_was_built_is_included() {
        let built = built(&["daosApi.type", "drpc_registry"]);
        let included = proto(quote!("daosApi.type"), Some(&built)).to_string();
        assert!(
            included.contains("\"/daosApi.type.rs\"") && !included.contains("compile_error"),
            "{included}"
        );
        let included = registry(TokenStream::new(), Some(&built)).to_string();
        assert!(included.contains("\"/drpc_registry.rs\""), "{included}");
    }

    #[test]
    fn what_was_not_built_is_one_error_that_says_what_to_do() {
        let some = built(&["daosApi.type", "daos_api.r#type", "drpc_registry", "hello"]);
        for (tokens, built, said) in [
            (quote!("helo"), Some(&some), "write one of `daosApi.type`, `hello`"),
            (quote!("hello"), Some(&built(&["drpc_registry"])), "no .proto file was compiled"),
            (quote!("hello"), None, "add a build.rs with `drpc_build::configure().compile_protos"),
            (quote!(hello), Some(&some), "expected a name in quotes"),
        ] {
            let error = proto(tokens, built).to_string();
            assert!(error.contains(said) && error.matches("compile_error").count() == 1, "{error}");
        }
        for (tokens, built, said) in [
            (quote!(), Some(&built(&["hello"])), "add `.registry("),
            (quote!(), None, "drpc_build::configure().registry(…).generate()"),
            (quote!("modules.toml"), Some(&some), "nothing is expected here"),
        ] {
            let error = registry(tokens, built).to_string();
            assert!(error.contains(said.replace('"', "\\\"").as_str()), "{error}");
            assert_eq!(error.matches("compile_error").count(), 1, "{error}");
        }
    }
}
