//! `#[derive(Failure)]`: an error type of one's own as a failure, and back again at the caller.
//!
//! The comments show what becomes of
//!
//! ```text
//! #[derive(Debug, thiserror::Error, drpc::Failure)]
//! enum PoolError {
//!     #[error("no pool {0}")]
//!     #[failure(status = FAILURE)]
//!     NoSuchPool(String),
//! }
//! ```

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DeriveInput, Expr, ExprLit, Field, Fields, Generics, Index, Lit, LitStr, Member, Meta,
    Path, Token, Type, parse_quote,
};

use crate::mistake::{Mistakes, mistake};
use crate::places::here;
use crate::renamed;

/// The type as it was written.
struct Model {
    ident: Ident,
    generics: Generics,
    /// The path of the `drpc` crate.
    krate: Path,
    /// What the type is called on the way.
    name: String,
    /// The status of variants that name none.
    status: Option<Expr>,
    variants: Vec<Variant>,
    /// Whether a part of the type is deprecated, which is not for its own conversions to be told.
    is_deprecated: bool,
}

/// A variant; a struct has one.
struct Variant {
    /// How it is constructed, and matched.
    path: TokenStream,
    /// What it is called on the way; nothing if it stays here.
    name: Option<String>,
    status: Option<Expr>,
    fields: Vec<(Member, Type)>,
}

/// What stands in `#[failure(…)]`.
#[derive(Default)]
struct Args {
    krate: Option<Path>,
    name: Option<LitStr>,
    status: Option<Expr>,
    local: Option<Ident>,
}

pub(crate) fn derive(input: TokenStream, renamed: Option<&str>) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let input: DeriveInput = match syn::parse2(input) {
        Ok(input) => input,
        Err(error) => return error.to_compile_error(),
    };
    let model = model(input, renamed, &mut mistakes);
    let errors = mistakes.to_compile_errors();
    // Beside a mistake the conversions are there nevertheless, so that nothing else misses them.
    let generated = model.map(|model| {
        let (failure, details, fields) = (failure(&model), details(&model), fields(&model));
        let statuses = statuses(&model);
        quote!(#failure #details #fields #statuses)
    });
    quote!(#generated #errors)
}

fn model(input: DeriveInput, renamed: Option<&str>, mistakes: &mut Mistakes) -> Option<Model> {
    let args = Args::parse(&input.attrs, mistakes);
    if let Some(local) = &args.local
        && let Data::Enum(_) = &input.data
    {
        let help = "put it on the variants that stay here";
        mistakes.add(mistake(local, "`local` stands on a variant", help));
    }
    let is_deprecated = check_parts(&input, mistakes);
    let ident = input.ident;
    let own_name = |ident: &Ident| ident.unraw().to_string();
    let variants = match input.data {
        Data::Enum(data) => data
            .variants
            .into_iter()
            .map(|variant| {
                let args = Args::parse(&variant.attrs, mistakes);
                if let Some(krate) = &args.krate {
                    let help = "move it there: `#[failure(crate = …)]` above the enum";
                    mistakes.add(mistake(krate, "`crate` stands on the type", help));
                }
                let name = args.name.map_or_else(|| own_name(&variant.ident), |name| name.value());
                let variant_ident = variant.ident;
                Variant {
                    path: quote!(#ident::#variant_ident),
                    name: args.local.is_none().then_some(name),
                    status: args.status,
                    fields: members(&variant.fields),
                }
            })
            .collect(),
        Data::Struct(data) => vec![Variant {
            path: quote!(#ident),
            name: args.local.is_none().then(String::new),
            status: None,
            fields: members(&data.fields),
        }],
        Data::Union(data) => {
            let help = "derive it for an enum or a struct";
            mistakes.add(mistake(data.union_token, "a union can't be a failure", help));
            return None;
        }
    };
    check_names(&variants, mistakes);
    let name = args.name.map_or_else(|| own_name(&ident), |name| name.value());
    let krate = match (args.krate, renamed) {
        (Some(krate), _) => krate,
        (None, None) => parse_quote!(::drpc),
        (None, Some(name)) => {
            mistakes.add(renamed::mistake_of(name, &format!("#[failure(crate = {name})]")));
            renamed::path(name)
        }
    };
    let (generics, status) = (input.generics, args.status);
    Some(Model { ident, generics, krate, name, status, variants, is_deprecated })
}

/// Whether a part of the type is deprecated; a mistake for each field that is told what variants are.
fn check_parts(input: &DeriveInput, mistakes: &mut Mistakes) -> bool {
    let mut attributes: Vec<&Attribute> = input.attrs.iter().collect();
    let mut fields: Vec<&Field> = Vec::new();
    match &input.data {
        Data::Enum(data) => {
            attributes.extend(data.variants.iter().flat_map(|variant| &variant.attrs));
            fields.extend(data.variants.iter().flat_map(|variant| &variant.fields));
        }
        Data::Struct(data) => fields.extend(&data.fields),
        Data::Union(_) => {}
    }
    let of_fields = fields.into_iter().flat_map(|field| &field.attrs);
    for attribute in of_fields.clone().filter(|attribute| attribute.path().is_ident("failure")) {
        let help = "move it to the variant, or leave it out";
        mistakes.add(mistake(attribute, "`#[failure]` stands on a type or a variant", help));
    }
    attributes.extend(of_fields);
    attributes.iter().any(|attribute| attribute.path().is_ident("deprecated"))
}

/// A caller tells variants from each other by their names.
fn check_names(variants: &[Variant], mistakes: &mut Mistakes) {
    for (at, variant) in variants.iter().enumerate() {
        if let Some(name) = &variant.name
            && variants[..at].iter().any(|other| other.name.as_ref() == Some(name))
        {
            let help = "give every variant a name of its own";
            mistakes.add(mistake(
                &variant.path,
                format_args!("the name `{name}` is taken by another variant"),
                help,
            ));
        }
    }
}

fn members(fields: &Fields) -> Vec<(Member, Type)> {
    fields.members().zip(fields.iter().map(|field| field.ty.clone())).collect()
}

impl Args {
    fn parse(attributes: &[Attribute], mistakes: &mut Mistakes) -> Self {
        let mut args = Args::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("failure")) {
            if !matches!(attribute.meta, Meta::List(_)) {
                let help = "write `#[failure(status = FAILURE)]`";
                mistakes.add(mistake(attribute, "expected keys in parentheses", help));
                continue;
            }
            mistakes.check(attribute.parse_args_with(|input: ParseStream<'_>| args.take(input)));
        }
        args
    }

    fn take(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        const KEYS: [&str; 4] = ["status", "local", "name", "crate"];
        while !input.is_empty() {
            let key = input.call(Ident::parse_any)?;
            if self.has(&key) {
                return Err(mistake(&key, format_args!("`{key}` is given twice"), "leave one of them out"));
            }
            if key == "local" {
                if input.peek(Token![=]) {
                    return Err(mistake(&key, "`local` takes no value", "write `local`"));
                }
                self.local = Some(key);
            } else if !KEYS.iter().any(|known| key == known) {
                let help = match drpc_registry::closest(&key.to_string(), KEYS) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the keys are `{}`", KEYS.join("`, `")),
                };
                return Err(mistake(&key, format_args!("unknown key `{key}`"), help));
            } else if input.parse::<Option<Token![=]>>()?.is_none() {
                let help = format!("write `{key} = …`");
                return Err(mistake(&key, format_args!("`{key}` needs a value"), help));
            } else if input.is_empty() || input.peek(Token![,]) {
                let help = format!("write `{key} = …`");
                return Err(mistake(&key, format_args!("expected a value for `{key}` after `=`"), help));
            } else if key == "status" {
                self.status = Some(status(input.parse()?)?);
            } else if key == "name" {
                self.name = Some(input.parse()?);
            } else {
                self.krate = Some(input.parse()?);
            }
            if !input.is_empty() && !input.peek(Token![,]) {
                let next = input.parse::<TokenTree>()?;
                return Err(mistake(next, "expected `,`", "separate keys by commas"));
            }
            input.parse::<Option<Token![,]>>()?;
        }
        Ok(())
    }

    /// Whether the key was given already.
    fn has(&self, key: &Ident) -> bool {
        key == "status" && self.status.is_some()
            || key == "local" && self.local.is_some()
            || key == "name" && self.name.is_some()
            || key == "crate" && self.krate.is_some()
    }
}

/// A status is no text.
fn status(value: Expr) -> syn::Result<Expr> {
    match &value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
            let help = format!("write `status = {}`", text.value());
            Err(mistake(&value, "expected a status, not its name in quotes", help))
        }
        _ => Ok(value),
    }
}

impl Model {
    /// What is allowed in the generated code.
    fn allowed(&self) -> Option<TokenStream> {
        self.is_deprecated.then(|| quote!(#[allow(deprecated)]))
    }

    /// The arm of a `match` on the type without which one of no variants is not exhaustive.
    fn no_variant(&self) -> Option<TokenStream> {
        self.variants.is_empty().then(|| quote!(_ => ::core::option::Option::None,))
    }
}

// Output:
//     impl From<PoolError> for Failure {
//         fn from(error: PoolError) -> Failure {
//             let status = match &error {
//                 PoolError::NoSuchPool { .. } => Some(__PoolError_status_0),
//             };
//             let details = Details::to_details(&error);
//             raise_own!(error).stating(status, details)
//         }
//     }
fn failure(model: &Model) -> TokenStream {
    let Model { ident, generics, krate, variants, .. } = model;
    let (impl_generics, ty_generics, bounds) = generics.split_for_impl();
    let (allowed, no_variant) = (model.allowed(), model.no_variant());
    let of_type = model.status.as_ref().map(|_| status_name(ident, None));
    let arms = variants.iter().enumerate().map(|(at, Variant { path, status, .. })| {
        let own = status.as_ref().map(|_| status_name(ident, Some(at)));
        match own.as_ref().or(of_type.as_ref()) {
            Some(status) => quote!(#path { .. } => ::core::option::Option::Some(#status),),
            None => quote!(#path { .. } => ::core::option::Option::None,),
        }
    });
    let raise = match generics.lifetimes().next() {
        None => quote_spanned!(here(ident.span())=> #krate::private::raise_own!(__error)),
        Some(_) => quote_spanned!(here(ident.span())=> #krate::private::raise_borrowed!(__error)),
    };
    quote! {
        #allowed
        impl #impl_generics ::core::convert::From<#ident #ty_generics> for #krate::Failure #bounds {
            fn from(__error: #ident #ty_generics) -> Self {
                let __status = match &__error {
                    #(#arms)*
                    #no_variant
                };
                let __details = #krate::Details::to_details(&__error);
                #raise.stating(__status, __details)
            }
        }
    }
}

/// `FAILURE` is `Status::FAILURE`; anything else is itself.
fn named_status(krate: &Path, status: &Expr) -> TokenStream {
    match status {
        Expr::Path(path) if path.qself.is_none() && path.path.get_ident().is_some() => {
            quote!(#krate::Status::#status)
        }
        status => quote!(#status),
    }
}

// Output:
//     impl Details for PoolError {
//         fn to_details(&self) -> Option<Bytes> {
//             match self {
//                 PoolError::NoSuchPool { 0: field_0 } => {
//                     let mut details = VariantDetails::of("PoolError", "NoSuchPool");
//                     Self::FIELDS_0.0.put(field_0, &mut details);
//                     Some(details.into_bytes())
//                 }
//             }
//         }
//         fn from_details(details: &Bytes) -> Option<Self> {
//             let details = VariantDetails::read(details, "PoolError")?;
//             match details.variant() {
//                 "NoSuchPool" => Some(PoolError::NoSuchPool { 0: Self::FIELDS_0.0.take(&details, 0)? }),
//                 _ => None,
//             }
//         }
//     }
fn details(model: &Model) -> TokenStream {
    let Model { ident, generics, krate, variants, name, .. } = model;
    let (allowed, no_variant) = (model.allowed(), model.no_variant());
    let (impl_generics, ty_generics, bounds) = generics.split_for_impl();
    let to = variants.iter().enumerate().map(|(at, Variant { path, name: variant, fields, .. })| {
        let Some(variant) = variant else { return quote!(#path { .. } => ::core::option::Option::None,) };
        let names: Vec<Ident> = (0..fields.len()).map(|at| format_ident!("__field_{at}")).collect();
        let members = fields.iter().map(|(member, _)| member);
        let (constant, ats) = (fields_name(at), (0..fields.len()).map(Index::from));
        quote! {
            #path { #(#members: #names),* } => {
                let mut __details = #krate::private::VariantDetails::of(#name, #variant);
                #(Self::#constant.#ats.put(#names, &mut __details);)*
                ::core::option::Option::Some(__details.into_bytes())
            }
        }
    });
    let from = variants.iter().enumerate().filter_map(|(at, Variant { path, name: variant, fields, .. })| {
        let variant = variant.as_ref()?;
        let members = fields.iter().map(|(member, _)| member);
        let (constant, indices, ats) = (fields_name(at), (0..fields.len()).map(Index::from), 0..fields.len());
        Some(quote! {
            #variant => ::core::option::Option::Some(#path {
                #(#members: Self::#constant.#indices.take(&__details, #ats)?),*
            }),
        })
    });
    quote! {
        #allowed
        impl #impl_generics #krate::Details for #ident #ty_generics #bounds {
            fn to_details(&self) -> ::core::option::Option<#krate::private::Bytes> {
                match self {
                    #(#to)*
                    #no_variant
                }
            }

            fn from_details(__details: &#krate::private::Bytes) -> ::core::option::Option<Self> {
                let __details = #krate::private::VariantDetails::read(__details, #name)?;
                match __details.variant() {
                    #(#from)*
                    _ => ::core::option::Option::None,
                }
            }
        }
    }
}

// Output:
//     impl PoolError {
//         const FIELDS_0: (Field<String>,) = (field::<String>(),);
//     }
//
// The one place that needs a field's type to travel, so that one that can't is told of once.
fn fields(model: &Model) -> TokenStream {
    let Model { ident, generics, krate, variants, .. } = model;
    let (impl_generics, ty_generics, bounds) = generics.split_for_impl();
    let travelling = variants
        .iter()
        .enumerate()
        .filter(|(_, variant)| variant.name.is_some() && !variant.fields.is_empty());
    let constants = travelling.map(|(at, Variant { fields, .. })| {
        let constant = fields_name(at);
        let types: Vec<_> = fields.iter().map(|(_, ty)| ty).collect();
        quote! {
            const #constant: (#(#krate::private::Field<#types>,)*) = (#(#krate::private::field::<#types>(),)*);
        }
    });
    let allowed = model.allowed();
    quote! {
        #allowed
        impl #impl_generics #ident #ty_generics #bounds {
            #(#constants)*
        }
    }
}

fn fields_name(variant: usize) -> Ident {
    format_ident!("__FIELDS_{variant}")
}

// Output:
//     const __PoolError_status_0: Status = failing(Status::FAILURE);
//
// The type's own is `__PoolError_status`.
fn statuses(model: &Model) -> TokenStream {
    let Model { ident, krate, variants, .. } = model;
    let of_variants = variants.iter().enumerate().map(|(at, variant)| (Some(at), &variant.status));
    let statuses = of_variants.chain([(None, &model.status)]).filter_map(|(at, value)| {
        let value = value.as_ref()?;
        let (name, status) = (status_name(ident, at), named_status(krate, value));
        let failing = quote_spanned!(here(value.span())=> #krate::private::failing);
        Some(quote!(const #name: #krate::Status = { const __STATUS: #krate::Status = #status; #failing(__STATUS) };))
    });
    quote!(#(#statuses)*)
}

fn status_name(ident: &Ident, variant: Option<usize>) -> Ident {
    let variant = variant.map(|variant| format!("_{variant}")).unwrap_or_default();
    format_ident!("__{}_status{variant}", ident.unraw(), span = Span::call_site())
}
