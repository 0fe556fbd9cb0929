//! How a handler is called: what can be told from its signature. What a type is, the compiler says.

use std::mem;

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::{
    FnArg, GenericArgument, GenericParam, Generics, Lifetime, Pat, PatType, Path, PathArguments, Receiver,
    ReceiverKind, ReturnType, Safety, Signature, Type, TypeParamBound,
};

use crate::item::{flat, is_punct, is_word};
use crate::mistake::{Mistakes, mistake};

/// How a handler is called.
#[derive(Clone)]
pub(crate) enum Call {
    Known(KnownCall),
    /// It is no handler's signature, which has been reported: a call may take this many requests.
    Unknown {
        requests: usize,
    },
}

/// How a handler is called.
#[derive(Clone)]
pub(crate) struct KnownCall {
    pub(crate) is_async: bool,
    /// Whether it takes `&self`; else only the compiler knows what its `self` is.
    pub(crate) takes_reference: bool,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) outcome: Outcome,
}

/// A parameter besides `self`.
#[derive(Clone)]
pub(crate) enum Parameter {
    Request {
        name: Ident,
        ty: TokenStream,
    },
    /// A reference: only the compiler knows whether it is one to the context.
    Context {
        ty: TokenStream,
    },
    /// `Incoming`: the stream that the caller sends.
    Incoming {
        item: TokenStream,
    },
}

/// What a handler returns.
#[derive(Clone)]
pub(crate) enum Outcome {
    Nothing,
    /// A type: only the compiler knows whether it is the reply itself, or a `Result` by another name.
    Type(TokenStream),
    /// A `Result` of the reply and of an error.
    Result {
        reply: TokenStream,
        error: ErrorType,
    },
    /// `impl Stream` of `Result`s of an item, in a `Result` or not.
    Stream {
        item: TokenStream,
        /// What the stream may fail with.
        error: ErrorType,
        /// What the handler may fail with before there is a stream.
        refusal: Option<ErrorType>,
    },
}

/// What a `Result` fails with.
#[derive(Clone)]
pub(crate) struct ErrorType {
    /// The type; or that of the whole `Result`, which stands in for one that is not written (`io::Result<Hello>`).
    pub(crate) ty: TokenStream,
    is_written: bool,
    /// Whether it has a lifetime that ends.
    pub(crate) borrows: bool,
}

impl Call {
    pub(crate) fn known(&self) -> Option<&KnownCall> {
        match self {
            Call::Known(call) => Some(call),
            Call::Unknown { .. } => None,
        }
    }
}

impl KnownCall {
    pub(crate) fn request(&self) -> Option<(&Ident, &TokenStream)> {
        self.parameters.iter().find_map(|parameter| match parameter {
            Parameter::Request { name, ty } => Some((name, ty)),
            Parameter::Context { .. } | Parameter::Incoming { .. } => None,
        })
    }

    /// What the items are that the handler takes, if it takes a stream of them.
    pub(crate) fn taken_item(&self) -> Option<&TokenStream> {
        self.parameters.iter().find_map(|parameter| match parameter {
            Parameter::Incoming { item } => Some(item),
            Parameter::Request { .. } | Parameter::Context { .. } => None,
        })
    }

    pub(crate) fn request_type(&self) -> Option<&TokenStream> {
        self.request().map(|(_, ty)| ty)
    }

    /// What the handler returns, or the reply in its `Result`; nothing if it returns a stream.
    pub(crate) fn reply_type(&self) -> Option<&TokenStream> {
        match &self.outcome {
            Outcome::Nothing | Outcome::Stream { .. } => None,
            Outcome::Type(ty) | Outcome::Result { reply: ty, .. } => Some(ty),
        }
    }

    /// What the items are that the handler returns, if it returns a stream of them.
    pub(crate) fn returned_item(&self) -> Option<&TokenStream> {
        match &self.outcome {
            Outcome::Stream { item, .. } => Some(item),
            Outcome::Nothing | Outcome::Type(_) | Outcome::Result { .. } => None,
        }
    }

    /// Whether the handler returns a stream.
    pub(crate) fn streams(&self) -> bool {
        matches!(self.outcome, Outcome::Stream { .. })
    }

    /// What the handler and its stream may fail with, as far as the types are written, and can be named elsewhere, too.
    pub(crate) fn error_types(&self) -> Vec<&TokenStream> {
        let errors = match &self.outcome {
            Outcome::Nothing | Outcome::Type(_) => [None, None],
            Outcome::Result { error, .. } => [Some(error), None],
            Outcome::Stream { error, refusal, .. } => [refusal.as_ref(), Some(error)],
        };
        let can_be_named = |error: &&ErrorType| error.is_written && !error.borrows && !is_opaque(&error.ty);
        errors.into_iter().flatten().filter(can_be_named).map(|error| &error.ty).collect()
    }
}

impl ErrorType {
    /// The error of a `Result`, in which it may be written.
    fn of(whole: &Type, error: Option<&Type>) -> Self {
        let ty = error.unwrap_or(whole).to_token_stream();
        let borrows = match error {
            Some(_) => borrows(&ty),
            // What is written may borrow where the error does not.
            None => borrows(&without_types(whole)),
        };
        ErrorType { ty, is_written: error.is_some(), borrows }
    }
}

/// A `Result` without the types in it.
fn without_types(whole: &Type) -> TokenStream {
    let mut whole = ungrouped(whole).clone();
    if let Type::Path(path) = &mut whole
        && let Some(last) = path.path.segments.last_mut()
        && let PathArguments::AngleBracketed(arguments) = &mut last.arguments
    {
        let others = mem::take(&mut arguments.args).into_iter();
        arguments.args = others.filter(|argument| !matches!(argument, GenericArgument::Type(_))).collect();
    }
    whole.to_token_stream()
}

/// Whether a type has a lifetime that ends.
pub(crate) fn borrows(ty: &TokenStream) -> bool {
    let tokens: Vec<TokenTree> = ty.clone().into_iter().flat_map(flat).collect();
    let is_static = |token: Option<&TokenTree>| token.is_some_and(|token| is_word(token, "static"));
    (0..tokens.len()).any(|at| {
        let is_reference =
            is_punct(&tokens[at], '&') && !tokens.get(at + 1).is_some_and(|next| is_punct(next, '\''));
        is_reference || is_punct(&tokens[at], '\'') && !is_static(tokens.get(at + 1))
    })
}

/// Whether a type is one of `impl Error`, or to be inferred.
fn is_opaque(ty: &TokenStream) -> bool {
    ty.clone().into_iter().flat_map(flat).any(|token| is_word(&token, "impl") || is_word(&token, "_"))
}

/// What the types in a signature may refer to.
pub(crate) struct Surroundings<'a> {
    pub(crate) self_ty: &'a Type,
    pub(crate) generics: &'a Generics,
    /// Whether it is of a client's `trait`, which is no type.
    pub(crate) is_trait: bool,
    /// Whether it is of a block whose methods another one declares.
    pub(crate) is_part: bool,
}

impl Surroundings<'_> {
    /// Reads a signature.
    pub(crate) fn call(&self, signature: &Signature, mistakes: &mut Mistakes) -> Call {
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
                    self.parameter(input).and_then(|parameter| parameter.not_twice(&parameters, input));
                parameters.extend(mistakes.check(parameter));
            }
        }
        let outcome = mistakes.check(self.outcome(&signature.output));
        match outcome {
            Some(outcome) if mistakes.count() == before => {
                let is_async = signature.asyncness.is_some();
                let takes_reference = signature
                    .receiver()
                    .is_some_and(|receiver| matches!(receiver.kind, ReceiverKind::Reference(..)));
                Call::Known(KnownCall { is_async, takes_reference, parameters, outcome })
            }
            _ => Call::Unknown { requests: requests(signature) },
        }
    }

    /// By reference is the context, by value is the request, or the stream that the caller sends.
    fn parameter(&self, input: &PatType) -> syn::Result<Parameter> {
        if let Some(attribute) = input.attrs.iter().find(|attribute| attribute.path().is_ident("cfg")) {
            let help = "put `#[cfg(…)]` on two handlers, one for either case";
            return Err(mistake(attribute, "a handler's parameter can't be conditional", help));
        }
        match ungrouped(&input.ty) {
            Type::Reference(reference) if reference.mutability.is_some() => {
                let help = match incoming_types(&reference.elem) {
                    Some(_) => "the stream is taken by value, as `mut pieces: Incoming<Piece>` if you like",
                    None => {
                        "the context is `&Context`; a request is taken by value, as `mut request: Hello` if you like"
                    }
                };
                Err(mistake(&input.ty, "a handler takes nothing by `&mut`", help))
            }
            Type::Reference(reference) => {
                Ok(Parameter::Context { ty: self.travelling(&reference.elem, "a reference")? })
            }
            ty => match incoming_types(ty).as_deref() {
                Some([item]) => Ok(Parameter::Incoming { item: self.payload(item, "an item")? }),
                Some(_) => {
                    let help = "write `Incoming<Piece>`, or `Incoming<Bytes>` for bodies as they are";
                    Err(mistake(ty, "`Incoming` says what its items are", help))
                }
                None => {
                    let name = match &*input.pat {
                        Pat::Ident(pat) if !pat.ident.to_string().starts_with('_') => pat.ident.clone(),
                        _ => format_ident!("__request"),
                    };
                    Ok(Parameter::Request { name, ty: self.payload(ty, "a request")? })
                }
            },
        }
    }

    /// A `Result` with arguments holds the reply and the error.
    fn outcome(&self, output: &ReturnType) -> syn::Result<Outcome> {
        let ReturnType::Type(_, whole) = output else { return Ok(Outcome::Nothing) };
        if let Some(item) = stream_item(whole) {
            let (item, error) = self.item(item)?;
            return Ok(Outcome::Stream { item, error, refusal: None });
        }
        let Some((reply, error)) = result_types(whole) else {
            check_alias(whole)?;
            return self.payload(whole, "a reply").map(Outcome::Type);
        };
        let failing = ErrorType::of(whole, error);
        if let Some(item) = stream_item(reply) {
            error.map_or(Ok(()), |error| check_named(error, "an error"))?;
            let (item, error) = self.item(item)?;
            return Ok(Outcome::Stream { item, error, refusal: Some(failing) });
        }
        let reply = self.payload(reply, "a reply")?;
        error.map_or(Ok(()), |error| check_named(error, "an error"))?;
        Ok(Outcome::Result { reply, error: failing })
    }

    /// The message in an item of a stream, which is a `Result` of it, and what the stream may fail with.
    fn item(&self, item: &Type) -> syn::Result<(TokenStream, ErrorType)> {
        match result_types(item) {
            Some((message, error)) => Ok((self.payload(message, "an item")?, ErrorType::of(item, error))),
            None => {
                let help = "write `impl Stream<Item = Result<Event, Failure>>`; a stream that can't fail gives `Ok` alone";
                Err(mistake(item, "an item of a stream is a `Result`", help))
            }
        }
    }

    /// The type of something that travels.
    fn payload(&self, ty: &Type, role: &str) -> syn::Result<TokenStream> {
        if let Type::Reference(_) = ungrouped(ty) {
            let help = match ungrouped(ty) {
                Type::Reference(ty) if is_unsized(&ty.elem) => {
                    "return an owned value: a prost message, or `bytes::Bytes` for the body as it is"
                }
                _ => "leave the `&` out: what travels is owned",
            };
            return Err(mistake(ty, format_args!("{role} is given by value"), help));
        }
        if let Type::Never(_) = ungrouped(ty) {
            return Err(never(ty, role));
        }
        if let Some(name) = wrapped_by_prost(with_descriptors(ty).unwrap_or(ty)) {
            let help = "prost would wrap it in a message of its own: name a message, or take the body as it is with `drpc::Bytes`";
            return Err(mistake(ty, format_args!("{role} can't be a bare `{name}`"), help));
        }
        self.travelling(ty, role)
    }

    /// A type that means the same anywhere in the generated code.
    fn travelling(&self, ty: &Type, role: &str) -> syn::Result<TokenStream> {
        let tokens = ty.to_token_stream();
        if find_ident(tokens.clone(), &|name| name == "impl").is_some() {
            return Err(unnamed(ty, role));
        }
        if self.is_trait
            && let Some(name) = find_ident(tokens.clone(), &|name| name == "Self")
        {
            let help = "name the message itself: nothing implements this `trait`, it declares a client";
            return Err(mistake(name, format_args!("{role} can't be of the type `Self` here"), help));
        }
        let is_parameter = |name: &Ident| {
            name == "Self"
                || self.generics.params.iter().any(|parameter| parameter_name(parameter) == Some(name))
        };
        if !self.generics.params.is_empty()
            && let Some(parameter) = find_ident(tokens.clone(), &is_parameter)
        {
            let what = format!("{role} can't be of a type that depends on `{parameter}`");
            let help = "callers know one message, whatever the module is generic over: name that";
            return Err(mistake(parameter, what, help));
        }
        Ok(without_self(tokens, self.self_ty))
    }
}

fn never(ty: &Type, role: &str) -> syn::Error {
    let help = "every call is answered: name a message, or leave the type out for an empty reply";
    mistake(ty, format_args!("{role} can't be `!`"), help)
}

fn check_named(ty: &Type, role: &str) -> syn::Result<()> {
    let Type::ImplTrait(_) = ungrouped(ty) else { return Ok(()) };
    Err(unnamed(ty, role))
}

fn unnamed(ty: &Type, role: &str) -> syn::Error {
    let is_stream = find_ident(ty.to_token_stream(), &|name| name == "Stream").is_some();
    let help = match (is_stream, role) {
        (true, "a request") => "write `Incoming<Piece>` for a stream that the caller sends",
        _ => "name the type itself; instead of `impl Future<…>`, write `async fn`",
    };
    mistake(ty, format_args!("{role} can't be `impl Trait`"), help)
}

/// What a stream is in can only be told by its name.
fn check_alias(ty: &Type) -> syn::Result<()> {
    let has = |word: &str| find_ident(ty.to_token_stream(), &|name| name == word).is_some();
    if matches!(ungrouped(ty), Type::ImplTrait(_)) || !has("impl") || !has("Stream") {
        return Ok(());
    }
    let help = "write `Result<impl Stream<…>, E>`";
    Err(mistake(ty, "an alias of `Result` can't be seen through here", help))
}

pub(crate) fn parameter_name(parameter: &GenericParam) -> Option<&Ident> {
    match parameter {
        GenericParam::Type(parameter) => Some(&parameter.ident),
        GenericParam::Const(parameter) => Some(&parameter.ident),
        _ => None,
    }
}

/// How many parameters are neither references nor streams.
pub(crate) fn requests(signature: &Signature) -> usize {
    let is_request = |input: &&FnArg| match input {
        FnArg::Typed(input) => {
            !matches!(ungrouped(&input.ty), Type::Reference(_)) && incoming_types(&input.ty).is_none()
        }
        FnArg::Receiver(_) => false,
    };
    signature.inputs.iter().filter(is_request).count()
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

/// What `self` is by its type, the compiler says.
fn check_receiver(signature: &Signature) -> syn::Result<()> {
    let Some(receiver) = signature.receiver() else {
        let what = "a handler takes `&self`";
        if let Some(FnArg::Typed(first)) = signature.inputs.first()
            && find_ident(first.ty.to_token_stream(), &|name| name == "Self").is_some()
            && let Type::Reference(_) = ungrouped(&first.ty)
        {
            return Err(mistake(first, what, "write `&self`: only by that name it is the module"));
        }
        return Err(mistake(&signature.ident, what, "add `&self` as the first parameter"));
    };
    let help = match &receiver.kind {
        ReceiverKind::Reference(_, Some(lifetime), _) if is_static(lifetime) => {
            "a call does not live as long: write `&self`, or `self: Arc<Self>` for work that goes on"
        }
        ReceiverKind::Reference(_, _, None) => return Ok(()),
        ReceiverKind::Typed(_, ty) => match ungrouped(ty) {
            Type::Reference(ty) if ty.mutability.is_some() => SHARED,
            _ => return Ok(()),
        },
        _ => SHARED,
    };
    let receiver: &Receiver = receiver;
    Err(mistake(receiver, "a handler takes `&self`", help))
}

const SHARED: &str =
    "calls run side by side on one module: write `&self`, and keep what changes in a `Mutex` or an atomic";

fn is_static(lifetime: &Lifetime) -> bool {
    lifetime.ident == "static"
}

impl Parameter {
    fn not_twice(self, others: &[Parameter], input: &PatType) -> syn::Result<Self> {
        let (what, help) = match self {
            Parameter::Request { .. } => (
                "a handler takes one request",
                "put the second into the message, or take `&Context` if that is meant",
            ),
            Parameter::Context { .. } => {
                ("a handler takes one reference, the context", "leave one of them out")
            }
            Parameter::Incoming { .. } => (
                "a handler takes one stream",
                "let the items be of one message, with a `oneof` of what they may be",
            ),
        };
        let is_same = |other: &Parameter| mem::discriminant(other) == mem::discriminant(&self);
        if others.iter().any(is_same) { Err(mistake(input, what, help)) } else { Ok(self) }
    }
}

/// The types in `Result<…>`, the second of which need not be in sight (`io::Result<T>`); nothing for another type, and for a message
/// that is named `Result`.
fn result_types(ty: &Type) -> Option<(&Type, Option<&Type>)> {
    let Type::Path(ty) = ungrouped(ty) else { return None };
    let last = ty.path.segments.last()?;
    match &last.arguments {
        PathArguments::AngleBracketed(arguments) if last.ident == "Result" => {
            let mut types = arguments.args.iter().filter_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            });
            Some((types.next()?, types.next()))
        }
        _ => None,
    }
}

/// The types in `Incoming<…>`, of which there is one; nothing for another type, and for a message that is named `Incoming`.
fn incoming_types(ty: &Type) -> Option<Vec<&Type>> {
    arguments_of(ty, "Incoming")
}

/// The types between the angle brackets of a type of the name, if it has such.
fn arguments_of<'t>(ty: &'t Type, name: &str) -> Option<Vec<&'t Type>> {
    let Type::Path(ty) = ungrouped(ty) else { return None };
    let last = ty.path.segments.last().filter(|last| last.ident == name)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    let types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    Some(types.collect())
}

/// What the items of a stream are, of `impl Stream<Item = …>`.
fn stream_item(ty: &Type) -> Option<&Type> {
    let Type::ImplTrait(ty) = ungrouped(ty) else { return None };
    ty.bounds.iter().find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else { return None };
        let last = bound.path.segments.last().filter(|last| last.ident == "Stream")?;
        let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
        arguments.args.iter().find_map(|argument| match argument {
            GenericArgument::AssocType(item) if item.ident == "Item" => Some(&item.ty),
            _ => None,
        })
    })
}

/// The message in `WithFds<…>`.
fn with_descriptors(ty: &Type) -> Option<&Type> {
    match &*arguments_of(ty, "WithFds")? {
        [message] => Some(message),
        _ => None,
    }
}

/// The types that are messages to prost (google.protobuf.StringValue and its like), and to nobody's surprise but here.
fn wrapped_by_prost(ty: &Type) -> Option<&'static str> {
    const WRAPPED: [&str; 9] = ["bool", "f32", "f64", "i32", "i64", "u32", "u64", "String", "Vec<u8>"];
    // By a path to elsewhere, it is a message of that name.
    let is_standard = |path: &Path| {
        let mut before = path.segments.iter().rev().skip(1);
        path.segments.len() == 1
            || before.any(|segment| ["std", "core", "alloc"].iter().any(|name| segment.ident == name))
    };
    let text: String = match ungrouped(ty) {
        Type::Path(ty) if ty.qself.is_none() && is_standard(&ty.path) => {
            ty.path.segments.last()?.to_token_stream().into_iter().map(|token| token.to_string()).collect()
        }
        _ => return None,
    };
    WRAPPED.into_iter().find(|wrapped| text == *wrapped)
}

/// A mistake that the compiler, too, would tell of, and again at each use of the type in generated code.
pub(crate) fn refused(signature: &Signature) -> Option<syn::Error> {
    let of_parameters = signature.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(input) => Some(&*input.ty),
        FnArg::Receiver(_) => None,
    });
    let output = match &signature.output {
        ReturnType::Type(_, ty) => Some(&**ty),
        ReturnType::Default => None,
    };
    let placeholder = |ty: &Type| placeholder(ty.to_token_stream());
    if let Some(placeholder) = of_parameters.clone().chain(output).find_map(placeholder) {
        let help = "name the type: callers are told of it";
        return Some(mistake(placeholder, "a handler's types are written out", help));
    }
    if let Some(ty) = of_parameters.clone().find(|ty| is_unsized(ty)) {
        let help = "take an owned value: a prost message, or `bytes::Bytes` for the body as it came";
        return Some(mistake(ty, "a request is taken by value, and this has no size", help));
    }
    let (reply, error) = match result_types(output?) {
        Some((reply, error)) => (reply, error),
        None => (output?, None),
    };
    if is_unsized(reply) {
        let help = "return an owned value: a prost message, or `bytes::Bytes` for the body as it is";
        return Some(mistake(reply, "a reply is returned by value, and this has no size", help));
    }
    if let (Type::Never(_), Some(_)) = (ungrouped(reply), error) {
        return Some(never(reply, "a reply"));
    }
    let error = error.filter(|error| is_unsized(error))?;
    let help = match ungrouped(error) {
        Type::TraitObject(_) => format!("write `Box<{}>`", written(error)),
        _ => "write `String`, or `&'static str`".to_owned(),
    };
    Some(mistake(error, "an error is returned by value, and this has no size", help))
}

/// The type as it is written, without the spaces between tokens.
fn written(ty: &Type) -> String {
    let text = ty.to_token_stream().to_string();
    let signs = [(" :: ", "::"), (" < ", "<"), (" >", ">"), (" ,", ","), ("' ", "'")];
    signs.iter().fold(text, |text, (spaced, sign)| text.replace(spaced, sign))
}

fn is_unsized(ty: &Type) -> bool {
    match ungrouped(ty) {
        Type::Slice(_) | Type::TraitObject(_) => true,
        Type::Path(ty) => ty.path.is_ident("str"),
        _ => false,
    }
}

/// A type that is left to be found out: `_`, which is something else in a lifetime, and in an expression.
fn placeholder(tokens: TokenStream) -> Option<Ident> {
    let mut quote = false;
    tokens.into_iter().find_map(|token| {
        let is_lifetime = mem::replace(&mut quote, is_punct(&token, '\''));
        match token {
            TokenTree::Ident(ident) if ident == "_" && !is_lifetime => Some(ident),
            TokenTree::Group(group) if group.delimiter() != Delimiter::Brace => placeholder(group.stream()),
            _ => None,
        }
    })
}

/// `Self`, which is another type in the client, spelt out.
pub(crate) fn without_self(tokens: TokenStream, self_ty: &Type) -> TokenStream {
    // Before `::`, an expression has a type with arguments in angle brackets of its own: `<Pools<u8>>::new`.
    let has_arguments = self_ty.to_token_stream().into_iter().any(|token| is_punct(&token, '<'));
    let mut tokens = tokens.into_iter().peekable();
    let mut spelt_out = TokenStream::new();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(ident) if ident == "Self" => {
                let is_in_path = tokens.peek().is_some_and(|next| is_punct(next, ':'));
                let ty = match is_in_path && has_arguments {
                    true => quote!(<#self_ty>),
                    false => self_ty.to_token_stream(),
                };
                spelt_out.extend(ty.into_iter().map(|mut token| {
                    token.set_span(ident.span());
                    token
                }));
            }
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), without_self(group.stream(), self_ty));
                inner.set_span(group.span());
                spelt_out.extend([TokenTree::from(inner)]);
            }
            token => spelt_out.extend([token]),
        }
    }
    spelt_out
}

/// The first name that is wanted, at any depth.
fn find_ident(tokens: TokenStream, wanted: &dyn Fn(&Ident) -> bool) -> Option<Ident> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) if wanted(&ident) => Some(ident),
        TokenTree::Group(group) => find_ident(group.stream(), wanted),
        _ => None,
    })
}

/// The type without the invisible group that a `macro_rules!` variable puts around it, and without parentheses.
pub(crate) fn ungrouped(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => ungrouped(&group.elem),
        Type::Paren(paren) => ungrouped(&paren.elem),
        ty => ty,
    }
}
