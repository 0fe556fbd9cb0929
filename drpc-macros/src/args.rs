//! The arguments of `#[drpc_module(…)]` and of `#[method(…)]`.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{
    Attribute, Expr, ExprLit, ExprPath, Ident, Lit, LitStr, Meta, Path, Stmt, Token, UnOp, parse_quote, token,
};

use crate::mistake::{Mistakes, mistake};
use crate::renamed;

/// The keys of `#[drpc_module(…)]`.
const MODULE_KEYS: [&str; 10] =
    ["id", "name", "register", "allow", "crate", "client_only", "prefix", "part", "unlisted", "remote"];

/// The keys of `#[method(…)]`.
const METHOD_KEYS: [&str; 8] =
    ["id", "name", "allow", "idempotent", "fds", "timeout", "request_limit", "stream"];

/// What stands in `#[drpc_module(…)]`.
pub(crate) struct ModuleArgs {
    /// The path of the `drpc` crate.
    pub(crate) krate: Path,
    says_krate: bool,
    pub(crate) id: Option<Id>,
    pub(crate) name: Option<LitStr>,
    pub(crate) register: Option<Register>,
    /// The rule that says who may call any of the methods.
    pub(crate) allow: Option<LitStr>,
    pub(crate) client_only: Option<Ident>,
    /// What the generated items' names begin with, in place of the type's.
    pub(crate) prefix: Option<Ident>,
    /// The block holds handlers that another block of the same type declares.
    pub(crate) part: Option<Ident>,
    /// The module is for tests: the registry does not list it.
    pub(crate) unlisted: Option<Ident>,
    /// Other hosts may reach the module, which no registry lists.
    pub(crate) remote: Option<Ident>,
    /// Whether an argument was reported and left out; then nothing is missed.
    pub(crate) faulty: bool,
}

/// What stands in `#[method(…)]`.
pub(crate) struct MethodArgs {
    pub(crate) number: Option<Number>,
    pub(crate) name: Option<LitStr>,
    /// The rule that says who may call.
    pub(crate) allow: Option<LitStr>,
    pub(crate) idempotent: bool,
    /// Where it is said that the method passes descriptors.
    pub(crate) fds: Option<Span>,
    /// How long the handler may take.
    pub(crate) timeout: Option<Timeout>,
    pub(crate) request_limit: Option<Size>,
    /// The key `stream`: the handler returns one.
    pub(crate) stream: Option<Ident>,
    /// Whether an argument was reported and left out; then nothing is missed.
    pub(crate) faulty: bool,
}

/// A module's ID.
pub(crate) enum Id {
    Literal(Integer),
    /// An expression that the compiler knows the value of.
    Constant(Expr),
}

/// Which of its module's methods a method is.
pub(crate) enum Number {
    /// The number within the module: `#[method(1)]`.
    InModule(Integer),
    /// The system-wide ID: `#[method(id = 501)]`.
    Global(Integer),
}

/// An integer, and how it was written.
#[derive(Clone)]
pub(crate) struct Integer {
    pub(crate) value: i32,
    pub(crate) tokens: TokenStream,
}

/// A time, and how it was written.
pub(crate) struct Timeout {
    pub(crate) millis: u64,
    text: LitStr,
}

/// A number of bytes, and how it was written.
pub(crate) struct Size {
    pub(crate) bytes: usize,
    text: LitStr,
}

/// How a server makes a module by itself.
#[derive(Clone)]
pub(crate) enum Register {
    /// With `Default`; the key `register` itself.
    Default(Ident),
    /// By calling a function.
    Factory(ExprPath),
}

impl ModuleArgs {
    pub(crate) fn parse(tokens: TokenStream, mistakes: &mut Mistakes) -> Self {
        let mut args = ModuleArgs {
            krate: parse_quote!(::drpc),
            says_krate: false,
            id: None,
            name: None,
            register: None,
            allow: None,
            client_only: None,
            prefix: None,
            part: None,
            unlisted: None,
            remote: None,
            faulty: false,
        };
        let parsed = arguments_like("id = 5").parse2(tokens);
        for argument in parsed.unwrap_or_else(|error| vec![Err(error)]) {
            let taken = argument.and_then(|argument| args.take(argument));
            args.faulty |= mistakes.check(taken).is_none();
        }
        args
    }

    /// Demands that the crate is said, where it has another name, and takes that.
    pub(crate) fn check_krate(&mut self, renamed: Option<&str>, mistakes: &mut Mistakes) {
        if let (false, Some(name)) = (self.says_krate, renamed) {
            mistakes.add(renamed::mistake_of(name, &format!("#[drpc_module(…, crate = {name})]")));
            self.krate = renamed::path(name);
        }
    }

    /// What the names of the generated items begin with, for a type of this name.
    pub(crate) fn base<'a>(&'a self, name: &'a Ident) -> &'a Ident {
        self.prefix.as_ref().unwrap_or(name)
    }

    fn take(&mut self, argument: Argument) -> syn::Result<()> {
        match argument.name().as_str() {
            "id" => self.id = Some(Id::parse(argument.value("id = 5")?)?),
            "name" => self.name = Some(name(argument.value("name = \"greeter\"")?)?),
            "crate" => {
                self.krate = path(argument.value("crate = my_drpc")?, "crate = my_drpc")?;
                self.says_krate = true;
            }
            "register" => self.register = Some(Register::parse(argument)?),
            "allow" => self.allow = Some(rule(argument.value("allow = \"admin\"")?)?),
            "client_only" => self.client_only = Some(argument.flag()?),
            "prefix" => self.prefix = Some(prefix(argument.value("prefix = Greeter")?)?),
            "part" => {
                // With a value, too, it is meant to be one.
                self.part = argument.key().cloned();
                argument.flag()?;
            }
            "unlisted" => self.unlisted = Some(argument.flag()?),
            "remote" => self.remote = Some(argument.flag()?),
            _ => {
                if METHOD_KEYS.contains(&argument.name().as_str()) {
                    let help = format!("move it there: `#[method(…, {})]`", argument.written());
                    let what = format!("`{}` is a key of the methods", argument.name());
                    return Err(mistake(argument, what, help));
                }
                return Err(argument.unknown(&MODULE_KEYS, "a key", "id = 5"));
            }
        }
        Ok(())
    }
}

impl MethodArgs {
    pub(crate) fn parse(attribute: &Attribute, mistakes: &mut Mistakes) -> Self {
        let mut args = MethodArgs {
            number: None,
            name: None,
            allow: None,
            idempotent: false,
            fds: None,
            timeout: None,
            request_limit: None,
            stream: None,
            faulty: false,
        };
        let parsed = match &attribute.meta {
            Meta::Path(_) => Ok(Vec::new()),
            Meta::List(list) => list.parse_args_with(arguments_like("#[method(1)]")),
            Meta::NameValue(meta) => {
                Err(mistake(meta, "expected a number in parentheses", "write `#[method(1)]`"))
            }
        };
        for argument in parsed.unwrap_or_else(|error| vec![Err(error)]) {
            let taken = argument.and_then(|argument| args.take(argument));
            args.faulty |= mistakes.check(taken).is_none();
        }
        args
    }

    fn take(&mut self, argument: Argument) -> syn::Result<()> {
        let number = match argument.name().as_str() {
            "name" => {
                self.name = Some(name(argument.value("name = \"hello\"")?)?);
                return Ok(());
            }
            "allow" => {
                self.allow = Some(rule(argument.value("allow = \"admin\"")?)?);
                return Ok(());
            }
            "idempotent" => {
                argument.flag()?;
                self.idempotent = true;
                return Ok(());
            }
            "fds" => {
                self.fds = Some(argument.span());
                argument.flag()?;
                return Ok(());
            }
            "timeout" => {
                self.timeout = Some(Timeout::parse(argument.value(Timeout::EXAMPLE)?)?);
                return Ok(());
            }
            "stream" => {
                self.stream = Some(argument.flag()?);
                return Ok(());
            }
            "request_limit" => {
                self.request_limit = Some(Size::parse(argument.value(Size::EXAMPLE)?)?);
                return Ok(());
            }
            "" | "id" if self.number.is_some() => {
                return Err(mistake(argument, "the method's number is given twice", "leave one of them out"));
            }
            "" => Number::InModule(Integer::parse(argument.value("1")?, "#[method(1)]")?),
            "id" => Number::Global(Integer::parse(argument.value("id = 501")?, "#[method(id = 501)]")?),
            _ => {
                if MODULE_KEYS.contains(&argument.name().as_str()) {
                    let help = format!("move it there: `#[drpc_module(…, {})]`", argument.written());
                    let what = format!("`{}` is a key of the module", argument.name());
                    return Err(mistake(argument, what, help));
                }
                return Err(argument.unknown(&METHOD_KEYS, "an integer literal", "#[method(1)]"));
            }
        };
        self.number = Some(number);
        Ok(())
    }
}

impl Id {
    fn parse(value: Expr) -> syn::Result<Self> {
        match ungrouped(value) {
            value if is_literal(&value) => {
                Integer::parse(value, "id = 5` or `id = ids::GREETER").map(Id::Literal)
            }
            value => Ok(Id::Constant(unbraced(value))),
        }
    }
}

impl Integer {
    fn parse(value: Expr, example: &str) -> syn::Result<Self> {
        let value = ungrouped(value);
        let (literal, sign) = match &value {
            Expr::Lit(expr) => (&expr.lit, ""),
            Expr::Unary(expr) if matches!(expr.op, UnOp::Neg(_)) => match &*expr.expr {
                Expr::Lit(expr) => (&expr.lit, "-"),
                _ => return Err(not_an_integer(&value, example)),
            },
            _ => return Err(not_an_integer(&value, example)),
        };
        let Lit::Int(literal) = literal else { return Err(not_an_integer(&value, example)) };
        if !matches!(literal.suffix(), "" | "i32") {
            let help = format!("leave `{}` out", literal.suffix());
            return Err(mistake(&value, "IDs are of type `i32`", help));
        }
        match format!("{sign}{}", literal.base10_digits()).parse() {
            Ok(integer) => Ok(Integer { value: integer, tokens: value.into_token_stream() }),
            Err(_) => Err(mistake(
                &value,
                "this number does not fit an `i32`",
                format_args!("for example: `{example}`"),
            )),
        }
    }
}

impl Timeout {
    const EXAMPLE: &str = "timeout = \"5s\"";

    fn parse(value: Expr) -> syn::Result<Self> {
        let example = format!("write `{}`", Self::EXAMPLE);
        let text = match ungrouped(value) {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => text,
            value => return Err(mistake(value, "expected a time in quotes", example)),
        };
        let millis = measured(&text.value(), |unit| match unit {
            "ms" => Some(1),
            "s" => Some(1000),
            "min" => Some(60_000),
            "h" => Some(3_600_000),
            _ => None,
        });
        match millis {
            Some(millis) => Ok(Timeout { millis, text }),
            None => Err(mistake(
                text,
                "expected a time: a whole number from 1 on, and `ms`, `s`, `min` or `h`",
                example,
            )),
        }
    }
}

impl ToTokens for Timeout {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.text.to_tokens(tokens);
    }
}

impl Size {
    const EXAMPLE: &str = "request_limit = \"64KiB\"";

    fn parse(value: Expr) -> syn::Result<Self> {
        let example = format!("write `{}`", Self::EXAMPLE);
        let text = match ungrouped(value) {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => text,
            value => return Err(mistake(value, "expected a size in quotes", example)),
        };
        let bytes = measured(&text.value(), |unit| match unit {
            "B" => Some(1),
            "KiB" => Some(1 << 10),
            "MiB" => Some(1 << 20),
            _ => None,
        });
        match bytes.and_then(|bytes| u32::try_from(bytes).ok()) {
            Some(bytes) => Ok(Size { bytes: bytes as usize, text }),
            None => Err(mistake(
                text,
                "expected a size: a whole number from 1 on, and `B`, `KiB` or `MiB`, less than 4096 MiB in all",
                example,
            )),
        }
    }
}

impl ToTokens for Size {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.text.to_tokens(tokens);
    }
}

/// What a whole number from 1 on and a unit come to.
fn measured(written: &str, unit: impl Fn(&str) -> Option<u64>) -> Option<u64> {
    let digits = written.find(|c: char| !c.is_ascii_digit()).unwrap_or(written.len());
    let (count, of) = written.split_at(digits);
    let measure = count.parse::<u64>().ok()?.checked_mul(unit(of.trim_start())?)?;
    (measure > 0).then_some(measure)
}

/// `5` for `{ 5 }`, where the braces are no use.
fn unbraced(value: Expr) -> Expr {
    match value {
        Expr::Block(mut block) if block.label.is_none() && block.block.stmts.len() == 1 => {
            match block.block.stmts.remove(0) {
                Stmt::Expr(value, None) => value,
                statement => {
                    block.block.stmts.push(statement);
                    Expr::Block(block)
                }
            }
        }
        value => value,
    }
}

/// Whether it is a literal, which `-5` is not to the compiler.
fn is_literal(value: &Expr) -> bool {
    match value {
        Expr::Lit(_) => true,
        Expr::Unary(expr) if matches!(expr.op, UnOp::Neg(_)) => matches!(*expr.expr, Expr::Lit(_)),
        _ => false,
    }
}

fn not_an_integer(value: &Expr, example: &str) -> syn::Error {
    mistake(value, "expected an integer literal", format_args!("write `{example}`"))
}

impl ToTokens for Integer {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.tokens.to_tokens(tokens);
    }
}

impl ToTokens for Register {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Register::Default(key) => key.to_tokens(tokens),
            Register::Factory(path) => path.to_tokens(tokens),
        }
    }
}

impl Register {
    fn parse(argument: Argument) -> syn::Result<Self> {
        match argument {
            Argument::Key(key) => Ok(Register::Default(key)),
            Argument::Pair(_, value) | Argument::Bare(value) => match ungrouped(value) {
                Expr::Path(path) => Ok(Register::Factory(path)),
                Expr::Call(call) if call.args.is_empty() => {
                    let function = call.func.to_token_stream().to_string().replace(' ', "");
                    let help = format!("write `register = {function}`");
                    Err(mistake(call, "the server calls the function itself", help))
                }
                value => Err(mistake(value, "expected a path", "write `register = Greeter::new`")),
            },
        }
    }
}

/// One argument, whatever it means.
enum Argument {
    /// `register`
    Key(Ident),
    /// `id = 5`
    Pair(Ident, Expr),
    /// `1`
    Bare(Expr),
}

impl Argument {
    /// The key's name; empty if there is none.
    fn name(&self) -> String {
        self.key().map(Ident::to_string).unwrap_or_default()
    }

    fn key(&self) -> Option<&Ident> {
        match self {
            Argument::Key(key) | Argument::Pair(key, _) => Some(key),
            Argument::Bare(_) => None,
        }
    }

    fn value(self, example: &str) -> syn::Result<Expr> {
        match self {
            Argument::Pair(_, value) | Argument::Bare(value) => Ok(value),
            Argument::Key(key) => {
                Err(mistake(&key, format_args!("`{key}` needs a value"), format_args!("write `{example}`")))
            }
        }
    }

    fn flag(self) -> syn::Result<Ident> {
        match self {
            Argument::Key(key) => Ok(key),
            Argument::Pair(key, value) => {
                Err(mistake(value, format_args!("`{key}` takes no value"), format_args!("write `{key}`")))
            }
            Argument::Bare(value) => Err(mistake(value, "expected a key", "write `key = value`")),
        }
    }

    /// The argument as it was written.
    fn written(&self) -> String {
        match self {
            Argument::Key(key) => key.to_string(),
            Argument::Pair(key, value) => format!("{key} = {}", value.to_token_stream()),
            Argument::Bare(value) => value.to_token_stream().to_string(),
        }
    }

    /// The error for an argument that is none of the known ones.
    fn unknown(&self, keys: &[&str], expected: &str, example: &str) -> syn::Error {
        let name = self.name();
        if let Argument::Bare(Expr::Lit(value)) = self {
            // A text is no number.
            let key = match (&value.lit, example.split_once(" = ")) {
                (Lit::Str(_), _) => Some("name"),
                (_, key) => key.map(|(key, _)| key),
            };
            if let Some(key) = key {
                let help = format!("write `{key} = {}`", value.to_token_stream());
                return mistake(self, format_args!("expected {expected}"), help);
            }
        }
        // `client-only`, `ClientOnly`
        let written = match self {
            Argument::Bare(value) => value.to_token_stream().to_string(),
            _ => name.clone(),
        };
        if let Some(key) = keys.iter().find(|key| letters(key) == letters(&written)) {
            let what = format!("unknown key `{}`", written.replace(' ', ""));
            return mistake(self, what, format_args!("did you mean `{key}`?"));
        }
        if name.is_empty() || name.contains(char::is_uppercase) {
            return mistake(self, format_args!("expected {expected}"), format_args!("write `{example}`"));
        }
        if let (Argument::Pair(_, value), "number") = (self, name.as_str()) {
            let help = format!("write the number by itself: `#[method({})]`", value.to_token_stream());
            return mistake(self, "unknown key `number`", help);
        }
        // `limit` is short for `request_limit`, and `streaming` long for `stream`.
        let is_in = |one: &str, other: &str| one.len() > 2 && other.contains(one);
        let akin = || keys.iter().copied().find(|key| is_in(&name, key) || is_in(key, &name));
        let help = match drpc_registry::closest(&name, keys.iter().copied()).or_else(akin) {
            Some(key) => format!("did you mean `{key}`?"),
            None => format!("the keys are `{}`", keys.join("`, `")),
        };
        mistake(self, format_args!("unknown key `{name}`"), help)
    }
}

/// The letters of a name, all of them small.
fn letters(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

impl ToTokens for Argument {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Argument::Key(key) | Argument::Pair(key, _) => key.to_tokens(tokens),
            Argument::Bare(value) => value.to_tokens(tokens),
        }
    }
}

/// A key stands before `=`, `,` or the end, or before parentheses, which are then a mistake; all else is a value.
impl Parse for Argument {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let after = input.fork();
        if after.call(Ident::parse_any).is_err()
            || !(after.is_empty()
                || after.peek(Token![,])
                || after.peek(Token![=])
                || after.peek(token::Paren)
                || is_colon(&after))
        {
            return input.parse().map(Argument::Bare);
        }
        let key = input.call(Ident::parse_any)?;
        if input.peek(token::Paren) {
            let group = input.parse::<Group>()?;
            let is_literal = syn::parse2::<Lit>(group.stream()).is_ok();
            let help = match (group.stream().is_empty(), is_literal) {
                (true, _) => format!("write `{key}`, or `{key} = …`, without parentheses"),
                (false, true) => format!("write `{key} = {}`, without parentheses", group.stream()),
                (false, false) => "write a value after `=`, without parentheses".to_owned(),
            };
            return Err(mistake(group, format_args!("expected `{key} = …`"), help));
        }
        if is_colon(input) {
            let help = "write `key = value`";
            return Err(mistake(
                input.parse::<Token![:]>()?,
                format_args!("expected `=` after `{key}`"),
                help,
            ));
        }
        // Each of the two is a sign of its own to the parser.
        if input.peek(Token![==]) || input.peek(Token![=>]) {
            let signs = [input.parse::<TokenTree>()?, input.parse::<TokenTree>()?];
            let signs: TokenStream = signs.into_iter().collect();
            return Err(mistake(signs, format_args!("expected `=` after `{key}`"), "write `key = value`"));
        }
        let Some(equals) = input.parse::<Option<Token![=]>>()? else { return Ok(Argument::Key(key)) };
        if input.is_empty() || input.peek(Token![,]) {
            return Err(mistake(
                equals,
                format_args!("expected a value for `{key}` after `=`"),
                "write `key = value`",
            ));
        }
        let at = input.fork();
        match input.parse() {
            Ok(value) => Ok(Argument::Pair(key, value)),
            Err(_) => Err(mistake(
                at.parse::<TokenTree>()?,
                format_args!("expected a value for `{key}` after `=`"),
                "write `key = value`",
            )),
        }
    }
}

/// A colon by itself, not of a path.
fn is_colon(input: ParseStream<'_>) -> bool {
    input.peek(Token![:]) && !input.peek(Token![::])
}

/// Arguments between commas, the faulty ones too. One that is given twice is faulty.
fn arguments_like(example: &str) -> impl FnOnce(ParseStream<'_>) -> syn::Result<Vec<syn::Result<Argument>>> {
    move |input| {
        let mut arguments = Vec::new();
        let mut names = Vec::new();
        while !input.is_empty() {
            if input.peek(Token![,]) {
                let help = "leave this one out";
                arguments.push(Err(mistake(
                    input.parse::<Token![,]>()?,
                    "a comma stands between two arguments",
                    help,
                )));
                continue;
            }
            let first = input.fork().parse::<TokenTree>()?;
            let is_bare = input.fork().call(Ident::parse_any).is_err();
            let argument = input.parse::<Argument>().map_err(|error| match is_bare {
                true => mistake(first, "expected an argument", format_args!("for example: `{example}`")),
                false => error,
            });
            let argument = argument.and_then(|argument| {
                let name = argument.name();
                if names.contains(&name) {
                    let what = if name.is_empty() {
                        "a second value".into()
                    } else {
                        format!("`{name}` is given twice")
                    };
                    return Err(mistake(argument, what, "leave one of them out"));
                }
                names.push(name);
                Ok(argument)
            });
            let complete = argument.is_ok();
            arguments.push(argument);
            if complete && !input.is_empty() && !input.peek(Token![,]) {
                arguments.push(Err(mistake(
                    input.parse::<TokenTree>()?,
                    "expected `,`",
                    "separate arguments by commas",
                )));
            }
            while !input.is_empty() && !input.peek(Token![,]) {
                input.parse::<TokenTree>()?;
            }
            input.parse::<Option<Token![,]>>()?;
        }
        Ok(arguments)
    }
}

/// A name of a module or method: what the registry allows.
fn name(value: Expr) -> syn::Result<LitStr> {
    let name = string(value)?;
    let text = name.value();
    let mut characters = text.chars();
    let fits = characters.next().is_some_and(|first| first.is_ascii_lowercase())
        && characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if fits {
        Ok(name)
    } else {
        Err(mistake(name, "expected a name in lower_snake_case", "for example `pool_create`"))
    }
}

/// What names of types begin with.
fn prefix(value: Expr) -> syn::Result<Ident> {
    match ungrouped(value) {
        Expr::Path(expr) if expr.qself.is_none() && expr.path.get_ident().is_some() => {
            Ok(expr.path.require_ident()?.clone())
        }
        value => {
            let written = match &value {
                Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => text.parse::<Ident>().ok(),
                _ => None,
            };
            let written = written.map_or_else(|| "Greeter".to_owned(), |written| written.to_string());
            let help = format!("write `prefix = {written}`");
            Err(mistake(value, "expected what the generated names begin with", help))
        }
    }
}

/// A name of a rule: whatever the server calls it.
fn rule(value: Expr) -> syn::Result<LitStr> {
    let name = string(value)?;
    if name.value().trim().is_empty() {
        return Err(mistake(name, "expected the name of a rule", "for example `allow = \"admin\"`"));
    }
    Ok(name)
}

fn string(value: Expr) -> syn::Result<LitStr> {
    match ungrouped(value) {
        Expr::Lit(ExprLit { lit: Lit::Str(string), .. }) => Ok(string),
        value => Err(mistake(value, "expected a string literal", "write the name in quotes")),
    }
}

fn path(value: Expr, example: &str) -> syn::Result<Path> {
    match ungrouped(value) {
        Expr::Path(expr) if expr.qself.is_none() => Ok(expr.path),
        value => Err(mistake(value, "expected a path", format_args!("write `{example}`"))),
    }
}

/// The expression without the invisible group that a `macro_rules!` variable puts around it.
fn ungrouped(value: Expr) -> Expr {
    match value {
        Expr::Group(group) => ungrouped(*group.expr),
        value => value,
    }
}
