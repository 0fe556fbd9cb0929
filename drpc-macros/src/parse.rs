//! The user's item: what it declares, before anything is said about numbers.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Attribute, GenericParam, Generics, Item, Meta, Type, parse_quote};

use crate::args::{MethodArgs, ModuleArgs};
use crate::expand::unread;
use crate::item::{self, Block, Function, Header, Member, Unreadable, flat, is_punct, is_word};
use crate::mistake::{Mistakes, mistake};
use crate::signature::{Call, Surroundings, parameter_name, refused, requests, ungrouped};

/// A module as it was written.
pub(crate) struct Draft {
    /// The type of the `impl`, or the trait of a client.
    pub(crate) ty: Type,
    /// What the `impl` is generic over.
    pub(crate) generics: Generics,
    /// The last name in the type.
    pub(crate) name: Ident,
    pub(crate) docs: Vec<Attribute>,
    /// The lints that are allowed in the block.
    pub(crate) allowed: Vec<TokenStream>,
    pub(crate) handlers: Vec<Handler>,
    /// Whether the type may be served, whatever else is wrong.
    pub(crate) is_servable: bool,
    /// Whether the compiler refuses the block, and would again what is generated of it.
    pub(crate) is_refused: bool,
    /// Where something stands that can't be read, and so is not among the handlers.
    pub(crate) unread: Vec<Span>,
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
    pub(crate) call: Call,
    /// Whether it is only declared here, and stands in another block.
    pub(crate) is_declaration: bool,
}

/// Reads the item under `#[drpc_module]`: what it declares, and what is left of the item to give back. That is the item
/// without `#[method]`; but nothing of a client's `trait`, which nobody can implement, nor of an `impl` whose type the compiler, too,
/// would refuse.
pub(crate) fn parse(
    tokens: TokenStream,
    args: &ModuleArgs,
    mistakes: &mut Mistakes,
) -> (Option<Draft>, TokenStream) {
    let keyword = keyword(&tokens);
    if !keyword.as_ref().is_some_and(|keyword| keyword == "impl" || keyword == "trait") {
        let help = "put `#[drpc_module]` on the `impl` block with the handlers";
        mistakes.add(match syn::parse2::<Item>(tokens.clone()) {
            Ok(_) => mistake(keyword, "expected an `impl` block", help),
            Err(error) => error,
        });
        return (None, tokens);
    }
    let mut block = match item::parse_block(tokens) {
        Ok(block) => block,
        Err(error) => return (None, unread(&args.krate, error.span())),
    };
    for again in block.attrs.extract_if(.., |attribute| is_last(attribute, "drpc_module")) {
        let help = "one type is one module: leave one of them out";
        mistakes.add(mistake(again, "this is a second `#[drpc_module]`", help));
    }
    for async_trait in block.attrs.extract_if(.., |attribute| is_last(attribute, "async_trait")) {
        let help = "leave it out: handlers are `async fn` as they are";
        mistakes.add(mistake(async_trait, "`#[async_trait]` stands on an `impl` of a trait", help));
    }
    let draft = draft(&mut block, args, mistakes);
    let is_clients =
        matches!(block.header, Header::Trait { .. }) && (args.client_only.is_some() || args.faulty);
    let is_refused = matches!(&block.header, Header::Impl { self_ty, .. } if type_name(self_ty).is_err());
    let given_back = if is_clients || is_refused { TokenStream::new() } else { block.give_back() };
    (draft, given_back)
}

/// The first word of an item after its attributes and visibility.
fn keyword(tokens: &TokenStream) -> Option<Ident> {
    tokens.clone().into_iter().find_map(|token| match token {
        TokenTree::Ident(word) if !["pub", "unsafe", "default"].iter().any(|known| word == known) => {
            Some(word)
        }
        _ => None,
    })
}

/// What the block declares; nothing if its type has no name.
fn draft(block: &mut Block, args: &ModuleArgs, mistakes: &mut Mistakes) -> Option<Draft> {
    let before = mistakes.count();
    mistakes.check(check_header(&block.header, args));
    mistakes.check(check_generics(&block.generics, &block.header));
    let ty: Type = match &block.header {
        Header::Impl { self_ty, .. } => (**self_ty).clone(),
        Header::Trait { ident, .. } => parse_quote!(#ident),
    };
    let name = mistakes.check(type_name(&ty));
    if mistakes.count() == before {
        mistakes.check(check_lifetimes(&ty));
    }
    let is_servable = mistakes.count() == before;
    let is_trait = matches!(block.header, Header::Trait { .. });
    let is_part = args.part.is_some();
    let surroundings = Surroundings { self_ty: &ty, generics: &block.generics, is_trait, is_part };
    let lints = unsaid(&LINTS, &block.attrs);
    take_for_methods(&mut block.members, mistakes);
    let mut handlers = Vec::new();
    let mut unread = Vec::new();
    for member in &mut block.members {
        if let Member::Unreadable(unreadable) = member {
            unread.push(unreadable.span);
        }
        let Some(handler) = handler(member, &surroundings, mistakes) else { continue };
        if let Member::Function(function) = member {
            let lints = unsaid(&lints, &function.attrs);
            let lints = lints.iter().map(|lint| Ident::new(lint, Span::call_site()));
            // The first, so that a crate that forbids their group is not told so for each handler.
            function.attrs.push(parse_quote!(#[allow(forbidden_lint_groups, #(clippy::#lints),*)]));
        }
        if let (Member::Function(function), Some(_), true) = (&*member, &args.part, handler.is_declaration) {
            *member = Member::Unreadable(function.to_unreadable());
        }
        if is_trait && !handler.is_declaration {
            let help = "the server's own `impl` has the handlers; end the declaration with `;`";
            mistakes.add(mistake(&handler.ident, "a method of a client has no body", help));
        }
        handlers.push(handler);
    }
    if handlers.is_empty() && unread.is_empty() && mistakes.count() == before {
        mistakes.add(no_method(block, &ty));
    }
    let docs = block.attrs.iter().filter(|attribute| attribute.path().is_ident("doc")).cloned().collect();
    let allowed = block.attrs.iter().filter_map(allowed).collect();
    let unused = unused_parameters(&block.generics, &ty);
    let is_refused = !unused.is_empty();
    let generics = without(block.generics.clone(), &unused);
    Some(Draft { ty, generics, name: name?, docs, allowed, handlers, is_servable, is_refused, unread })
}

/// The lints in `#[allow(…)]` and `#[expect(…)]`.
fn allowed(attribute: &Attribute) -> Option<TokenStream> {
    let list = attribute.meta.require_list().ok()?;
    (list.path.is_ident("allow") || list.path.is_ident("expect")).then(|| list.tokens.clone())
}

/// The lints of clippy that ask of a function what a handler can't do: it takes its module and its request, and says that it may wait or
/// fail, for its callers, whatever its body makes of that, and whatever it is called.
const LINTS: [&str; 6] = [
    "missing_const_for_fn",
    "needless_pass_by_value",
    "unnecessary_wraps",
    "unused_async",
    "unused_self",
    "wrong_self_convention",
];

/// Those of the lints of which the user says nothing.
fn unsaid<'l>(lints: &[&'l str], attributes: &[Attribute]) -> Vec<&'l str> {
    const LEVELS: [&str; 5] = ["allow", "expect", "warn", "deny", "forbid"];
    let lists = attributes.iter().filter_map(|attribute| attribute.meta.require_list().ok());
    let said: Vec<String> = lists
        .filter(|list| LEVELS.iter().any(|level| list.path.is_ident(level)))
        .flat_map(|list| list.tokens.clone())
        .map(|token| token.to_string())
        .collect();
    lints.iter().copied().filter(|lint| !said.iter().any(|said| said == lint)).collect()
}

fn check_header(header: &Header, args: &ModuleArgs) -> syn::Result<()> {
    match (header, &args.client_only) {
        // What is faulty may have been meant to be `client_only`.
        (Header::Trait { .. }, None) if args.faulty => Ok(()),
        (Header::Impl { .. }, Some(client_only)) => {
            let help = "leave it out, or declare the methods in a `trait`";
            let what = "`client_only` stands on a `trait`, whose methods have no bodies";
            Err(mistake(client_only, what, help))
        }
        (Header::Impl { of_trait: Some(path), .. }, None) => {
            let help = "handlers stand in an `impl` block of the type itself";
            Err(mistake(path, "expected an `impl` block without a trait", help))
        }
        (Header::Trait { ident, .. }, None) => {
            let help = "write `impl Greeter { … }`, or add `client_only` to declare a client alone";
            Err(mistake(ident, "expected an `impl` block", help))
        }
        (Header::Trait { supertraits, .. }, Some(_)) if !supertraits.is_empty() => {
            let help = "leave them out: nothing implements this `trait`, it declares a client";
            Err(mistake(supertraits, "a client's `trait` has no supertraits", help))
        }
        _ => Ok(()),
    }
}

/// A module may be generic over what its handlers work with; a client has nothing of that kind.
fn check_generics(generics: &Generics, header: &Header) -> syn::Result<()> {
    if let Header::Trait { .. } = header
        && !generics.params.is_empty()
    {
        let help = "leave the parameters out: what travels is the same for every caller";
        return Err(mistake(&generics.params, "a client can't be generic", help));
    }
    let lifetime = generics.params.iter().find(|parameter| matches!(parameter, GenericParam::Lifetime(_)));
    lifetime.map_or(Ok(()), |lifetime| Err(borrows(lifetime)))
}

/// The parameters of which nothing says what they are: they are neither in the type, nor equal to something (`I: Iterator<Item = T>`).
/// The compiler refuses the `impl` for each.
fn unused_parameters(generics: &Generics, ty: &Type) -> Vec<Ident> {
    let where_clause = &generics.where_clause;
    let bounds = quote!(#generics #where_clause);
    if bounds.into_iter().flat_map(flat).any(|token| is_punct(&token, '=')) {
        return Vec::new();
    }
    let names = generics.params.iter().filter_map(parameter_name);
    names.filter(|name| !does_name(ty, std::slice::from_ref(name))).cloned().collect()
}

/// The rest, for what stands in for the module: a second `impl` with a parameter that nothing uses is a second error.
fn without(mut generics: Generics, unused: &[Ident]) -> Generics {
    let params = generics.params.into_iter();
    generics.params = params
        .filter(|parameter| !parameter_name(parameter).is_some_and(|name| unused.contains(name)))
        .map(|mut parameter| {
            if let GenericParam::Type(parameter) = &mut parameter {
                let bounds = std::mem::take(&mut parameter.bounds).into_iter();
                parameter.bounds = bounds.filter(|bound| !does_name(bound, unused)).collect();
            }
            parameter
        })
        .collect();
    if let Some(clause) = &mut generics.where_clause {
        let predicates = std::mem::take(&mut clause.predicates).into_iter();
        clause.predicates = predicates.filter(|predicate| !does_name(predicate, unused)).collect();
    }
    generics
}

/// Whether one of the names is in it.
fn does_name(tokens: &impl ToTokens, names: &[Ident]) -> bool {
    let mut tokens = tokens.to_token_stream().into_iter().flat_map(flat);
    tokens.any(|token| names.iter().any(|name| is_word(&token, &name.to_string())))
}

/// A server keeps a module for as long as it likes.
fn check_lifetimes(ty: &Type) -> syn::Result<()> {
    let tokens: Vec<TokenTree> = ty.to_token_stream().into_iter().flat_map(flat).collect();
    let names = || {
        tokens.windows(2).filter_map(|two| match two {
            [quote, TokenTree::Ident(name)] if is_punct(quote, '\'') => Some(name),
            _ => None,
        })
    };
    // Those of `for<'a> fn(&'a str)` are the function's own.
    let mut own = Vec::new();
    for at in 0..tokens.len() {
        if is_word(&tokens[at], "for") {
            let bound = tokens[at..].iter().take_while(|token| !is_punct(token, '>'));
            own.extend(bound.filter_map(|token| match token {
                TokenTree::Ident(name) => Some(name),
                _ => None,
            }));
        }
    }
    match names().find(|name| *name != "static" && !own.contains(name)) {
        Some(name) => Err(borrows(name)),
        None => Ok(()),
    }
}

fn borrows(at: impl ToTokens) -> syn::Error {
    let help = "a server keeps it for as long as it runs: write `'static`, or hold a `String` or an `Arc` in place of a reference";
    mistake(at, "a module owns what it holds", help)
}

fn no_method(block: &Block, ty: &Type) -> syn::Error {
    let is_macro =
        |member: &Member| matches!(member, Member::Other { rest, .. } if rest.to_string().contains('!'));
    let (what, help) = match &block.header {
        Header::Trait { .. } => ("this `trait` has no `#[method]`", "mark the methods: `#[method(1)]`"),
        Header::Impl { .. } if block.members.iter().any(is_macro) => (
            "this `impl` has no `#[method]`",
            "methods that a macro makes inside the `impl` can't be seen from here; let it make the whole `impl`",
        ),
        Header::Impl { .. } => ("this `impl` has no `#[method]`", "mark the handlers: `#[method(1)]`"),
    };
    mistake(ty, what, help)
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

/// Reads an item and takes its `#[method]` away; nothing if it has none. A function that the compiler would refuse as we do becomes
/// a stub.
fn handler(member: &mut Member, surroundings: &Surroundings<'_>, mistakes: &mut Mistakes) -> Option<Handler> {
    let (attrs, ident, call, is_declaration) = match member {
        Member::Other { attrs, .. } => {
            for attribute in attrs.extract_if(.., |attribute| is_method(attribute)) {
                let help = "move it to the handler, or leave it out";
                mistakes.add(mistake(attribute, "`#[method]` stands on a function", help));
            }
            return None;
        }
        Member::Function(Function { attrs, signature, has_body, .. }) => {
            let is_handler = attrs.iter().any(is_method);
            let call = match is_handler && refused(signature).is_none() {
                true => surroundings.call(signature, mistakes),
                false => Call::Unknown { requests: requests(signature) },
            };
            (attrs, signature.ident.clone(), call, !*has_body)
        }
        Member::Unreadable(Unreadable { attrs, name, parameters, .. }) => {
            let call = Call::Unknown { requests: parameters.len() };
            let name = name.clone();
            let attribute = take_method(attrs, mistakes)?;
            return Some(with_attributes(name?, attribute, attrs, call, surroundings, mistakes));
        }
    };
    let attribute = take_method(attrs, mistakes)?;
    let mut handler = with_attributes(ident, attribute, attrs, call, surroundings, mistakes);
    handler.is_declaration = is_declaration;
    if let Member::Function(function) = member {
        function.is_declared_alone = is_declaration;
        if let Some(refused) = refused(&function.signature) {
            mistakes.add(refused);
            *member = Member::Unreadable(function.to_unreadable());
        }
    }
    Some(handler)
}

/// Takes `#[rpc(1)]` for `#[method(1)]` in a block that has none of the latter.
fn take_for_methods(members: &mut [Member], mistakes: &mut Mistakes) {
    let mut attributes: Vec<&mut Attribute> = Vec::new();
    for member in members {
        match member {
            Member::Function(function) => attributes.extend(&mut function.attrs),
            Member::Other { attrs, .. } | Member::Unreadable(Unreadable { attrs, .. }) => {
                attributes.extend(attrs);
            }
        }
    }
    if attributes.iter().any(|attribute| {
        is_method(attribute) || is_misspelled_method(attribute) || is_conditional_method(attribute)
    }) {
        return;
    }
    for attribute in attributes {
        let Meta::List(list) = &mut attribute.meta else { continue };
        if let Some(TokenTree::Literal(number)) = list.tokens.clone().into_iter().next()
            && number.to_string().starts_with(|first: char| first.is_ascii_digit())
        {
            let what = format!("unknown attribute `{}`", list.path.to_token_stream());
            mistakes.add(mistake(&list.path, what, format_args!("write `#[method({})]`", list.tokens)));
            list.path = parse_quote!(method);
        }
    }
}

fn with_attributes(
    ident: Ident,
    attribute: Attribute,
    attributes: &[Attribute],
    call: Call,
    surroundings: &Surroundings<'_>,
    mistakes: &mut Mistakes,
) -> Handler {
    let of_kind = |kinds: &[&str]| {
        let is_of_kind = |attribute: &&Attribute| kinds.iter().any(|kind| attribute.path().is_ident(kind));
        attributes.iter().filter(is_of_kind).cloned().collect()
    };
    let args = MethodArgs::parse(&attribute, mistakes);
    // A part says no more of a method than that it has its handler.
    let is_stream_said = match surroundings.is_part {
        true => Ok(()),
        false => check_stream(&args, &attribute, &call),
    };
    let call = match mistakes.check(is_stream_said) {
        Some(()) => call,
        None => {
            Call::Unknown { requests: usize::from(call.known().is_some_and(|call| call.request().is_some())) }
        }
    };
    Handler {
        ident,
        args,
        attribute,
        notes: of_kind(&["doc", "deprecated"]),
        cfgs: of_kind(&["cfg"]),
        call,
        is_declaration: false,
    }
}

/// Whether a handler that takes or returns a stream says so, and the other way round.
fn check_stream(args: &MethodArgs, attribute: &Attribute, call: &Call) -> syn::Result<()> {
    let streams = call.known().map(|call| (call.streams(), call.taken_item().is_some()));
    match (streams, &args.stream) {
        (Some((true, _) | (_, true)), None) if !args.faulty => {
            let help = "say it to those who read the attribute, too: `#[method(4, stream)]`";
            let does = if let Some((true, _)) = streams { "returns" } else { "takes" };
            Err(mistake(attribute, format_args!("a handler that {does} a stream has the key `stream`"), help))
        }
        (Some((false, false)), Some(stream)) => {
            let help = "let the handler take an `Incoming<Piece>`, or return `impl Stream<Item = Result<Event, Failure>>`, or a `Result` of \
                        that; else leave `stream` out";
            Err(mistake(stream, "`stream` is for a handler that takes or returns one", help))
        }
        _ => Ok(()),
    }
}

/// Takes `#[method]` out of an item's attributes, if it is there.
fn take_method(attributes: &mut Vec<Attribute>, mistakes: &mut Mistakes) -> Option<Attribute> {
    for conditional in attributes.extract_if(.., |attribute| is_conditional_method(attribute)) {
        let help = "write `#[method(…)]` by itself and put `#[cfg(…)]` on the handler";
        mistakes.add(mistake(conditional, "`#[method]` can't be conditional", help));
    }
    if !attributes.iter().any(is_method)
        && let Some(attribute) = attributes.iter_mut().find(|attribute| is_misspelled_method(attribute))
    {
        let what = format!("unknown attribute `{}`", attribute.path().to_token_stream());
        mistakes.add(mistake(attribute.path(), what, "did you mean `method`?"));
        match &mut attribute.meta {
            Meta::Path(path) => *path = parse_quote!(method),
            Meta::List(list) => list.path = parse_quote!(method),
            Meta::NameValue(meta) => meta.path = parse_quote!(method),
        }
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
    if attribute.path().segments.len() > 1 {
        let help = "write `#[method(…)]`: the word belongs to `#[drpc_module]`, and is nothing to import";
        mistakes.add(mistake(attribute.path(), "`#[method]` stands by itself", help));
    }
    Some(attribute)
}

/// Whether it is the attribute of the name, by whatever path.
fn is_last(attribute: &Attribute, name: &str) -> bool {
    attribute.path().segments.last().is_some_and(|last| last.ident == name)
}

/// `#[method]`, or what is meant to be it.
fn is_method(attribute: &Attribute) -> bool {
    let segments = &attribute.path().segments;
    let is_ours = segments.len() == 1 || segments.first().is_some_and(|first| first.ident == "drpc");
    is_ours && segments.last().is_some_and(|last| last.ident == "method")
}

/// `#[methods]`
fn is_misspelled_method(attribute: &Attribute) -> bool {
    let name = attribute.path().get_ident().map(Ident::to_string);
    name.is_some_and(|name| name != "method" && drpc_registry::closest(&name, ["method"]).is_some())
}

/// `#[cfg_attr(condition, method(1))]`, which the compiler has not decided yet.
fn is_conditional_method(attribute: &Attribute) -> bool {
    let Meta::List(list) = &attribute.meta else { return false };
    let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
    let is_method = |token: TokenTree| matches!(token, TokenTree::Ident(ident) if ident == "method");
    list.path.is_ident("cfg_attr")
        && list.tokens.clone().into_iter().skip_while(|token| !is_comma(token)).any(is_method)
}
