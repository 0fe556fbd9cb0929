//! What the preprocessor would do, as far as it could make the compiler see other IDs than we do: that is refused.

use std::collections::HashMap;

use super::lex::{Lexeme, Token};
use crate::report::Problem;
use crate::source::Span;

/// Takes the directives out of the tokens. Those that could matter to an ID are problems, each at its place.
///
/// These can't matter: a guard around everything, a condition that holds nothing but directives or the brackets of an
/// `extern "C"` block, a macro that no entry uses, a header of C's own library, a pragma.
pub(super) fn resolve<'t>(tokens: Vec<Token<'t>>, problems: &mut Vec<Problem>) -> Vec<Token<'t>> {
    let conditions = conditions(&tokens, problems);
    let mut macros: HashMap<&str, &Span> = HashMap::new();
    let mut refused_until = 0;
    for (at, token) in tokens.iter().enumerate() {
        if at < refused_until {
            continue;
        }
        let span = &token.span;
        match &token.lexeme {
            Lexeme::Directive(text) if is_conditional(text) => {
                let Some(condition) = conditions.iter().find(|condition| condition.begin == at) else {
                    continue;
                };
                if !condition.is_harmless(&tokens, &macros) {
                    problems.push(not_understood(text, span, "what follows may or may not be there").help(
                        "list the same entries for everyone; only a guard around all of them, and `extern \"C\"`, \
                         may be conditional",
                    ));
                    refused_until = condition.end;
                }
            }
            Lexeme::Directive(text) => match (keyword(text), argument(text)) {
                ("" | "pragma", _) => {}
                ("define", definition) => {
                    let (name, value) = split_word(definition);
                    // `#define A A` is how C says that there is an A.
                    if name != value.trim() {
                        if is_entry(name) && !guards(&conditions, &tokens, at) {
                            let help = "list it in its enumeration, with its ID";
                            let title = format!("`{name}` is a macro, and only enumerators are read");
                            problems.push(Problem::new(title, span, "").help(help));
                        } else {
                            macros.insert(name, span);
                        }
                    }
                }
                ("undef", name) => {
                    macros.remove(name.trim());
                }
                ("include", file) if STANDARD_HEADERS.contains(&file.trim()) => {}
                ("include", _) => problems.push(
                    not_understood(text, span, "what it holds is not read")
                        .help("write its entries here; if it has none, the registry does without it"),
                ),
                _ => problems.push(
                    not_understood(text, span, "").help("remove it: a registry holds two kinds of `enum`"),
                ),
            },
            Lexeme::Word(word) => {
                if let Some(definition) = macros.get(word) {
                    problems.push(
                        Problem::new(
                            format!("`{word}` is a macro"),
                            span,
                            "the compiler sees something else here",
                        )
                        .other(definition, "defined here")
                        .help("write out what it stands for"),
                    );
                }
            }
            _ => {}
        }
    }
    tokens.into_iter().filter(|token| !matches!(token.lexeme, Lexeme::Directive(_))).collect()
}

/// A stretch of tokens that is there on a condition, from its `#if` to its `#endif`.
struct Condition {
    begin: usize,
    end: usize,
    /// Whether there is an `#else` or `#elif`.
    has_alternative: bool,
}

impl Condition {
    fn is_harmless(&self, tokens: &[Token<'_>], macros: &HashMap<&str, &Span>) -> bool {
        let inside = significant(&tokens[self.begin..self.end]);
        let is_linkage = matches!(
            inside.as_slice(),
            [
                Lexeme::Word("extern"),
                Lexeme::Mark('"'),
                Lexeme::Word("C"),
                Lexeme::Mark('"'),
                Lexeme::Mark('{')
            ] | [Lexeme::Mark('}')]
        );
        let has_all = inside.len() == significant(tokens).len();
        inside.is_empty()
            || (!self.has_alternative && is_linkage)
            || (has_all && self.guard(tokens).is_some_and(|name| !macros.contains_key(name)))
    }

    /// The macro that keeps the stretch from being read twice: it is not defined before, and is at once.
    fn guard<'a>(&self, tokens: &'a [Token<'_>]) -> Option<&'a str> {
        let Lexeme::Directive(condition) = &tokens[self.begin].lexeme else { return None };
        let name = match keyword(condition) {
            "ifndef" => argument(condition),
            "if" => argument(condition).strip_prefix('!')?.trim_start().strip_prefix("defined")?,
            _ => return None,
        };
        let name = name.trim_matches(|c: char| c.is_whitespace() || matches!(c, '(' | ')'));
        let mut inside = tokens[self.begin + 1..self.end].iter().filter(|token| !token.is_comment());
        let Lexeme::Directive(first) = &inside.next()?.lexeme else { return None };
        let defines = keyword(first) == "define" && split_word(argument(first)).0 == name;
        (defines && !self.has_alternative).then_some(name)
    }
}

/// All conditions in the order in which they begin; brackets that don't match are problems.
fn conditions(tokens: &[Token<'_>], problems: &mut Vec<Problem>) -> Vec<Condition> {
    let mut done = Vec::new();
    let mut open: Vec<Condition> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let Lexeme::Directive(text) = &token.lexeme else { continue };
        let unmatched = || Problem::new(format!("`{}` without `#if`", shown(text)), &token.span, "");
        match keyword(text) {
            "if" | "ifdef" | "ifndef" => {
                open.push(Condition { begin: at, end: tokens.len(), has_alternative: false });
            }
            "else" | "elif" | "elifdef" | "elifndef" => match open.last_mut() {
                Some(condition) => condition.has_alternative = true,
                None => problems.push(unmatched().help("remove it")),
            },
            "endif" => match open.pop() {
                Some(condition) => done.push(Condition { end: at + 1, ..condition }),
                None => problems.push(unmatched().help("remove it")),
            },
            _ => {}
        }
    }
    for condition in open {
        let token = &tokens[condition.begin];
        if let Lexeme::Directive(text) = &token.lexeme {
            let problem =
                Problem::new(format!("`{}` without `#endif`", shown(text)), &token.span, "begins here");
            problems.push(problem.help("add `#endif` where it ends"));
        }
    }
    done.sort_by_key(|condition| condition.begin);
    done
}

/// Whether the `#define` at this place is that of a guard.
fn guards(conditions: &[Condition], tokens: &[Token<'_>], at: usize) -> bool {
    let Lexeme::Directive(define) = &tokens[at].lexeme else { return false };
    let (name, _) = split_word(argument(define));
    conditions.iter().any(|condition| condition.guard(tokens) == Some(name))
}

/// All but comments and directives.
fn significant<'a, 't>(tokens: &'a [Token<'t>]) -> Vec<&'a Lexeme<'t>> {
    let lexemes = tokens.iter().filter(|token| !token.is_comment()).map(|token| &token.lexeme);
    lexemes.filter(|lexeme| !matches!(lexeme, Lexeme::Directive(_))).collect()
}

fn is_conditional(directive: &str) -> bool {
    matches!(
        keyword(directive),
        "if" | "ifdef" | "ifndef" | "elif" | "elifdef" | "elifndef" | "else" | "endif"
    )
}

/// Whether the name is one that an entry would have.
fn is_entry(name: &str) -> bool {
    name.starts_with("DRPC_MODULE_") || name.starts_with("DRPC_METHOD_")
}

fn keyword(directive: &str) -> &str {
    split_word(directive).0
}

fn argument(directive: &str) -> &str {
    split_word(directive).1.trim_start()
}

fn split_word(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len()))
}

fn not_understood(directive: &str, span: &Span, label: &str) -> Problem {
    Problem::new(format!("`{}` is not understood", shown(directive)), span, label)
}

fn shown(directive: &str) -> String {
    format!("#{}", directive.replace(char::is_control, " "))
}

/// C's own headers, which list no modules.
const STANDARD_HEADERS: [&str; 9] = [
    "<assert.h>",
    "<cstdint>",
    "<errno.h>",
    "<inttypes.h>",
    "<limits.h>",
    "<stdbool.h>",
    "<stddef.h>",
    "<stdint.h>",
    "<sys/types.h>",
];

#[cfg(test)]
mod tests {
    use crate::Registry;

    const MODULES: &str = "enum drpc_module { DRPC_MODULE_A = 2, NUM_DRPC_MODULES };\n";

    /// The titles of the problems of a header; none if it is as good without its directives.
    fn problems(text: &str) -> Vec<String> {
        match Registry::parse("modules.h", text) {
            Ok(registry) => {
                assert_eq!(registry.modules().len(), 1, "{text}");
                Vec::new()
            }
            Err(error) => {
                let report = error.to_string();
                report.lines().filter_map(|line| line.strip_prefix("error: ")).map(str::to_owned).collect()
            }
        }
    }

    #[test]
    fn what_can_not_matter_is_passed_over() {
        for header in [
            "#ifndef A_H\n#define A_H\n@#endif\n",
            "\u{feff}// why\n#pragma once\n#include <stdint.h>\n#if !defined(A_H) /* twice */\n/* no */\n#define A_H 1\n@#endif // A_H",
            "#ifndef DRPC_MODULE_LIST_H\n#define DRPC_MODULE_LIST_H\n#ifndef B\n#define B\n@#endif\n#endif\n",
            "#ifdef __cplusplus\nextern \"C\" {\n#endif\n@# if defined(__cplusplus)\n}\n# endif\n",
            "extern \"C\" {\n@}\n",
            "#define VERSION 3\n#define TWICE(x) \\\r\n  ((x) + \\\r\n  (x))\r\n#undef VERSION\n@",
            "#define MODULES /* a comment that\nends here */ 5\n@",
            "#ifdef OLD\n#define NAME \"/* old\"\n#elif 1\n#define NAME 'n'\n#else\n#undef NAME\n#endif\n@",
            "#\n@#define DRPC_MODULE_A DRPC_MODULE_A\n",
        ] {
            assert_eq!(problems(&header.replace('@', MODULES)), [""; 0], "{header}");
        }
    }

    #[test]
    fn what_can_matter_is_refused_once_and_at_its_place() {
        let not_understood = |directive: &str| format!("`{directive}` is not understood");
        for (header, problem) in [
            ("#if 0\nenum drpc_b_method { X };\n#endif\n@", not_understood("#if 0")),
            ("#ifdef  A /* a */\n@#else\nenum drpc_module {};\n#endif\n", not_understood("#ifdef A")),
            ("#ifndef A_H\n@#endif\n", not_understood("#ifndef A_H")),
            ("#define A_H\n#ifndef A_H\n#define A_H\n@#endif\n", not_understood("#ifndef A_H")),
            ("#ifndef A_H\n#define A_H\n@#else\n@#endif\n", not_understood("#ifndef A_H")),
            ("#ifndef A_H\n#define A_H\n@#endif\nenum drpc_a_method { };\n", not_understood("#ifndef A_H")),
            (
                "#ifdef __cplusplus\nenum drpc_a_method { DRPC_METHOD_A_X = 200 };\n#endif\n@",
                not_understood("#ifdef __cplusplus"),
            ),
            ("#include \"more.h\"\n@", not_understood("#include \"more.h\"")),
            ("@#error no\n", not_understood("#error no")),
            ("#if A\n@", "`#if A` without `#endif`".to_owned()),
            ("@#endif\n", "`#endif` without `#if`".to_owned()),
            ("@#else\n", "`#else` without `#if`".to_owned()),
            (
                "@#define DRPC_METHOD_A_X 201\n",
                "`DRPC_METHOD_A_X` is a macro, and only enumerators are read".to_owned(),
            ),
            (
                "#define FIRST 201\n@enum drpc_a_method { DRPC_METHOD_A_X = FIRST };\n",
                "`FIRST` is a macro".to_owned(),
            ),
        ] {
            assert_eq!(problems(&header.replace('@', MODULES)), [problem], "{header}");
        }
    }

    #[test]
    fn two_mistakes_are_two_errors() {
        let header = "#include \"a.h\"\n#if 1\n#if 2\nenum x {};\n#endif\n#endif\n";
        assert_eq!(problems(header).len(), 2);
    }

    #[test]
    fn a_line_comment_goes_on_behind_a_backslash() {
        let header = "// why \\\nenum drpc_module { DRPC_MODULE_B };\n@";
        assert_eq!(problems(&header.replace('@', MODULES)), [""; 0]);
    }

    #[test]
    fn comments_may_stand_anywhere() {
        let header = "enum /* a */ drpc_module // b\n{ DRPC_MODULE_A /* c */ = /* d */ 2 // e\n/* f */, /* g */\nNUM_DRPC_MODULES\n}\n/* h */;";
        assert_eq!(problems(header), [""; 0]);
    }
}
