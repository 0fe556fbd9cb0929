//! From the user's item to what is generated for it.

use proc_macro2::TokenStream;
use quote::quote;

use crate::args::ModuleArgs;
use crate::mistake::Mistakes;
use crate::validate::Environment;
use crate::{expand, fallback, parse, part, taken, validate};

/// The user's item without `#[method]`, and what is generated for it: the module, or stubs beside the mistakes.
pub(crate) fn expand(args: TokenStream, item: TokenStream, environment: &Environment) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let mut args = ModuleArgs::parse(args, &mut mistakes);
    args.check_krate(environment.renamed.as_deref(), &mut mistakes);
    let (draft, item) = parse::parse(item, &args, &mut mistakes);
    let generated = match &draft {
        Some(draft) if args.part.is_some() && !draft.is_servable => TokenStream::new(),
        Some(draft) if args.part.is_some() => part::expand(draft, &args, &mut mistakes),
        Some(draft) if mistakes.check(taken::check(draft, args.base(&draft.name))).is_none() => {
            TokenStream::new()
        }
        Some(draft) => match validate::validate(draft, &args, environment, &mut mistakes) {
            Some(model) => expand::expand(&model),
            None => {
                let stubs = fallback::stubs(draft, &args);
                // Without a mistake of ours, it is one that the compiler tells of; should it not, this is.
                let untold = (mistakes.count() == 0).then(|| expand::unread(&args.krate, draft.name.span()));
                quote!(#stubs #untold)
            }
        },
        None => TokenStream::new(),
    };
    let errors = mistakes.to_compile_errors();
    quote!(#item #generated #errors)
}
