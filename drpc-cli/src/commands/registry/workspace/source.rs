//! The modules in a crate's sources, as `#[drpc_module]` declares them.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use syn::ext::IdentExt;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    Attribute, Expr, Ident, ImplItem, ItemImpl, ItemMod, ItemTrait, Lit, Meta, Token, TraitItem, Type, UnOp,
};

/// A module that a crate implements, or calls.
pub(super) struct Module {
    pub(super) package: String,
    pub(super) file: Rc<File>,
    /// Where the attribute stands.
    pub(super) span: Range<usize>,
    pub(super) id: Id,
    pub(super) name: String,
    pub(super) methods: Vec<Method>,
    /// Only its client is generated.
    pub(super) is_client: bool,
}

pub(super) struct Method {
    pub(super) span: Range<usize>,
    pub(super) id: Id,
    pub(super) name: String,
}

/// An ID as the source says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Id {
    /// A module's ID, or a method's, system-wide.
    Known(i32),
    /// A method's within its module.
    InModule(i32),
    /// It is left to the registry, or a constant.
    Unsaid,
}

/// A source file.
pub(super) struct File {
    pub(super) path: PathBuf,
    /// Without what is no Rust at its beginning: places are counted from behind it.
    pub(super) text: String,
}

/// A source file that can't be read, or is no Rust.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("can't read {}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("{}:{}: {error}", path.display(), error.span().start().line)]
    Syntax { path: PathBuf, error: syn::Error },
}

/// Adds the modules of the crate whose first file this is. Files that were seen are passed over: several programs may share some.
pub(super) fn modules_of(
    root: &Path,
    package: &str,
    seen: &mut Vec<PathBuf>,
    modules: &mut Vec<Module>,
) -> Result<(), Unreadable> {
    // What a file's own modules are called by: the folder in which they stand.
    let mut files = vec![(root.to_owned(), root.parent().unwrap_or(Path::new("")).to_owned())];
    while let Some((path, folder)) = files.pop() {
        if seen.contains(&path) {
            continue;
        }
        seen.push(path.clone());
        let text =
            fs::read_to_string(&path).map_err(|error| Unreadable::File { path: path.clone(), error })?;
        let text = rust_in(&text);
        let syntax =
            syn::parse_file(text).map_err(|error| Unreadable::Syntax { path: path.clone(), error })?;
        let file = Rc::new(File { path, text: text.to_owned() });
        let mut reader = Reader { package, file, folder, modules, files: Vec::new() };
        reader.visit_file(&syntax);
        files.append(&mut reader.files);
    }
    Ok(())
}

/// A source without its byte-order mark and its `#!` line, but for the end of that line, so that the others keep their numbers.
fn rust_in(text: &str) -> &str {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let is_attribute = |rest: &str| rest.trim_start().starts_with('[');
    match text.strip_prefix("#!") {
        Some(rest) if !is_attribute(rest) => text.find('\n').map_or("", |end| &text[end..]),
        _ => text,
    }
}

/// Reads one file.
struct Reader<'a> {
    package: &'a str,
    file: Rc<File>,
    folder: PathBuf,
    modules: &'a mut Vec<Module>,
    /// The files that this one names, each with the folder of its own modules.
    files: Vec<(PathBuf, PathBuf)>,
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if is_for_tests(&module.attrs) {
            return;
        }
        let name = module.ident.unraw().to_string();
        if module.content.is_some() {
            self.folder.push(name);
            visit::visit_item_mod(self, module);
            self.folder.pop();
            return;
        }
        let inner = self.folder.join(&name);
        let beside = self.file.path.parent().unwrap_or(Path::new(""));
        let candidates = match module.attrs.iter().find_map(path_attribute) {
            Some(path) => {
                let path = beside.join(path);
                let folder = path.parent().unwrap_or(beside).to_owned();
                vec![(path, folder)]
            }
            None => [self.folder.join(format!("{name}.rs")), inner.join("mod.rs")]
                .map(|path| (path, inner.clone()))
                .into(),
        };
        // One that is behind a `cfg`, or generated, may not be there: the compiler is who complains.
        self.files.extend(candidates.into_iter().find(|(path, _)| path.is_file()));
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let Type::Path(path) = &*item.self_ty else { return };
        let Some(name) = path.path.segments.last() else { return };
        let methods = item.items.iter().filter_map(|item| match item {
            ImplItem::Fn(method) => self.method(&method.attrs, &method.sig.ident),
            // A declaration without a body, of a handler that stands in another block.
            ImplItem::Verbatim(tokens) => {
                let method = syn::parse2::<syn::TraitItemFn>(tokens.clone()).ok()?;
                self.method(&method.attrs, &method.sig.ident)
            }
            _ => None,
        });
        let methods = methods.collect();
        self.module(&item.attrs, &name.ident, methods);
    }

    fn visit_item_trait(&mut self, item: &'ast ItemTrait) {
        let methods = item.items.iter().filter_map(|item| match item {
            TraitItem::Fn(method) => self.method(&method.attrs, &method.sig.ident),
            _ => None,
        });
        let methods = methods.collect();
        self.module(&item.attrs, &item.ident, methods);
    }
}

impl Reader<'_> {
    fn module(&mut self, attributes: &[Attribute], type_name: &Ident, methods: Vec<Method>) {
        let Some(attribute) = attributes.iter().find(|attribute| is(attribute, "drpc_module")) else {
            return;
        };
        if is_for_tests(attributes) {
            return;
        }
        let args = Args::of(attribute);
        if args.has("part") || args.has("unlisted") {
            return;
        }
        // As the attribute does, whatever `prefix` says: that is for the generated items.
        let of_type = || drpc_registry::module_name_of(&type_name.unraw().to_string());
        let name = args.value("name").and_then(text).unwrap_or_else(of_type);
        self.modules.push(Module {
            package: self.package.to_owned(),
            file: self.file.clone(),
            span: attribute.span().byte_range(),
            id: args.value("id").and_then(integer).map_or(Id::Unsaid, Id::Known),
            name,
            methods,
            is_client: args.has("client_only"),
        });
    }

    fn method(&self, attributes: &[Attribute], handler: &Ident) -> Option<Method> {
        let attribute = attributes.iter().find(|attribute| is(attribute, "method"))?;
        let args = Args::of(attribute);
        let id = match args.value("id").and_then(integer) {
            Some(id) => Id::Known(id),
            None => args.0.iter().find_map(integer).map_or(Id::Unsaid, Id::InModule),
        };
        let name = args.value("name").and_then(text).unwrap_or_else(|| handler.unraw().to_string());
        Some(Method { span: attribute.span().byte_range(), id, name })
    }
}

/// The arguments of an attribute: `5`, `id = 5`, `register`. What is none, the attribute itself tells of.
struct Args(Vec<Expr>);

impl Args {
    fn of(attribute: &Attribute) -> Args {
        let parser = Punctuated::<Expr, Token![,]>::parse_terminated;
        Args(attribute.parse_args_with(parser).map(|args| args.into_iter().collect()).unwrap_or_default())
    }

    fn has(&self, key: &str) -> bool {
        self.0.iter().any(|argument| matches!(argument, Expr::Path(path) if path.path.is_ident(key)))
    }

    fn value(&self, key: &str) -> Option<&Expr> {
        self.0.iter().find_map(|argument| match argument {
            Expr::Assign(pair) => {
                matches!(&*pair.left, Expr::Path(path) if path.path.is_ident(key)).then_some(&*pair.right)
            }
            _ => None,
        })
    }
}

fn is(attribute: &Attribute, name: &str) -> bool {
    attribute.path().segments.last().is_some_and(|segment| segment.ident == name)
}

/// Whether a thing is there in tests alone.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            list.parse_args().is_ok_and(|condition| needs_test(&condition))
        }
        _ => false,
    })
}

/// Whether a condition of `#[cfg]` is never met outside of tests.
fn needs_test(condition: &Meta) -> bool {
    let Meta::List(list) = condition else { return condition.path().is_ident("test") };
    let conditions =
        list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).unwrap_or_default();
    let mut answers = conditions.iter().map(needs_test);
    if list.path.is_ident("all") {
        answers.any(|needs| needs)
    } else {
        list.path.is_ident("any") && !conditions.is_empty() && answers.all(|needs| needs)
    }
}

/// `#[path = "file.rs"]`
fn path_attribute(attribute: &Attribute) -> Option<String> {
    match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => text(&pair.value),
        _ => None,
    }
}

fn integer(value: &Expr) -> Option<i32> {
    match value {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Int(number) => number.base10_parse().ok(),
            _ => None,
        },
        Expr::Unary(negative) if matches!(negative.op, UnOp::Neg(_)) => {
            integer(&negative.expr)?.checked_neg()
        }
        _ => None,
    }
}

fn text(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}
