use std::fmt::Write;

use arbitrary::{Arbitrary, Unstructured};
use drpc_fuzz_attribute::{derive_failure, drpc_module};
use proc_macro2::TokenStream;

#[derive(Arbitrary, Debug)]
enum Input {
    /// The arguments and the item, as they stand.
    Text(String, String),
    Module {
        args: Vec<Token>,
        keyword: bool,
        methods: Vec<Function>,
    },
    Failure {
        is_enum: bool,
        of_type: Vec<Token>,
        variants: Vec<Vec<Token>>,
    },
}

#[derive(Arbitrary, Debug)]
struct Function {
    attribute: Vec<Token>,
    name: u8,
    parameters: Vec<Token>,
    output: Vec<Token>,
    has_body: bool,
}

#[derive(Arbitrary, Debug)]
enum Token {
    Word(u8),
    Number(i64),
    Text(String),
    Group(u8, Vec<Token>),
}

/// What the attribute and the derive know, and what Rust has around it.
const WORDS: [&str; 64] = [
    "id",
    "name",
    "register",
    "client_only",
    "unlisted",
    "allow",
    "part",
    "methods",
    "crate",
    "timeout",
    "idempotent",
    "request_limit",
    "request",
    "reply",
    "status",
    "failure",
    "error",
    "details",
    "transparent",
    "from",
    "method",
    "cfg",
    "doc",
    "deprecated",
    "async",
    "unsafe",
    "const",
    "extern",
    "pub",
    "impl",
    "dyn",
    "for",
    "where",
    "mut",
    "ref",
    "self",
    "Self",
    "Result",
    "Option",
    "Vec",
    "Bytes",
    "Context",
    "String",
    "T",
    "u32",
    "_",
    "=",
    ",",
    ":",
    "::",
    ";",
    "&",
    "'a",
    "'static",
    "<",
    ">",
    "->",
    "#",
    "!",
    "-",
    "+",
    "?",
    "|",
    "..",
];

/// Any tokens: the attribute and the derive give Rust back, with an error in it or without.
pub fn attribute(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else { return };
    match &input {
        Input::Text(args, item) => expand(args, item),
        Input::Module { args, keyword, methods } => {
            let mut item = String::from(if *keyword { "impl Fuzzed {" } else { "pub trait Fuzzed {" });
            for function in methods {
                let Function { attribute, name, parameters, output, has_body } = function;
                let end = if *has_body { "{ todo ( ) }" } else { ";" };
                let _ = write!(
                    item,
                    "#[method({})] fn f{}(&self, {}) {} {end}",
                    text(attribute),
                    name % 8,
                    text(parameters),
                    text(output),
                );
            }
            expand(&text(args), &format!("{item}}}"));
        }
        Input::Failure { is_enum, of_type, variants } => {
            let mut item = format!("#[failure({})]", text(of_type));
            item.push_str(if *is_enum { "enum Fuzzed {" } else { "struct Fuzzed {" });
            for (number, variant) in variants.iter().enumerate() {
                let _ = write!(item, "#[failure({})] V{number},", text(variant));
            }
            expand("", &format!("{item}}}"));
        }
    }
}

fn expand(args: &str, item: &str) {
    let (Ok(args), Ok(item)) = (args.parse::<TokenStream>(), item.parse::<TokenStream>()) else { return };
    let is_rust = syn::parse2::<syn::Item>(item.clone()).is_ok();
    check(&drpc_module(args, item.clone()), is_rust);
    // The compiler parses what is derived from.
    if syn::parse2::<syn::DeriveInput>(item.clone()).is_ok() {
        check(&derive_failure(item), true);
    }
}

/// Beside what the user wrote, if that is Rust, all is.
fn check(expanded: &TokenStream, is_rust: bool) {
    let parsed = syn::parse2::<syn::File>(expanded.clone());
    assert!(!is_rust || parsed.is_ok(), "{}: {expanded}", parsed.err().expect("is not ok"));
    let text = expanded.to_string();
    assert!(is_rust || text.contains("compile_error") || !text.is_empty(), "no error says what is wrong");
}

fn text(tokens: &[Token]) -> String {
    let mut text = String::new();
    write_all(tokens, 8, &mut text);
    text
}

fn write_all(tokens: &[Token], depth: usize, text: &mut String) {
    for token in tokens {
        match token {
            Token::Word(word) => text.push_str(WORDS[usize::from(*word) % WORDS.len()]),
            Token::Number(number) => text.push_str(&number.to_string()),
            Token::Text(string) => {
                let _ = write!(text, "{string:?}");
            }
            Token::Group(..) if depth == 0 => {}
            Token::Group(kind, inner) => {
                let (open, close) = [('(', ')'), ('[', ']'), ('{', '}')][usize::from(*kind) % 3];
                text.push(open);
                write_all(inner, depth - 1, text);
                text.push(close);
            }
        }
        text.push(' ');
    }
}
