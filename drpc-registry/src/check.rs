//! The rules that a registry keeps, whatever its form (M).
//!
//! Every rule is checked even where another is broken, but nothing is reported that only follows from another mistake.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::Hash;

use crate::draft::{Field, MethodDraft, MethodId, ModuleDraft, ReservedDraft};
use crate::names;
use crate::registry::{
    BUILT_IN_IDS, MODULE_IDS, MethodEntry, ModuleEntry, NEXT_IDS, ReservedEntry, method_ids, module_of,
    next_free, number_of,
};
use crate::report::Problem;
use crate::source::{At, Source, Span};

/// Checks the drafts and makes entries of those that are complete.
pub(crate) fn check(
    drafts: &[ModuleDraft],
    source: &Source<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<ModuleEntry> {
    let mut checker = Checker { drafts, source, problems, ids: First::new(), names: First::new() };
    let entries = drafts.iter().filter_map(|draft| checker.module(draft)).collect();
    checker.generated_names();
    entries
}

/// The checks over the whole registry.
struct Checker<'a, 'p> {
    drafts: &'a [ModuleDraft],
    source: &'a Source<'a>,
    problems: &'p mut Vec<Problem>,
    ids: First<'a, i32>,
    names: First<'a, &'a str>,
}

impl<'a> Checker<'a, '_> {
    fn module(&mut self, draft: &'a ModuleDraft) -> Option<ModuleEntry> {
        let id = self.module_id(draft);
        let name = self.name(Kind::Module, &draft.name, &draft.span);
        if let Some(At { value, span }) = name
            && let Some((first, _)) = self.names.note(value.as_str(), span, value)
        {
            self.problems.push(
                Problem::new(format!("two modules are named `{value}`"), span, "named again here")
                    .other(first, "first named here")
                    .help("rename one, or join them if they are one contract"),
            );
        }
        let mut members = Members::new(self, draft, id);
        let methods = draft.methods.iter().filter_map(|method| members.method(method)).collect();
        let reserved = draft.reserved.iter().filter_map(|reserved| members.reservation(reserved)).collect();
        Some(ModuleEntry {
            id: id?,
            name: name?.value.clone(),
            doc: draft.doc.clone(),
            owners: draft.owners.clone(),
            remote: draft.remote,
            methods,
            reserved,
            location: self.source.location(draft.span.start),
        })
    }

    fn module_id(&mut self, draft: &'a ModuleDraft) -> Option<i32> {
        let At { value: id, span } = match &draft.id {
            Field::Given(id) => id,
            Field::Missing => {
                let problem = Problem::new("`[[module]]` without `id`", &draft.span, "`id` is missing");
                self.problems.push(problem.help(self.next_free_module()));
                return None;
            }
            Field::Faulty => return None,
        };
        if !MODULE_IDS.contains(id) {
            let title = format!("module ID {id} is out of range");
            let (low, high) = (MODULE_IDS.start(), MODULE_IDS.end());
            let help = format!("choose from {low} to {high}; {}", self.next_free_module());
            self.problems.push(Problem::new(title, span, "its method IDs don't fit an i32").help(help));
            return None;
        }
        if BUILT_IN_IDS.contains(id) {
            let title = format!("module ID {id} is kept for drpc's own modules");
            let problem = Problem::new(title, span, "no registry lists these, from 21474800 on");
            self.problems.push(problem.help(self.next_free_module()));
            return None;
        }
        let name = draft.display_name();
        if let Some((first, other)) = self.ids.note(*id, span, name) {
            let title = format!("module ID {id} is listed twice");
            self.problems.push(
                Problem::new(title, span, format!("`{name}` takes it again"))
                    .other(first, format!("`{other}` has it"))
                    .help(self.next_free_module()),
            );
        }
        Some(*id)
    }

    /// A name that is there and can become an identifier in every language.
    fn name(&mut self, kind: Kind, name: &'a Field<String>, entry: &Span) -> Option<&'a At<String>> {
        let name = match name {
            Field::Given(name) => name,
            Field::Missing => {
                let problem =
                    Problem::new(format!("{} without `name`", kind.table()), entry, "`name` is missing");
                self.problems.push(problem.help("add `name = \"…\"`, in lower_snake_case"));
                return None;
            }
            Field::Faulty => return None,
        };
        let title = || format!("`{}` can't be the name of a {kind}", name.value.escape_debug());
        if names::is_path_keyword(&name.value) {
            let problem = Problem::new(title(), &name.span, "a keyword of Rust, even as a raw identifier");
            self.problems.push(problem.help("choose another word"));
            None
        } else if !names::is_snake_case(&name.value) {
            let help = match names::to_snake_case(&name.value) {
                Some(suggestion) => format!("write `{suggestion}`"),
                None => "begin with a to z; go on with a to z, 0 to 9 and single underscores".to_owned(),
            };
            self.problems.push(Problem::new(title(), &name.span, "not lower_snake_case").help(help));
            None
        } else {
            Some(name)
        }
    }

    /// C and Go join the words of a name, which may make one name of two.
    fn generated_names(&mut self) {
        let mut first: First<'a, String> = First::new();
        for module in self.drafts {
            let Some(module_name) = module.name.given() else { continue };
            let module_names = (module_name, vec![names::go_module(&module_name.value)]);
            let method_names = module.methods.iter().filter_map(|method| method.name.given()).map(|method| {
                let (module, name) = (&module_name.value, &method.value);
                (method, vec![names::c_method(module, name), names::go_method(module, name)])
            });
            for (At { value, span }, generated) in std::iter::once(module_names).chain(method_names) {
                let mut clashes = generated.into_iter().filter_map(|name| {
                    let (first, other) = first.note(name.clone(), span, value)?;
                    Some((name, first, other))
                });
                // Equal names in the registry have been reported as such.
                if let Some((name, first, other)) = clashes.find(|(_, _, other)| other != value) {
                    let title = format!("`{other}` and `{value}` become the same name in generated code");
                    self.problems.push(
                        Problem::new(title, span, format!("`{name}` again"))
                            .other(first, format!("`{name}`"))
                            .help("rename one of them"),
                    );
                }
            }
        }
    }

    fn next_free_module(&self) -> String {
        let used = self.drafts.iter().filter_map(|draft| Some(draft.id.given()?.value));
        match next_free(NEXT_IDS, used) {
            Some(id) => format!("the next free module ID is {id}"),
            None => "no module ID is free".to_owned(),
        }
    }

    /// A module ID for a message, with the module's name if it is listed.
    fn describe_module(&self, id: i32) -> String {
        let listed =
            self.drafts.iter().find(|draft| draft.id.given().is_some_and(|listed| listed.value == id));
        match listed {
            Some(module) => format!("module {id}, `{}`", module.display_name()),
            None => format!("module {id}, which is not listed"),
        }
    }
}

/// The checks within one module.
struct Members<'c, 'a, 'p> {
    checker: &'c mut Checker<'a, 'p>,
    module: &'a ModuleDraft,
    /// The module's ID, if it has a good one.
    id: Option<i32>,
    methods: First<'a, i32>,
    names: First<'a, &'a str>,
    reserved: First<'a, i32>,
}

impl<'c, 'a, 'p> Members<'c, 'a, 'p> {
    fn new(checker: &'c mut Checker<'a, 'p>, module: &'a ModuleDraft, id: Option<i32>) -> Self {
        Self { checker, module, id, methods: First::new(), names: First::new(), reserved: First::new() }
    }

    fn method(&mut self, draft: &'a MethodDraft) -> Option<MethodEntry> {
        let name = self.checker.name(Kind::Method, &draft.name, &draft.span);
        if let Some(At { value, span }) = name
            && let Some((first, _)) = self.names.note(value.as_str(), span, value)
        {
            let title = format!("module `{}` has two methods named `{value}`", self.module.display_name());
            self.report(
                Problem::new(title, span, "named again here")
                    .other(first, "first named here")
                    .help("rename one of them"),
            );
        }
        let display_name = draft.name.given().map_or("?", |name| &name.value);
        let (id, span) = self.method_id(Kind::Method, &draft.id, &draft.span)?;
        if let Some((first, other)) = self.methods.note(id, span, display_name) {
            let title = format!("method ID {id} is listed twice");
            self.report(
                Problem::new(title, span, format!("`{display_name}` takes it again"))
                    .other(first, format!("`{other}` has it"))
                    .help(self.next_free_method()),
            );
        }
        Some(MethodEntry {
            id,
            name: name?.value.clone(),
            doc: draft.doc.clone(),
            location: self.checker.source.location(draft.span.start),
        })
    }

    fn reservation(&mut self, draft: &'a ReservedDraft) -> Option<ReservedEntry> {
        if matches!(draft.reason, Field::Missing) {
            let problem =
                Problem::new("`[[module.reserved]]` without `reason`", &draft.span, "`reason` is missing");
            self.report(problem.help("say what the ID was, so that nobody wonders whether to use it again"));
        }
        let (id, span) = self.method_id(Kind::Reserved, &draft.id, &draft.span)?;
        if let Some((first, _)) = self.reserved.note(id, span, "") {
            let title = format!("method ID {id} is reserved twice");
            self.report(
                Problem::new(title, span, "reserved again here")
                    .other(first, "first reserved here")
                    .help("remove one of them"),
            );
        } else if let Some(&(method, name)) = self.methods.0.get(&id) {
            let reason = draft.reason.given().map_or("", |reason| &reason.value);
            let title = format!("method ID {id} is reserved");
            self.report(
                Problem::new(title, method, format!("`{name}` can't have it"))
                    .other(span, format!("reserved: {}", reason.escape_debug()))
                    .help(self.next_free_method()),
            );
        }
        let location = self.checker.source.location(draft.span.start);
        Some(ReservedEntry { id, reason: draft.reason.given()?.value.clone(), location })
    }

    /// The global ID, if there is one and it belongs to the module.
    fn method_id(&mut self, kind: Kind, id: &'a MethodId, entry: &Span) -> Option<(i32, &'a Span)> {
        let owned = method_ids(self.id?);
        match (&id.number, &id.global) {
            (Field::Given(At { value: number, span }), _) if !(0..=99).contains(number) => {
                let help = if owned.contains(number) {
                    format!("write `number = {}`, or `id = {number}`", number_of(*number))
                } else {
                    self.way_out(kind)
                };
                let title = format!("method number {number} is not in 0 to 99");
                self.report(Problem::new(title, span, "expected the number within the module").help(help));
                None
            }
            (_, Field::Given(At { value: global, span })) if !owned.contains(global) => {
                let mut help = self.way_out(kind);
                if (0..=99).contains(global) && !self.checker.source.is_header() {
                    help = format!("write `number = {global}` if it is the number within the module; {help}");
                }
                let module = self.module.display_name();
                let title = format!(
                    "{kind} ID {global} is outside of `{module}`, which owns {} to {}",
                    owned.start(),
                    owned.end()
                );
                let label = format!("belongs to {}", self.checker.describe_module(module_of(*global)));
                self.report(Problem::new(title, span, label).help(help));
                None
            }
            (Field::Given(number), Field::Given(global)) if number.value != number_of(global.value) => {
                let (number_as_id, id_as_number) = (owned.start() + number.value, number_of(global.value));
                let title = format!("`number = {}` and `id = {}` disagree", number.value, global.value);
                self.report(
                    Problem::new(title, &global.span, format!("this is number {id_as_number}"))
                        .other(&number.span, format!("this is ID {number_as_id}"))
                        .help("keep the right one and remove the other"),
                );
                None
            }
            (_, Field::Given(At { value: global, span })) => Some((*global, span)),
            (Field::Given(At { value: number, span }), _) => Some((owned.start() + number, span)),
            (Field::Missing, Field::Missing) => {
                let title = format!("{} without `number` or `id`", kind.table());
                let help = self.way_out(kind);
                self.report(Problem::new(title, entry, "`number` is missing").help(help));
                None
            }
            (Field::Faulty, _) | (_, Field::Faulty) => None,
        }
    }

    /// What to do about an ID that can't be.
    fn way_out(&self, kind: Kind) -> String {
        match kind {
            Kind::Reserved => "say which of the module's own IDs is not to be used again".to_owned(),
            Kind::Method | Kind::Module => self.next_free_method(),
        }
    }

    fn next_free_method(&self) -> String {
        let module = self.module.display_name();
        let next = self.id.and_then(|id| {
            let methods = self.module.methods.iter().map(|method| &method.id);
            let reserved = self.module.reserved.iter().map(|reserved| &reserved.id);
            next_free(method_ids(id), methods.chain(reserved).filter_map(|method| method.resolve(id)))
        });
        match next {
            Some(next) if self.checker.source.is_header() => {
                format!("the next free ID of `{module}` is {next}")
            }
            Some(next) => format!("the next free ID of `{module}` is {next}: `number = {}`", number_of(next)),
            None => format!("`{module}` has no free ID left: begin another module"),
        }
    }

    fn report(&mut self, problem: Problem) {
        self.checker.problems.push(problem);
    }
}

/// What kind of entry a message is about.
#[derive(Clone, Copy)]
enum Kind {
    Module,
    Method,
    Reserved,
}

impl Kind {
    fn table(self) -> &'static str {
        match self {
            Kind::Module => "`[[module]]`",
            Kind::Method => "`[[module.method]]`",
            Kind::Reserved => "`[[module.reserved]]`",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Module => "module",
            Kind::Method => "method",
            Kind::Reserved => "reserved",
        })
    }
}

/// Where each key was first seen, and the name of the entry that has it.
struct First<'a, K>(HashMap<K, (&'a Span, &'a str)>);

impl<'a, K: Eq + Hash> First<'a, K> {
    fn new() -> Self {
        Self(HashMap::new())
    }

    /// Notes a key, unless it was seen before: then the answer says where.
    fn note(&mut self, key: K, span: &'a Span, name: &'a str) -> Option<(&'a Span, &'a str)> {
        match self.0.entry(key) {
            Entry::Occupied(first) => Some(*first.get()),
            Entry::Vacant(free) => {
                free.insert((span, name));
                None
            }
        }
    }
}
