//! Takes an `impl` block or a `trait` apart, without looking into the bodies of its functions.
//!
//! Nobody here needs them. So they cost nothing, they may be unfinished while somebody types, and they are given back
//! token for token. An item that can't be read costs the block that item alone: the compiler, which reads the block before any
//! macro does, has told of it already.

use std::mem;

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{
    Attribute, FnArg, Generics, Path, Signature, Token, Type, TypeParamBound, Visibility, WhereClause,
};

/// A block of items.
pub(crate) struct Block {
    /// Outer and inner.
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) header: Header,
    pub(crate) generics: Generics,
    pub(crate) members: Vec<Member>,
    /// The tokens from the keyword to the braces.
    head: TokenStream,
    braces: Span,
}

/// What the block belongs to.
pub(crate) enum Header {
    Impl { of_trait: Option<Path>, self_ty: Box<Type> },
    Trait { ident: Ident, supertraits: Punctuated<TypeParamBound, Token![+]> },
}

/// An item of a block.
pub(crate) enum Member {
    Function(Function),
    /// A constant, a type or a macro.
    Other {
        attrs: Vec<Attribute>,
        rest: TokenStream,
    },
    Unreadable(Unreadable),
}

/// A function, or the declaration of one.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) signature: Box<Signature>,
    /// Whether it ends in braces; else in a semicolon.
    pub(crate) has_body: bool,
    /// Whether that is meant: the function stands in another block.
    pub(crate) is_declared_alone: bool,
    /// All that stands behind the attributes.
    rest: TokenStream,
}

/// What is no item, but was meant to be one: as far as it can be told, a function.
pub(crate) struct Unreadable {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) name: Option<Ident>,
    /// The parameters' types besides `self`, as far as they can be read.
    pub(crate) parameters: Vec<Option<Type>>,
    pub(crate) span: Span,
    is_async: bool,
}

impl Block {
    /// The block, without what can't be read, for which there are stubs.
    pub(crate) fn give_back(&self) -> TokenStream {
        let (outer, inner): (Vec<_>, Vec<_>) =
            self.attrs.iter().partition(|attribute| matches!(attribute.style, syn::AttrStyle::Outer));
        let head = &self.head;
        let members = self.members.iter().map(Member::give_back);
        let mut braces = Group::new(Delimiter::Brace, quote!(#(#inner)* #(#members)*));
        braces.set_span(self.braces);
        quote!(#(#outer)* #head #braces)
    }
}

impl Member {
    fn give_back(&self) -> TokenStream {
        match self {
            Member::Function(function) if function.is_declared_alone => TokenStream::new(),
            Member::Function(Function { attrs, rest, .. }) | Member::Other { attrs, rest } => {
                quote!(#(#attrs)* #rest)
            }
            Member::Unreadable(unreadable) => unreadable.stub(),
        }
    }
}

impl Function {
    /// A function of the same name that takes what this one takes, where there is a mistake that the compiler would tell of again.
    pub(crate) fn to_unreadable(&self) -> Unreadable {
        let Function { attrs, signature, .. } = self;
        let parameters =
            signature.inputs.iter().filter(|input| matches!(input, FnArg::Typed(_))).map(|_| None);
        Unreadable {
            attrs: attrs.clone(),
            parameters: parameters.collect(),
            span: signature.ident.span(),
            is_async: signature.asyncness.is_some(),
            name: Some(signature.ident.clone()),
        }
    }
}

impl Unreadable {
    /// A function that takes anything where it is not known what, and never returns.
    fn stub(&self) -> TokenStream {
        let Some(name) = &self.name else { return TokenStream::new() };
        let asyncness = self.is_async.then(|| quote!(async));
        let parameters = self.parameters.iter().map(|ty| match ty {
            Some(ty) => ty.to_token_stream(),
            None => quote!(impl ::core::marker::Sized),
        });
        quote! {
            #asyncness fn #name(&self, #(_: #parameters),*) -> ! {
                loop {}
            }
        }
    }
}

/// Reads an `impl` block or a `trait`; an error is one of its head.
pub(crate) fn parse_block(tokens: TokenStream) -> syn::Result<Block> {
    let mut head: Vec<TokenTree> = tokens.into_iter().collect();
    let content = match head.pop() {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => group,
        last => return Err(syn::Error::new_spanned(last, "expected braces")),
    };
    let (mut attrs, header, generics, head) = block_head.parse2(head.into_iter().collect())?;
    let (inner, items) = items(content.stream());
    attrs.extend(Attribute::parse_inner.parse2(inner)?);
    let members = items.into_iter().map(member).collect();
    let head = head.into_iter().map(unhelpful).collect();
    Ok(Block { attrs, header, generics, members, head, braces: content.span() })
}

/// All that stands before the braces: attributes, header and generics, and the latter two as they were written.
fn block_head(input: ParseStream<'_>) -> syn::Result<(Vec<Attribute>, Header, Generics, TokenStream)> {
    let attrs = input.call(Attribute::parse_outer)?;
    let head = input.fork().parse::<TokenStream>()?;
    let is_impl = head.clone().into_iter().any(|token| is_word(&token, "impl"));
    let (header, generics) = if is_impl { impl_head(input)? } else { trait_head(input)? };
    Ok((attrs, header, generics, head))
}

fn impl_head(input: ParseStream<'_>) -> syn::Result<(Header, Generics)> {
    // The compiler refuses both here, of a block that it has back.
    input.parse::<Visibility>()?;
    input.parse::<Option<Token![default]>>()?;
    input.parse::<Option<Token![unsafe]>>()?;
    input.parse::<Token![impl]>()?;
    let mut generics: Generics = if input.peek(Token![<]) { input.parse()? } else { Generics::default() };
    let mut self_ty: Type = input.parse()?;
    let mut of_trait = None;
    if input.parse::<Option<Token![for]>>()?.is_some() {
        let Type::Path(path) = self_ty else {
            return Err(syn::Error::new_spanned(self_ty, "expected a trait"));
        };
        of_trait = Some(path.path);
        self_ty = input.parse()?;
    }
    generics.where_clause = input.parse()?;
    Ok((Header::Impl { of_trait, self_ty: Box::new(self_ty) }, generics))
}

fn trait_head(input: ParseStream<'_>) -> syn::Result<(Header, Generics)> {
    input.parse::<Visibility>()?;
    input.parse::<Option<Token![unsafe]>>()?;
    input.parse::<Token![trait]>()?;
    let ident = input.parse()?;
    let mut generics: Generics = input.parse()?;
    let mut supertraits = Punctuated::new();
    if input.parse::<Option<Token![:]>>()?.is_some() {
        while !(input.peek(Token![where]) || input.is_empty()) {
            supertraits.push_value(input.parse()?);
            match input.parse()? {
                Some(plus) => supertraits.push_punct(plus),
                None => break,
            }
        }
    }
    generics.where_clause = input.parse::<Option<WhereClause>>()?;
    Ok((Header::Trait { ident, supertraits }, generics))
}

/// The keyword `impl`, at its place, but as if it were generated: the compiler then does not advise to declare a misspelled type as a
/// parameter of the block, and its error is the same wherever the type stands in generated code, so that it is shown once.
fn unhelpful(mut token: TokenTree) -> TokenTree {
    if is_word(&token, "impl") {
        token.set_span(Span::call_site().located_at(token.span()));
    }
    token
}

/// An item's attributes, and the rest of it.
struct Item {
    attrs: TokenStream,
    rest: Vec<TokenTree>,
}

/// What stands between braces: inner attributes, and item by item.
fn items(tokens: TokenStream) -> (TokenStream, Vec<Item>) {
    let mut tokens = tokens.into_iter().peekable();
    let mut inner = TokenStream::new();
    let mut items = Vec::new();
    while tokens.peek().is_some() {
        let mut attrs = TokenStream::new();
        while let Some(hash) = tokens.next_if(|token| is_punct(token, '#')) {
            let bang = tokens.next_if(|token| is_punct(token, '!'));
            let of_block = bang.is_some() && items.is_empty() && attrs.is_empty();
            let attr = if of_block { &mut inner } else { &mut attrs };
            attr.extend([hash].into_iter().chain(bang));
            attr.extend(tokens.next_if(|token| matches!(token, TokenTree::Group(_))));
        }
        if tokens.peek().is_none() && attrs.is_empty() {
            break;
        }
        if let Some(TokenTree::Group(group)) = tokens.next_if(is_item) {
            let (inner_of_group, mut of_group) = self::items(group.stream());
            inner.extend(inner_of_group);
            if let Some(first) = of_group.first_mut() {
                attrs.extend(mem::replace(&mut first.attrs, TokenStream::new()));
                first.attrs = attrs;
            }
            items.extend(of_group);
            continue;
        }
        let mut rest: Vec<TokenTree> = Vec::new();
        let mut angles = 0;
        while let Some(token) = tokens.next() {
            let arrow = rest.last().is_some_and(|last| is_punct(last, '-') || is_punct(last, '='));
            match &token {
                token if is_punct(token, '<') => angles += 1,
                token if is_punct(token, '>') && !arrow => angles -= 1,
                _ => {}
            }
            let is_field = rest.len() > 2 && is_punct(&rest[1], ':') && !is_punct(&rest[2], ':');
            let ends = is_punct(&token, ';')
                || is_field && angles == 0 && is_punct(&token, ',')
                || is_braces(&token) && ends_with_braces(&rest, angles);
            rest.push(token);
            // An attribute is one of the next item: this one has no end.
            if ends || tokens.peek().is_some_and(|next| is_punct(next, '#')) {
                break;
            }
        }
        items.push(Item { attrs, rest });
    }
    (inner, items)
}

/// Whether it is the invisible group that a variable of `macro_rules!` (`$handler:item`) puts around an item.
fn is_item(token: &TokenTree) -> bool {
    let TokenTree::Group(group) = token else { return false };
    let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
    let ends = tokens.last().is_some_and(|last| is_braces(last) || is_punct(last, ';') || is_item(last));
    group.delimiter() == Delimiter::None && !is_braces(token) && ends
}

/// Whether braces that stand behind these tokens are the end of an item: they are unless they are a value (`const X: u8 = { 5 };`) or
/// a generic argument.
fn ends_with_braces(before: &[TokenTree], angles: i32) -> bool {
    let is_value = before.iter().any(|token| is_punct(token, '=')) && !is_function(before);
    let is_argument = angles > 0
        && before
            .last()
            .is_some_and(|last| is_punct(last, '<') || is_punct(last, ',') || is_punct(last, '='));
    !is_value && !is_argument
}

fn member(Item { attrs, rest }: Item) -> Member {
    let (attrs, complete) = match Attribute::parse_outer.parse2(attrs) {
        Ok(attrs) => (attrs, true),
        Err(_) => (Vec::new(), false),
    };
    let tokens: TokenStream = rest.iter().cloned().collect();
    if complete && is_function(&rest) {
        // Its body is none of ours: that it is not read saves most of the time.
        if let Some((end, signature)) = rest.split_last()
            && (is_braces(end) || is_punct(end, ';'))
            && let Ok(signature) = signature_of_function.parse2(signature.iter().cloned().collect())
        {
            return Member::Function(Function {
                attrs,
                signature: Box::new(signature),
                has_body: is_braces(end),
                is_declared_alone: false,
                rest: tokens,
            });
        }
    } else if complete && is_other(&rest) {
        return Member::Other { attrs, rest: tokens };
    }
    Member::Unreadable(unreadable(attrs, &rest))
}

fn is_function(tokens: &[TokenTree]) -> bool {
    let mut words = tokens.iter().skip_while(|token| match token {
        TokenTree::Ident(word) => {
            ["pub", "default", "const", "async", "unsafe", "extern", "safe"].iter().any(|known| word == known)
        }
        // An invisible one is a visibility, of a variable of `macro_rules!`.
        TokenTree::Group(group) => matches!(group.delimiter(), Delimiter::Parenthesis | Delimiter::None),
        TokenTree::Literal(_) => true,
        TokenTree::Punct(_) => false,
    });
    words.next().is_some_and(|token| is_word(token, "fn"))
}

/// Whether it is one of the items that are given back as they are.
fn is_other(tokens: &[TokenTree]) -> bool {
    let mut words = tokens.iter().skip_while(|token| {
        is_word(token, "pub") || is_word(token, "default") || matches!(token, TokenTree::Group(_))
    });
    match words.next() {
        Some(TokenTree::Ident(word)) if word == "const" || word == "type" => {
            tokens.last().is_some_and(|last| is_punct(last, ';'))
        }
        Some(TokenTree::Ident(_) | TokenTree::Punct(_)) => {
            tokens.iter().find(|token| !is_in_path(token)).is_some_and(|token| is_punct(token, '!'))
        }
        _ => false,
    }
}

fn is_in_path(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Ident(_)) || is_punct(token, ':') || is_punct(token, '$')
}

/// `pub async fn hello(&self)`
fn signature_of_function(input: ParseStream<'_>) -> syn::Result<Signature> {
    input.parse::<Visibility>()?;
    input.parse()
}

fn unreadable(attrs: Vec<Attribute>, rest: &[TokenTree]) -> Unreadable {
    let is_list = |token: &TokenTree| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis);
    let at_parameters =
        (0..rest.len()).find(|&at| is_list(&rest[at]) && !(at > 0 && is_word(&rest[at - 1], "pub")));
    let after_keyword = rest.windows(2).find(|two| is_word(&two[0], "fn")).map(|two| &two[1]);
    let before_parameters = at_parameters.and_then(|at| rest[..at].last());
    let as_name = |token: &TokenTree| syn::parse2::<Ident>(token.to_token_stream()).ok();
    let name = after_keyword.and_then(as_name).or_else(|| before_parameters.and_then(as_name));
    let parameters = match at_parameters.map(|at| &rest[at]) {
        Some(TokenTree::Group(group)) => parameters(group.stream()),
        _ => Vec::new(),
    };
    let span = rest.first().map_or_else(Span::call_site, TokenTree::span);
    let is_async = rest.iter().any(|token| is_word(token, "async"));
    Unreadable { attrs, name, parameters, span, is_async }
}

/// The parameters besides `self`: the type of each, where it can be read.
fn parameters(tokens: TokenStream) -> Vec<Option<Type>> {
    let mut parameters = vec![TokenStream::new()];
    let mut angles = 0;
    for token in tokens {
        angles += i32::from(is_punct(&token, '<')) - i32::from(is_punct(&token, '>'));
        match parameters.last_mut() {
            Some(last) if angles > 0 || !is_punct(&token, ',') => last.extend([token]),
            _ => parameters.push(TokenStream::new()),
        }
    }
    let is_self =
        |parameter: &TokenStream| parameter.clone().into_iter().any(|token| is_word(&token, "self"));
    parameters.retain(|parameter| !parameter.is_empty() && !is_self(parameter));
    let ty = |parameter| match syn::parse2(parameter) {
        Ok(FnArg::Typed(parameter)) => Some(*parameter.ty),
        _ => None,
    };
    parameters.into_iter().map(ty).collect()
}

pub(crate) fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

pub(crate) fn is_punct(token: &TokenTree, punct: char) -> bool {
    matches!(token, TokenTree::Punct(token) if token.as_char() == punct)
}

/// The token, or those in the group.
pub(crate) fn flat(token: TokenTree) -> Vec<TokenTree> {
    match token {
        TokenTree::Group(group) => group.stream().into_iter().flat_map(flat).collect(),
        token => vec![token],
    }
}

/// Braces, also in the invisible group that a `macro_rules!` variable puts around them.
fn is_braces(token: &TokenTree) -> bool {
    let TokenTree::Group(group) = token else { return false };
    match group.delimiter() {
        Delimiter::Brace => true,
        Delimiter::None => {
            let mut inner = group.stream().into_iter();
            inner.next().is_some_and(|first| is_braces(&first)) && inner.next().is_none()
        }
        _ => false,
    }
}
