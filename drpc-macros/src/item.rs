//! Parses an `impl` block without looking into the bodies of its functions.
//!
//! Nobody here needs them. So they cost nothing, they may be unfinished while somebody types, and they are given back
//! token for token.

use proc_macro2::TokenTree;
use syn::parse::ParseStream;
use syn::{
    Attribute, Block, Expr, Generics, ImplItem, ImplItemFn, ItemImpl, LitStr, Stmt, Token, Type, Visibility,
    braced,
};

use crate::mistake::mistake;

pub(crate) fn parse_impl(input: ParseStream<'_>) -> syn::Result<ItemImpl> {
    let mut attrs = input.call(Attribute::parse_outer)?;
    let unsafety = input.parse()?;
    let impl_token = input.parse()?;
    let mut generics = if input.peek(Token![<]) { input.parse()? } else { Generics::default() };
    let mut self_ty: Type = input.parse()?;
    let mut trait_ = None;
    if let Some(for_token) = input.parse::<Option<Token![for]>>()? {
        let Type::Path(path) = self_ty else { return Err(mistake(self_ty, "expected a trait", "name it")) };
        trait_ = Some((path.path, for_token));
        self_ty = input.parse()?;
    }
    generics.where_clause = input.parse()?;
    let content;
    let brace_token = braced!(content in input);
    attrs.extend(content.call(Attribute::parse_inner)?);
    let mut items = Vec::new();
    while !content.is_empty() {
        items.push(if is_function(&content) { function(&content)? } else { content.parse()? });
    }
    Ok(ItemImpl {
        attrs,
        modifiers: Default::default(),
        unsafety,
        impl_token,
        generics,
        trait_,
        self_ty: Box::new(self_ty),
        brace_token,
        items,
    })
}

fn is_function(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    if ahead.call(Attribute::parse_outer).is_err() || ahead.parse::<Visibility>().is_err() {
        return false;
    }
    let is_qualifier = |ahead: ParseStream<'_>| {
        ahead.peek(Token![const])
            || ahead.peek(Token![async])
            || ahead.peek(Token![unsafe])
            || ahead.peek(Token![extern])
            || ahead.peek(LitStr)
    };
    while is_qualifier(&ahead) && ahead.parse::<TokenTree>().is_ok() {}
    ahead.peek(Token![fn])
}

fn function(input: ParseStream<'_>) -> syn::Result<ImplItem> {
    let attrs = input.call(Attribute::parse_outer)?;
    let vis = input.parse()?;
    let sig = input.parse()?;
    let body;
    let brace_token = braced!(body in input);
    let stmts = vec![Stmt::Expr(Expr::Verbatim(body.parse()?), None)];
    Ok(ImplItem::Fn(ImplItemFn {
        attrs,
        vis,
        modifiers: Default::default(),
        sig,
        block: Block { brace_token, stmts },
    }))
}
