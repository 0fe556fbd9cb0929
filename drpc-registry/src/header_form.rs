//! The C header form: from text to drafts (M).
//!
//! [`lex`] cuts the text into tokens, [`directives`] takes out what is for the preprocessor, [`parser`] makes enumerations
//! of the rest, with the values ([`expression`]) and comments ([`reservations`]) in them, and [`Assembly`] makes modules of those.

mod directives;
mod expression;
mod lex;
mod parser;
mod reservations;

use std::collections::BTreeSet;

use self::parser::{Enumeration, Enumerator, parse};
use crate::draft::{Field, MethodDraft, MethodId, ModuleDraft, ReservedDraft};
use crate::names;
use crate::registry::{MODULE_IDS, method_ids};
use crate::report::Problem;
use crate::source::{At, Span};
use crate::suggest::closest;

/// Reads the modules; nothing when the text is too broken to make sense of the rest.
pub(crate) fn read(text: &str, problems: &mut Vec<Problem>) -> Option<Vec<ModuleDraft>> {
    let enumerations = match parse(text, problems) {
        Ok(enumerations) => enumerations?,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    let (modules, methods): (Vec<_>, Vec<_>) =
        enumerations.into_iter().partition(|found| found.tag.value == MODULES);
    if modules.is_empty() {
        let problem =
            Problem::new(format!("no `enum {MODULES}`"), &(0..0), "it lists the modules and their IDs");
        problems.push(problem.help(format!("add `enum {MODULES} {{ NUM_DRPC_MODULES }};`")));
        return None;
    }
    let mut assembly = Assembly { drafts: Vec::new(), tags: Vec::new(), problems };
    modules.into_iter().for_each(|found| assembly.modules(found));
    methods.into_iter().for_each(|found| assembly.methods(found));
    Some(assembly.drafts)
}

/// The tag of the enumeration that lists the modules.
const MODULES: &str = "drpc_module";

/// Why a number that is not listed, though higher ones are, counts as reserved (M).
pub(crate) const UNLISTED: &str = "used by an earlier release";

/// Makes modules of enumerations.
struct Assembly<'p> {
    drafts: Vec<ModuleDraft>,
    /// The enumerations of methods seen so far.
    tags: Vec<At<String>>,
    problems: &'p mut Vec<Problem>,
}

impl Assembly<'_> {
    fn modules(&mut self, mut found: Enumeration<'_>) {
        self.counts(&mut found, "DRPC_MODULE_", "NUM_DRPC_MODULES");
        for reserved in found.reserved {
            let problem = Problem::new("a module's ID can't be reserved", &reserved.span, "");
            let help = "list the module that had the ID, without methods: then nobody else gets it";
            self.problems.push(problem.help(help));
        }
        for entry in found.entries {
            let name = self.name(&entry, "DRPC_MODULE_", None);
            self.drafts.push(ModuleDraft {
                span: entry.name.span,
                id: entry.value,
                name,
                doc: entry.doc,
                owners: Vec::new(),
                remote: false,
                methods: Vec::new(),
                reserved: Vec::new(),
            });
        }
    }

    fn methods(&mut self, mut found: Enumeration<'_>) {
        let At { value: tag, span } = found.tag.clone();
        let tag = tag.as_str();
        if let Some(first) = self.tags.iter().find(|first| first.value == tag) {
            let problem = Problem::new(format!("two enumerations `{tag}`"), &span, "begun again here");
            self.problems.push(problem.other(&first.span, "first begun here").help("join them"));
            return;
        }
        self.tags.push(At { value: tag.to_owned(), span: span.clone() });

        let module = tag.strip_prefix("drpc_").and_then(|rest| rest.strip_suffix("_method"));
        let index = self.drafts.iter().position(|draft| Some(draft.display_name()) == module);
        let Some(index) = index else { return self.stray(tag, &span, module) };
        let module = self.drafts[index].display_name().to_owned();
        let prefix = format!("DRPC_METHOD_{}_", module.to_uppercase());
        self.counts(&mut found, &prefix, &format!("NUM_DRPC_{}_METHODS", module.to_uppercase()));
        let methods = found.entries.into_iter().map(|entry| MethodDraft {
            name: self.name(&entry, &prefix, Some(&module)),
            span: entry.name.span,
            id: MethodId { number: Field::Missing, global: entry.value },
            doc: entry.doc,
        });
        let methods: Vec<_> = methods.collect();
        let draft = &mut self.drafts[index];
        draft.methods = methods;
        draft.reserved = found.reserved;
        draft.reserved.extend(unlisted(draft, &span));
    }

    /// Reports a last entry that seems to count those above it, by another name than the one that is known as a count.
    fn counts(&mut self, found: &mut Enumeration<'_>, prefix: &str, count: &str) {
        let values: Vec<_> = found.entries.iter().rev().skip(1).map(value_of).collect();
        let seems = |last: &mut Enumerator<'_>| {
            // Its own, or that of the last entry: `DRPC_MODULE_MAX = DRPC_MODULE_GREETER`.
            (last.is_implied || values.contains(&value_of(last))) && says_count(last.name.value, prefix)
        };
        if found.count.is_none()
            && let Some(last) = found.entries.pop_if(seems)
        {
            let title = format!("`{}` seems to be the count of the entries", last.name.value);
            let help = format!("call it `{count}`, or give it its own ID if it is none");
            self.problems.push(Problem::new(title, &last.name.span, "").help(help));
        }
    }

    /// Reports an enumeration that matches no module, unless that may be due to a module whose name is wrong.
    fn stray(&mut self, tag: &str, span: &Span, module: Option<&str>) {
        if self.drafts.iter().any(|draft| draft.name.given().is_none()) {
            return;
        }
        let tags: Vec<_> =
            self.drafts.iter().map(|draft| format!("drpc_{}_method", draft.display_name())).collect();
        let help = match (closest(tag, tags.iter().map(String::as_str).chain([MODULES])), module) {
            (Some(tag), _) => format!("did you mean `{tag}`?"),
            (None, Some(module)) => {
                format!("add `{}` to `enum {MODULES}`, or remove these methods", names::c_module(module))
            }
            (None, None) => format!("a registry holds `enum {MODULES}` and `enum drpc_<module>_method`"),
        };
        self.problems.push(Problem::new(format!("`enum {tag}` belongs to no module"), span, "").help(help));
    }

    /// The name in an enumerator, in lower case.
    fn name(&mut self, entry: &Enumerator<'_>, prefix: &str, module: Option<&str>) -> Field<String> {
        let At { value: enumerator, span } = &entry.name;
        let name = enumerator.strip_prefix(prefix).or_else(|| {
            let method = enumerator.strip_prefix("DRPC_METHOD_")?;
            names::is_checker_method(module?, method).then_some(method)
        });
        let problem = match name {
            Some(name) if name == name.to_uppercase() && names::is_snake_case(&name.to_lowercase()) => {
                return Field::Given(At { value: name.to_lowercase(), span: span.clone() });
            }
            Some(name) => {
                let help = match names::to_snake_case(name) {
                    Some(name) => format!("write `{prefix}{}`", name.to_uppercase()),
                    None => format!("go on after `{prefix}` with A to Z, 0 to 9 and single underscores"),
                };
                Problem::new(format!("`{enumerator}` is not in UPPER_SNAKE_CASE"), span, "").help(help)
            }
            None => {
                let title = format!("`{enumerator}` does not begin with `{prefix}`");
                Problem::new(title, span, "")
                    .help("rename it, or move it to the enumeration where it belongs")
            }
        };
        self.problems.push(problem);
        Field::Faulty
    }
}

fn value_of(entry: &Enumerator<'_>) -> Option<i32> {
    entry.value.given().map(|value| value.value)
}

/// Whether a name is one that the last entry of a list often has: `DRPC_MODULE_MAX`, `DRPC_METHOD_A_COUNT`, `DRPC_NUM_MODULES`.
fn says_count(name: &str, prefix: &str) -> bool {
    let words = ["MAX", "COUNT", "LAST", "NUM", "END", "TOTAL", "LIMIT", "SENTINEL"];
    match name.strip_prefix(prefix) {
        Some(name) => name.rsplit('_').next().is_some_and(|word| words.contains(&word)),
        None => name.split('_').any(|word| words.contains(&word)),
    }
}

/// The numbers from 1 that a module does not list, though it lists higher ones (M).
fn unlisted(module: &ModuleDraft, span: &Span) -> Vec<ReservedDraft> {
    let Some(owned) =
        module.id.given().filter(|id| MODULE_IDS.contains(&id.value)).map(|id| method_ids(id.value))
    else {
        return Vec::new();
    };
    let listed = module.methods.iter().filter_map(|method| method.id.global.given());
    let listed: BTreeSet<i32> = listed.map(|id| id.value).filter(|id| owned.contains(id)).collect();
    let reserved = module.reserved.iter().filter_map(|reserved| reserved.id.global.given());
    let reserved: BTreeSet<i32> = reserved.map(|id| id.value).collect();
    let below_highest = listed.last().map_or(0..0, |highest| owned.start() + 1..*highest);
    below_highest
        .filter(|id| !listed.contains(id) && !reserved.contains(id))
        .map(|id| ReservedDraft {
            span: span.clone(),
            id: MethodId::global(At { value: id, span: span.clone() }),
            reason: Field::Given(At { value: UNLISTED.to_owned(), span: span.clone() }),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::Registry;

    fn read(text: &str) -> Vec<String> {
        let registry = Registry::parse("modules.h", text).expect("a good header");
        let modules = registry.modules().iter().map(|module| {
            let methods =
                module.methods.iter().map(|method| format!(" {}={}[{}]", method.name, method.id, method.doc));
            let reserved =
                module.reserved.iter().map(|reserved| format!(" !{}[{}]", reserved.id, reserved.reason));
            let members: String = methods.chain(reserved).collect();
            format!("{}={}[{}]{members}", module.name, module.id, module.doc)
        });
        modules.collect()
    }

    #[test]
    fn values_may_be_implied_hexadecimal_octal_or_negative() {
        let modules = read(
            "enum drpc_module { DRPC_MODULE_A, DRPC_MODULE_B, DRPC_MODULE_C = 0x10, DRPC_MODULE_D = 010,\n\
             DRPC_MODULE_E = - 3, DRPC_MODULE_F };",
        );
        assert_eq!(modules, ["a=0[]", "b=1[]", "c=16[]", "d=8[]", "e=-3[]", "f=-2[]"]);
    }

    #[test]
    fn a_comment_on_an_entrys_line_is_its_doc() {
        let modules = read(
            "enum drpc_module {\n/* not A's */\nDRPC_MODULE_A = 0, /* a's */ // and more\n\
             DRPC_MODULE_B = 1 /**< b's */, // this too\n// nobody's\nNUM_DRPC_MODULES /* the count's */ };",
        );
        assert_eq!(modules, ["a=0[a's and more]", "b=1[b's this too]"]);
    }

    /// M: "unlisted numbers inside a range were used once: reserved".
    #[test]
    fn what_is_unlisted_or_says_so_is_reserved() {
        let modules = read(
            "enum drpc_module { DRPC_MODULE_A = 2 };\n\
             enum drpc_a_method {\nDRPC_METHOD_A_X = 201,\n/* reserved 202: was y */\nDRPC_METHOD_A_Z = 204\n\
             /* reserved 210: planned */\n/* reserved for better times */\n};",
        );
        let expected = "a=2[] x=201[] z=204[] !202[was y] !210[planned] !203[used by an earlier release]";
        assert_eq!(modules, [expected]);
    }

    #[test]
    fn a_reservation_may_be_written_in_many_ways() {
        for (comment, reserved) in [
            ("/* reserved 0xCC: was y */", "!204[was y]"),
            ("/* Reserved 204: was y */", "!204[was y]"),
            ("// RESERVED: 204 was y", "!204[was y]"),
            ("/* reserved 204 - was y */", "!204[was y]"),
            ("/* reserved 204 (was y) */", "!204[(was y)]"),
            ("/* reserved 204 */", "!204[reserved]"),
            ("/* 204: reserved, was y */", "!204[was y]"),
            ("/* 204 and 0xCD are Reserved. */", "!204[reserved] !205[reserved]"),
            ("/* 204 unreserved things */", ""),
            ("/* reserved 204 : - 206, as it was */", "!204[- 206, as it was]"),
            ("/* reserved 204-206: were more */", "!204[were more] !205[were more] !206[were more]"),
            ("/* reserved 204 to 205, were more */", "!204[were more] !205[were more]"),
            ("/* reserved 204, 0xD0..209 and 212: x */", "!204[x] !208[x] !209[x] !212[x]"),
            (
                "/* What is gone:\n * reserved 204: was y,\n *   in 1.0\n * reserved 206: was z\n */",
                "!204[was y, in 1.0] !206[was z]",
            ),
        ] {
            let modules = read(&format!(
                "enum drpc_module {{ DRPC_MODULE_A = 2 }};\n\
                 enum drpc_a_method {{\nDRPC_METHOD_A_X = 201,\n{comment}\n}};"
            ));
            assert_eq!(modules[0].trim_end(), format!("a=2[] x=201[] {reserved}").trim_end(), "{comment}");
        }
    }

    #[test]
    fn a_comment_that_is_no_entrys_reserves_wherever_it_stands() {
        let modules = read(
            "enum drpc_module { DRPC_MODULE_B /* its */ = /* own */ 2 // doc\n};\n\
             enum drpc_b_method { DRPC_METHOD_B_X = 201\n/* reserved 203: was y */\n, /* reserved 207: no, it is X's */\n};",
        );
        assert_eq!(modules, ["b=2[its own doc] x=201[] !203[was y] !207[no, it is X's]"]);
    }

    /// Else the compiler would know another value of the last method.
    #[test]
    fn a_comment_goes_on_behind_a_backslash() {
        let modules = read(
            "enum drpc_module { DRPC_MODULE_A = 2 };\n\
             enum drpc_a_method {\nDRPC_METHOD_A_X = 201, // in C:\\\nDRPC_METHOD_A_Y,\nDRPC_METHOD_A_Z };",
        );
        assert_eq!(modules, ["a=2[] x=201[in C:\\ DRPC_METHOD_A_Y,] z=202[]"]);
    }

    /// M: the checker methods of module 3 are spelled without the module's name.
    #[test]
    fn checker_methods_of_srv_need_no_module_name() {
        let modules = read(
            "enum drpc_srv_method { DRPC_METHOD_CHK_REPORT = 301, DRPC_METHOD_SRV_LIST_POOLS, NUM_DRPC_SRV_METHODS };\n\
             enum drpc_module { DRPC_MODULE_SRV = 3, NUM_DRPC_MODULES };",
        );
        assert_eq!(modules, ["srv=3[] chk_report=301[] list_pools=302[]"]);
    }
}
