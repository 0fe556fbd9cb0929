//! The C header form: from text to drafts (M).
//!
//! [`lex`] cuts the text into tokens, [`directives`] takes out what is for the preprocessor, [`Parser`] makes enumerations
//! of the rest, and [`Assembly`] makes modules of those.

mod directives;
mod lex;

use std::collections::BTreeSet;

use self::lex::{Lexeme, Token, lex};
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

/// One enumeration as written.
struct Enumeration<'t> {
    tag: At<&'t str>,
    entries: Vec<Enumerator<'t>>,
    reserved: Vec<ReservedDraft>,
}

/// One enumerator with its value, written or implied.
struct Enumerator<'t> {
    name: At<&'t str>,
    value: Field<i32>,
    doc: String,
}

/// The enumerations; nothing when it is not known what the preprocessor leaves of them.
fn parse<'t>(text: &'t str, problems: &mut Vec<Problem>) -> Result<Option<Vec<Enumeration<'t>>>, Problem> {
    let tokens = directives::resolve(lex(text)?, problems);
    if !problems.is_empty() {
        return Ok(None);
    }
    let mut parser = Parser { text, tokens: &tokens, linkage: Vec::new(), problems };
    let mut enumerations = Vec::new();
    while let Some(found) = parser.enumeration()? {
        enumerations.push(found);
    }
    Ok(Some(enumerations))
}

/// Syntax errors end the parsing; what is well-formed but wrong goes to `problems`.
struct Parser<'t, 'p> {
    text: &'t str,
    /// The tokens still to come.
    tokens: &'p [Token<'t>],
    /// The `extern "C"` blocks that are open.
    linkage: Vec<Span>,
    problems: &'p mut Vec<Problem>,
}

impl<'t> Parser<'t, '_> {
    /// The next `enum tag { … };`, or nothing at the end of the text.
    fn enumeration(&mut self) -> Result<Option<Enumeration<'t>>, Problem> {
        self.linkage()?;
        if self.tokens.is_empty() {
            return Ok(None);
        }
        if !self.accept(|lexeme| matches!(lexeme, Lexeme::Word("enum"))) {
            let problem = self.unexpected("`enum drpc_module` or `enum drpc_<module>_method`");
            return Err(problem.help("a registry holds nothing else: move this to a header of its own"));
        }
        self.skip_comments();
        let mut found = Enumeration { tag: self.word("a tag")?, entries: Vec::new(), reserved: Vec::new() };
        self.skip_comments();
        self.mark('{')?;
        let mut count: Option<At<&str>> = None;
        let mut implied = Some(0);
        let mut separated = true;
        loop {
            while let Some(comment) = self.comment() {
                found.reserved.extend(reservation(&comment));
            }
            if self.accept_mark('}') {
                break;
            }
            if !separated {
                separated = self.accept_mark(',');
                if !separated {
                    return Err(self.unexpected("`,` or `}`"));
                }
                continue;
            }
            let mut entry = self.enumerator(implied)?;
            implied = entry.value.given().and_then(|value| value.value.checked_add(1));
            separated = self.accept_mark(',');
            self.append_doc(&mut entry);
            if let Some(count) = &count {
                let title = format!("`{}` stands after the count", entry.name.value);
                let problem =
                    Problem::new(title, &entry.name.span, "").other(&count.span, "the count of the entries");
                self.problems.push(problem.help(format!("move it above `{}`", count.value)));
            }
            if entry.name.value.starts_with("NUM_DRPC_") {
                count = Some(entry.name);
            } else {
                found.entries.push(entry);
            }
        }
        self.skip_comments();
        self.mark(';')?;
        Ok(Some(found))
    }

    /// What `extern "C" {` and its `}` do to names is no concern of ours.
    fn linkage(&mut self) -> Result<(), Problem> {
        loop {
            self.skip_comments();
            let Some(next) = self.tokens.first() else { break };
            if self.accept(|lexeme| matches!(lexeme, Lexeme::Word("extern"))) {
                self.mark('"')?;
                self.word("`C`")?;
                self.mark('"')?;
                self.mark('{')?;
                self.linkage.push(next.span.clone());
            } else if self.linkage.is_empty() || !self.accept_mark('}') {
                return Ok(());
            } else {
                self.linkage.pop();
            }
        }
        match self.linkage.pop() {
            None => Ok(()),
            Some(span) => {
                let problem = Problem::new("an `extern \"C\"` block that does not end", &span, "begins here");
                Err(problem.help("close it with `}`"))
            }
        }
    }

    /// `NAME` or `NAME = 1`, with the comment behind it.
    fn enumerator(&mut self, implied: Option<i32>) -> Result<Enumerator<'t>, Problem> {
        let name = self.word("a name or `}`")?;
        let mut entry = Enumerator { name, value: Field::Faulty, doc: String::new() };
        self.append_doc(&mut entry);
        if let Some(Token { lexeme: Lexeme::Mark('='), .. }) =
            self.tokens.iter().find(|token| !token.is_comment())
        {
            self.skip_comments();
        }
        if self.accept_mark('=') {
            self.append_doc(&mut entry);
            entry.value = self.integer()?;
        } else if let Some(value) = implied {
            // Without a value here there is something wrong with the one before, and that is reported.
            entry.value = Field::Given(At { value, span: entry.name.span.clone() });
        }
        self.append_doc(&mut entry);
        Ok(entry)
    }

    /// An integer as C writes it: decimal, hexadecimal or octal, perhaps with a minus.
    fn integer(&mut self) -> Result<Field<i32>, Problem> {
        self.skip_comments();
        let start = self.tokens.first().map(|token| token.span.start);
        let negative = self.accept_mark('-');
        let Some((Token { lexeme: Lexeme::Number(text), span }, rest)) = self.tokens.split_first() else {
            return Err(self.unexpected("an integer").help("write the number out"));
        };
        self.tokens = rest;
        let span = start.unwrap_or(span.start)..span.end;
        let Some(magnitude) = c_integer(text) else {
            return Err(
                Problem::new(format!("`{text}` is not an integer"), &span, "").help("write a decimal number")
            );
        };
        let value = if negative { -magnitude } else { magnitude };
        Ok(match i32::try_from(value) {
            Ok(value) => Field::Given(At { value, span }),
            Err(_) => {
                let problem =
                    Problem::new(format!("`{}` does not fit an i32", &self.text[span.clone()]), &span, "");
                self.problems.push(problem.help("dRPC sends module and method IDs as i32"));
                Field::Faulty
            }
        })
    }

    /// Adds the comments that come next, as far as they begin on the entry's own line.
    fn append_doc(&mut self, entry: &mut Enumerator<'_>) {
        while let Some(next) = self.tokens.first()
            && !self.text[entry.name.span.end..next.span.start].contains('\n')
            && let Some(comment) = self.comment()
        {
            let space = if entry.doc.is_empty() { "" } else { " " };
            entry.doc = format!("{}{space}{}", entry.doc, comment.value);
        }
    }

    fn skip_comments(&mut self) {
        while self.comment().is_some() {}
    }

    fn comment(&mut self) -> Option<At<String>> {
        let (Token { lexeme: Lexeme::Comment(text), span }, rest) = self.tokens.split_first()? else {
            return None;
        };
        self.tokens = rest;
        Some(At { value: text.clone(), span: span.clone() })
    }

    fn word(&mut self, expected: &str) -> Result<At<&'t str>, Problem> {
        let Some((Token { lexeme: Lexeme::Word(word), span }, rest)) = self.tokens.split_first() else {
            return Err(self.unexpected(expected));
        };
        self.tokens = rest;
        Ok(At { value: word, span: span.clone() })
    }

    fn mark(&mut self, mark: char) -> Result<(), Problem> {
        if self.accept_mark(mark) { Ok(()) } else { Err(self.unexpected(&format!("`{mark}`"))) }
    }

    fn accept_mark(&mut self, mark: char) -> bool {
        self.accept(|lexeme| matches!(lexeme, Lexeme::Mark(found) if *found == mark))
    }

    fn accept(&mut self, wanted: impl Fn(&Lexeme<'_>) -> bool) -> bool {
        match self.tokens.split_first() {
            Some((token, rest)) if wanted(&token.lexeme) => {
                self.tokens = rest;
                true
            }
            _ => false,
        }
    }

    fn unexpected(&self, expected: &str) -> Problem {
        let (found, span) = match self.tokens.first() {
            Some(token) => (token.lexeme.to_string(), token.span.clone()),
            None => ("the end of the file".to_owned(), self.text.len()..self.text.len()),
        };
        Problem::new(format!("expected {expected}, found {found}"), &span, "not expected here")
    }
}

/// A comment `reserved 203: why` as a reservation; other comments are no business of ours.
fn reservation(comment: &At<String>) -> Option<ReservedDraft> {
    let (id, reason) = comment.value.strip_prefix("reserved ")?.split_once(':')?;
    let id = id.trim().parse().ok()?;
    Some(ReservedDraft {
        span: comment.span.clone(),
        id: MethodId::global(At { value: id, span: comment.span.clone() }),
        reason: Field::Given(At { value: reason.trim().to_owned(), span: comment.span.clone() }),
    })
}

fn c_integer(text: &str) -> Option<i64> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    let well_formed = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    well_formed.then(|| i64::from_str_radix(digits, radix).unwrap_or(i64::MAX))
}

/// Makes modules of enumerations.
struct Assembly<'p> {
    drafts: Vec<ModuleDraft>,
    /// The enumerations of methods seen so far.
    tags: Vec<At<String>>,
    problems: &'p mut Vec<Problem>,
}

impl Assembly<'_> {
    fn modules(&mut self, found: Enumeration<'_>) {
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

    fn methods(&mut self, found: Enumeration<'_>) {
        let At { value: tag, span } = found.tag;
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
