//! The user's item: what it declares, before anything is said about numbers.

use std::mem;

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::Parser;
use syn::spanned::Spanned;
use syn::{
    Attribute, FnArg, GenericArgument, GenericParam, Generics, ImplItem, Item, ItemImpl, ItemTrait, Meta,
    Pat, PatType, PathArguments, ReceiverKind, ReturnType, Safety, Signature, TraitItem, Type, parse_quote,
};

use crate::args::MethodArgs;
use crate::item;
use crate::mistake::{Mistakes, mistake};

/// A module as it was written.
pub(crate) struct Draft {
    /// The type of the `impl`, or the trait of a client.
    pub(crate) ty: Type,
    /// The last name in that type.
    pub(crate) base: Ident,
    pub(crate) docs: Vec<Attribute>,
    pub(crate) handlers: Vec<Handler>,
}

/// A function with `#[method]`.
pub(crate) struct Handler {
    pub(crate) ident: Ident,
    /// The attribute `#[method]` itself.
    pub(crate) attribute: Attribute,
    pub(crate) args: MethodArgs,
    /// `doc` and `deprecated`: what is said of the method wherever it stands.
    pub(crate) notes: Vec<Attribute>,
    pub(crate) cfgs: Vec<Attribute>,
    /// Nothing if the signature is no handler's; that has been reported.
    pub(crate) call: Option<Call>,
}

/// How a handler is called.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) is_async: bool,
    pub(crate) parameters: Vec<Parameter>,
    /// The reply's type; nothing for a handler that has none.
    pub(crate) reply: Option<TokenStream>,
    pub(crate) outcome: Outcome,
}

/// A parameter besides `&self`.
#[derive(Clone)]
pub(crate) enum Parameter {
    Request { name: Ident, ty: TokenStream },
    Context { span: Span },
}

/// What a handler returns.
#[derive(Clone)]
pub(crate) enum Outcome {
    /// The reply itself.
    Reply,
    /// A `Result` of the reply and of an error, whose type is not always in sight (`io::Result<T>`).
    Result { error: Option<TokenStream>, span: Span },
}

impl Call {
    pub(crate) fn request(&self) -> Option<(&Ident, &TokenStream)> {
        self.parameters.iter().find_map(|parameter| match parameter {
            Parameter::Request { name, ty } => Some((name, ty)),
            Parameter::Context { .. } => None,
        })
    }
}

/// Reads the item under `#[drpc_module]`: what it declares, and what is left of the item to give back. That is the item
/// without `#[method]`; but nothing of a client's `trait`, which nobody can implement.
pub(crate) fn parse(
    tokens: TokenStream,
    client_only: Option<&Ident>,
    mistakes: &mut Mistakes,
) -> (Option<Draft>, TokenStream) {
    let keyword = keyword(&tokens);
    if keyword.as_ref().is_some_and(|keyword| keyword == "impl") {
        let Some(mut item) = mistakes.check(item::parse_impl.parse2(tokens.clone())) else {
            return (None, tokens);
        };
        return (of_impl(&mut item, client_only, mistakes), item.into_token_stream());
    }
    match syn::parse2(tokens.clone()) {
        Ok(Item::Trait(mut item)) => match of_trait(&mut item, client_only, mistakes) {
            Some(draft) => (Some(draft), TokenStream::new()),
            None => (None, item.into_token_stream()),
        },
        Ok(_) => {
            let help = "put `#[drpc_module]` on the `impl` block with the handlers";
            mistakes.add(mistake(keyword, "expected an `impl` block", help));
            (None, tokens)
        }
        Err(error) => {
            mistakes.add(error);
            (None, tokens)
        }
    }
}

/// The first word of an item after its attributes and visibility.
fn keyword(tokens: &TokenStream) -> Option<Ident> {
    tokens.clone().into_iter().find_map(|token| match token {
        TokenTree::Ident(word) if word != "pub" && word != "unsafe" => Some(word),
        _ => None,
    })
}

fn of_impl(item: &mut ItemImpl, client_only: Option<&Ident>, mistakes: &mut Mistakes) -> Option<Draft> {
    let before = mistakes.count();
    mistakes.check(check_impl(item, client_only));
    let mut handlers = Vec::new();
    for inner in &mut item.items {
        match inner {
            ImplItem::Fn(inner) => {
                handlers.extend(handler(&mut inner.attrs, &inner.sig, &item.self_ty, mistakes));
            }
            ImplItem::Const(inner) => refuse_method(&mut inner.attrs, mistakes),
            ImplItem::Type(inner) => refuse_method(&mut inner.attrs, mistakes),
            ImplItem::Macro(inner) => refuse_method(&mut inner.attrs, mistakes),
            _ => {}
        }
    }
    if handlers.is_empty() && mistakes.count() == before {
        let help = if item.items.iter().any(|inner| matches!(inner, ImplItem::Macro(_))) {
            "methods that a macro makes inside the `impl` can't be seen from here; let it make the whole `impl`"
        } else {
            "mark the handlers: `#[method(1)]`"
        };
        mistakes.add(mistake(&item.self_ty, "this `impl` has no `#[method]`", help));
    }
    let base = mistakes.check(type_name(&item.self_ty))?;
    item.generics.params.is_empty().then(|| Draft {
        ty: (*item.self_ty).clone(),
        base,
        docs: docs(&item.attrs),
        handlers,
    })
}

fn check_impl(item: &ItemImpl, client_only: Option<&Ident>) -> syn::Result<()> {
    if let Some(client_only) = client_only {
        let help = "leave it out, or declare the methods in a `trait`";
        return Err(mistake(
            client_only,
            "`client_only` stands on a `trait`, whose methods have no bodies",
            help,
        ));
    }
    if let Some((path, _)) = &item.trait_ {
        let help = "handlers stand in an `impl` block of the type itself";
        return Err(mistake(path, "expected an `impl` block without a trait", help));
    }
    check_generics(&item.generics)
}

fn of_trait(item: &mut ItemTrait, client_only: Option<&Ident>, mistakes: &mut Mistakes) -> Option<Draft> {
    let before = mistakes.count();
    mistakes.check(check_trait(item, client_only));
    let name = &item.ident;
    let ty = parse_quote!(#name);
    let mut handlers = Vec::new();
    for inner in &mut item.items {
        match inner {
            TraitItem::Fn(inner) => {
                if let Some(body) = &inner.default {
                    let help = "the server's own `impl` has the handlers; end the declaration with `;`";
                    mistakes.add(mistake(body, "a method of a client has no body", help));
                }
                handlers.extend(handler(&mut inner.attrs, &inner.sig, &ty, mistakes));
            }
            TraitItem::Const(inner) => refuse_method(&mut inner.attrs, mistakes),
            TraitItem::Type(inner) => refuse_method(&mut inner.attrs, mistakes),
            TraitItem::Macro(inner) => refuse_method(&mut inner.attrs, mistakes),
            _ => {}
        }
    }
    if handlers.is_empty() && mistakes.count() == before {
        mistakes.add(mistake(name, "this `trait` has no `#[method]`", "mark the methods: `#[method(1)]`"));
    }
    let base = name.clone();
    item.generics.params.is_empty().then(|| Draft { ty, base, docs: docs(&item.attrs), handlers })
}

fn check_trait(item: &ItemTrait, client_only: Option<&Ident>) -> syn::Result<()> {
    if client_only.is_none() {
        let help = "write `impl Greeter { … }`, or add `client_only` to declare a client alone";
        return Err(mistake(item.trait_token, "expected an `impl` block", help));
    }
    if !item.supertraits.is_empty() {
        let help = "leave them out: nothing implements this `trait`, it declares a client";
        return Err(mistake(&item.supertraits, "a client's `trait` has no supertraits", help));
    }
    check_generics(&item.generics)
}

fn check_generics(generics: &Generics) -> syn::Result<()> {
    if generics.params.is_empty() {
        return Ok(());
    }
    let help = "write it for one concrete type, which owns what it holds";
    Err(mistake(&generics.params, "a module can't be generic", help))
}

/// The last name in a type.
fn type_name(ty: &Type) -> syn::Result<Ident> {
    match ungrouped(ty) {
        Type::Path(ty) if ty.qself.is_none() => {
            Ok(ty.path.segments.last().expect("a path has a name").ident.clone())
        }
        _ => {
            let help = "the generated items are named after the type: `Greeter` has a `GreeterClient`";
            Err(mistake(ty, "expected the name of a type", help))
        }
    }
}

/// Reads a function and takes its `#[method]` away; nothing if it has none.
fn handler(
    attributes: &mut Vec<Attribute>,
    signature: &Signature,
    self_ty: &Type,
    mistakes: &mut Mistakes,
) -> Option<Handler> {
    for conditional in attributes.extract_if(.., |attribute| is_conditional_method(attribute)) {
        let help = "write `#[method(…)]` by itself and put `#[cfg(…)]` on the handler";
        mistakes.add(mistake(conditional, "`#[method]` can't be conditional", help));
    }
    let mut methods = attributes.extract_if(.., |attribute| is_method(attribute));
    let attribute = methods.next()?;
    for again in methods {
        mistakes.add(mistake(
            again,
            "this is a second `#[method]`",
            "a handler serves one method: leave one of them out",
        ));
    }
    let of_kind = |kinds: &[&str]| {
        let is_of_kind = |attribute: &&Attribute| kinds.iter().any(|kind| attribute.path().is_ident(kind));
        attributes.iter().filter(is_of_kind).cloned().collect()
    };
    Some(Handler {
        ident: signature.ident.clone(),
        args: MethodArgs::parse(&attribute, mistakes),
        attribute,
        notes: of_kind(&["doc", "deprecated"]),
        cfgs: of_kind(&["cfg"]),
        call: call(signature, self_ty, mistakes),
    })
}

/// `#[method]` has no meaning on anything but a function.
fn refuse_method(attributes: &mut Vec<Attribute>, mistakes: &mut Mistakes) {
    for attribute in attributes.extract_if(.., |attribute| is_method(attribute)) {
        mistakes.add(mistake(
            attribute,
            "`#[method]` stands on a function",
            "move it to the handler, or leave it out",
        ));
    }
}

fn is_method(attribute: &Attribute) -> bool {
    attribute.path().is_ident("method")
}

/// `#[cfg_attr(condition, method(1))]`, which the compiler has not decided yet.
fn is_conditional_method(attribute: &Attribute) -> bool {
    let Meta::List(list) = &attribute.meta else { return false };
    let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
    let is_method = |token: TokenTree| matches!(token, TokenTree::Ident(ident) if ident == "method");
    list.path.is_ident("cfg_attr")
        && list.tokens.clone().into_iter().skip_while(|token| !is_comma(token)).any(is_method)
}

/// How to call a function; nothing if its signature is not a handler's.
fn call(signature: &Signature, self_ty: &Type, mistakes: &mut Mistakes) -> Option<Call> {
    let before = mistakes.count();
    mistakes.check(check_qualifiers(signature));
    mistakes.check(check_receiver(signature));
    for parameter in &signature.generics.params {
        if !matches!(parameter, GenericParam::Lifetime(_)) {
            let help = "name the type itself: a request is one message";
            mistakes.add(mistake(parameter, "a handler can't be generic", help));
        }
    }
    let mut parameters = Vec::new();
    for input in &signature.inputs {
        if let FnArg::Typed(input) = input {
            let parameter =
                parameter(input, self_ty).and_then(|parameter| parameter.not_twice(&parameters, input));
            parameters.extend(mistakes.check(parameter));
        }
    }
    let output = mistakes.check(output(&signature.output, self_ty));
    let (reply, outcome) = output?;
    let is_async = signature.asyncness.is_some();
    (mistakes.count() == before).then_some(Call { is_async, parameters, reply, outcome })
}

fn check_qualifiers(signature: &Signature) -> syn::Result<()> {
    if let Some(constness) = &signature.constness {
        return Err(mistake(constness, "a handler can't be `const`", "leave `const` out"));
    }
    if let Safety::Unsafe(unsafety) = &signature.safety {
        let help =
            "callers of another process can't keep its promises: check them inside, and leave `unsafe` out";
        return Err(mistake(unsafety, "a handler can't be `unsafe`", help));
    }
    if let Some(abi) = &signature.abi {
        return Err(mistake(
            abi,
            "a handler can't be `extern`",
            "leave `extern` out: the server calls it, from Rust",
        ));
    }
    Ok(())
}

fn check_receiver(signature: &Signature) -> syn::Result<()> {
    let Some(receiver) = signature.receiver() else {
        return Err(mistake(
            &signature.ident,
            "a handler takes `&self`",
            "add `&self` as the first parameter",
        ));
    };
    let shared = match &receiver.kind {
        ReceiverKind::Reference(_, _, None) => true,
        ReceiverKind::Typed(_, ty) => matches!(ungrouped(ty), Type::Reference(ty) if ty.mutability.is_none()),
        _ => false,
    };
    if shared {
        return Ok(());
    }
    let help = "calls run side by side on one module: write `&self`, and keep what changes in a `Mutex` or an atomic";
    Err(mistake(receiver, "a handler takes `&self`", help))
}

/// By reference is the context, by value is the request.
fn parameter(input: &PatType, self_ty: &Type) -> syn::Result<Parameter> {
    if let Some(attribute) = input.attrs.iter().find(|attribute| attribute.path().is_ident("cfg")) {
        let help = "put `#[cfg(…)]` on two handlers, one for either case";
        return Err(mistake(attribute, "a handler's parameter can't be conditional", help));
    }
    let Type::Reference(reference) = ungrouped(&input.ty) else {
        let name = match &*input.pat {
            Pat::Ident(pat) if !pat.ident.to_string().starts_with('_') => pat.ident.clone(),
            _ => Ident::new("request", Span::call_site()),
        };
        return Ok(Parameter::Request { name, ty: payload(&input.ty, "a request", self_ty)? });
    };
    let is_context = type_name(&reference.elem).is_ok_and(|name| name.to_string().ends_with("Context"));
    match &reference.mutability {
        None if is_context => Ok(Parameter::Context { span: input.ty.span() }),
        Some(_) if is_context => Err(mistake(&input.ty, "the context is `&Context`", "leave `mut` out")),
        _ => {
            let owned = match ungrouped(&reference.elem) {
                Type::Slice(_) => "Bytes".to_owned(),
                ty => ty.to_token_stream().to_string(),
            };
            let help = format!("write `{owned}`; only the context is a reference, `&Context`");
            Err(mistake(&input.ty, "a request is taken by value", help))
        }
    }
}

impl Parameter {
    fn not_twice(self, others: &[Parameter], input: &PatType) -> syn::Result<Self> {
        let (what, help) = match self {
            Parameter::Request { .. } => (
                "a handler takes one request",
                "put the second into the message, or take `&Context` if that is meant",
            ),
            Parameter::Context { .. } => ("the context is given twice", "leave one of them out"),
        };
        let is_same = |other: &Parameter| mem::discriminant(other) == mem::discriminant(&self);
        if others.iter().any(is_same) { Err(mistake(input, what, help)) } else { Ok(self) }
    }
}

/// A `Result` with arguments holds the reply and the error; any other type is the reply.
fn output(output: &ReturnType, self_ty: &Type) -> syn::Result<(Option<TokenStream>, Outcome)> {
    let ReturnType::Type(_, whole) = output else { return Ok((None, Outcome::Reply)) };
    let mut arguments = result_arguments(whole).into_iter().flatten();
    match arguments.next() {
        None => Ok((Some(payload(whole, "a reply", self_ty)?), Outcome::Reply)),
        Some(reply) => {
            let reply = payload(reply, "a reply", self_ty)?;
            let error = arguments.next().map(|error| named(error, "an error", self_ty)).transpose()?;
            Ok((Some(reply), Outcome::Result { error, span: whole.span() }))
        }
    }
}

/// The types in `Result<…>`; nothing for another type, and for a message that is named `Result`.
fn result_arguments(ty: &Type) -> Option<impl Iterator<Item = &Type>> {
    let Type::Path(ty) = ungrouped(ty) else { return None };
    let last = ty.path.segments.last()?;
    match &last.arguments {
        PathArguments::AngleBracketed(arguments) if last.ident == "Result" => {
            Some(arguments.args.iter().filter_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            }))
        }
        _ => None,
    }
}

/// The type of something that travels.
fn payload(ty: &Type, role: &str, self_ty: &Type) -> syn::Result<TokenStream> {
    if let Type::Reference(_) = ungrouped(ty) {
        let help = "leave the `&` out: what travels is owned";
        return Err(mistake(ty, format_args!("{role} is given by value"), help));
    }
    if let Some(name) = wrapped_by_prost(ty) {
        let help = "prost would wrap it in a message of its own: name a message, or take the body as it is with `drpc::Bytes`";
        return Err(mistake(ty, format_args!("{role} can't be a bare `{name}`"), help));
    }
    named(ty, role, self_ty)
}

/// The types that are messages to prost (google.protobuf.StringValue and its like), and to nobody's surprise but here.
fn wrapped_by_prost(ty: &Type) -> Option<&'static str> {
    const WRAPPED: [&str; 9] = ["bool", "f32", "f64", "i32", "i64", "u32", "u64", "String", "Vec<u8>"];
    let text: String = match ungrouped(ty) {
        Type::Path(ty) if ty.qself.is_none() => {
            ty.path.segments.last()?.to_token_stream().into_iter().map(|token| token.to_string()).collect()
        }
        _ => return None,
    };
    WRAPPED.into_iter().find(|wrapped| text == *wrapped)
}

/// A type by a name that means the same anywhere in the generated code.
fn named(ty: &Type, role: &str, self_ty: &Type) -> syn::Result<TokenStream> {
    if let Type::ImplTrait(_) = ungrouped(ty) {
        let help = "name the type itself; instead of `impl Future<…>`, write `async fn`";
        return Err(mistake(ty, format_args!("{role} can't be `impl Trait`"), help));
    }
    Ok(without_self(ty.to_token_stream(), &self_ty.to_token_stream()))
}

/// `Self`, which is another type in the client, spelt out.
fn without_self(tokens: TokenStream, self_ty: &TokenStream) -> TokenStream {
    let spelt_out = |token| match token {
        TokenTree::Ident(ident) if ident == "Self" => self_ty
            .clone()
            .into_iter()
            .map(|mut token| {
                token.set_span(ident.span());
                token
            })
            .collect(),
        TokenTree::Group(group) => {
            let mut inner = Group::new(group.delimiter(), without_self(group.stream(), self_ty));
            inner.set_span(group.span());
            TokenTree::from(inner).into()
        }
        token => TokenStream::from(token),
    };
    tokens.into_iter().map(spelt_out).collect()
}

/// The type without the invisible group that a `macro_rules!` variable puts around it, and without parentheses.
fn ungrouped(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => ungrouped(&group.elem),
        Type::Paren(paren) => ungrouped(&paren.elem),
        ty => ty,
    }
}

fn docs(attributes: &[Attribute]) -> Vec<Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("doc")).cloned().collect()
}
