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
    let mut macros: HashMap<&str, Macro<'_>> = HashMap::new();
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
                    let is_function = value.starts_with('(');
                    // No ID: a mark that something is there, or a text.
                    let is_other = is_function || value.trim().is_empty() || value.trim().starts_with('"');
                    // `#define A A` is how C says that there is an A.
                    if name != value.trim() {
                        if is_entry(name) && !is_other && !guards(&conditions, &tokens, at) {
                            let help = "list it in its enumeration, with its ID";
                            let title = format!("`{name}` is a macro, and only enumerators are read");
                            problems.push(Problem::new(title, span, "").help(help));
                        } else {
                            macros.insert(name, Macro { span, is_function });
                        }
                    }
                }
                ("undef", name) => {
                    macros.remove(name.trim());
                }
                ("include", file) if is_standard(file.trim()) => {}
                ("include", _) => problems.push(
                    not_understood(text, span, "what it holds is not read")
                        .help("write its entries here; if it has none, the registry does without it"),
                ),
                // What the compiler says, and of which line.
                ("warning" | "line" | "ident" | "sccs", _) => {}
                ("error", _) if is_among_directives(&conditions, &tokens, at) => {}
                _ => problems.push(
                    not_understood(text, span, "").help("remove it: a registry holds two kinds of `enum`"),
                ),
            },
            Lexeme::Word(word) => {
                if let Some(definition) = macros.get(word)
                    && (!definition.is_function || is_called(&tokens[at + 1..]))
                {
                    problems.push(
                        Problem::new(
                            format!("`{word}` is a macro"),
                            span,
                            "the compiler sees something else here",
                        )
                        .other(definition.span, "defined here")
                        .help("write out what it stands for"),
                    );
                }
            }
            _ => {}
        }
    }
    tokens.into_iter().filter(|token| !matches!(token.lexeme, Lexeme::Directive(_))).collect()
}

/// A macro that is defined.
struct Macro<'a> {
    span: &'a Span,
    /// Whether it has parameters: then it is none but in front of a `(`.
    is_function: bool,
}

/// Whether a `(` comes next.
fn is_called(tokens: &[Token<'_>]) -> bool {
    let next = tokens.iter().find(|token| !matches!(token.lexeme, Lexeme::Comment(_) | Lexeme::Directive(_)));
    next.is_some_and(|next| next.lexeme == Lexeme::Mark('('))
}

/// A stretch of tokens that is there on a condition, from its `#if` to its `#endif`.
struct Condition {
    begin: usize,
    end: usize,
    /// Whether there is an `#else` or `#elif`.
    has_alternative: bool,
}

impl Condition {
    fn is_harmless(&self, tokens: &[Token<'_>], macros: &HashMap<&str, Macro<'_>>) -> bool {
        let inside = significant(&tokens[self.begin..self.end]);
        let is_linkage = matches!(
            inside.as_slice(),
            [Lexeme::Word("extern"), Lexeme::Quoted("\"C\""), Lexeme::Mark('{')] | [Lexeme::Mark('}')]
        );
        let has_all = inside.len() == significant(tokens).len();
        inside.is_empty()
            || (!self.has_alternative && is_linkage)
            || (has_all && self.guard(tokens).is_some_and(|name| !macros.contains_key(name)))
    }

    /// The macro that keeps the stretch from being read twice: it is not defined before, and is in front of all that stands here.
    fn guard<'a>(&self, tokens: &'a [Token<'_>]) -> Option<&'a str> {
        let Lexeme::Directive(condition) = &tokens[self.begin].lexeme else { return None };
        let name = match keyword(condition) {
            "ifndef" => argument(condition),
            "if" => argument(condition)
                .strip_prefix('!')?
                .trim_start_matches([' ', '('])
                .strip_prefix("defined")?,
            _ => return None,
        };
        let name = name.trim_matches(|c: char| c.is_whitespace() || matches!(c, '(' | ')'));
        let inside = tokens[self.begin + 1..self.end].iter().filter(|token| !token.is_comment());
        let leading = inside.map_while(|token| match &token.lexeme {
            Lexeme::Directive(text) if !is_conditional(text) => Some(text),
            _ => None,
        });
        let mut definitions = leading.filter(|text| keyword(text) == "define").map(|text| argument(text));
        let defines = definitions.any(|definition| split_word(definition).0 == name);
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

/// Whether the innermost condition around this place holds nothing but directives: then it is there for no entry's sake.
fn is_among_directives(conditions: &[Condition], tokens: &[Token<'_>], at: usize) -> bool {
    let around = conditions.iter().filter(|condition| (condition.begin..condition.end).contains(&at));
    let innermost = around.max_by_key(|condition| condition.begin);
    innermost.is_some_and(|condition| significant(&tokens[condition.begin..condition.end]).is_empty())
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

/// Whether a header is C's own, or the system's, which list no modules: `<stdint.h>`, `<cstdint>`, `<sys/types.h>`.
fn is_standard(file: &str) -> bool {
    let Some(name) = file.strip_prefix('<').and_then(|file| file.strip_suffix('>')) else { return false };
    match name.strip_suffix(".h") {
        Some(name) => {
            ["sys/", "linux/", "asm/"].iter().any(|folder| name.starts_with(folder))
                || HEADERS.contains(&name)
        }
        None => {
            CPP_HEADERS.contains(&name) || name.strip_prefix('c').is_some_and(|name| HEADERS.contains(&name))
        }
    }
}

/// Those of C and of POSIX.
const HEADERS: [&str; 40] = [
    "assert",
    "complex",
    "ctype",
    "dirent",
    "endian",
    "errno",
    "fcntl",
    "features",
    "fenv",
    "float",
    "inttypes",
    "iso646",
    "limits",
    "locale",
    "math",
    "poll",
    "pthread",
    "sched",
    "semaphore",
    "setjmp",
    "signal",
    "stdalign",
    "stdarg",
    "stdatomic",
    "stdbit",
    "stdbool",
    "stdckdint",
    "stddef",
    "stdint",
    "stdio",
    "stdlib",
    "stdnoreturn",
    "string",
    "strings",
    "threads",
    "time",
    "uchar",
    "unistd",
    "wchar",
    "wctype",
];

/// Those that C++ alone has, and that a list of numbers may need.
const CPP_HEADERS: [&str; 4] = ["string", "type_traits", "utility", "version"];

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
            "#define DRPC_METHOD_OF(m, n) ((m) * 100 + (n))\n#define DRPC_MODULE_NAME(x) #x\n@",
            "#define DRPC_MODULE_A(x) x\n@",
            "#define DRPC_MODULE_LIST\n#define DRPC_MODULE_A_NAME \"a\"\n@",
            "#include <sys/cdefs.h>\n__BEGIN_DECLS\n@__END_DECLS\n",
            "#if !( defined(A_H) )\n#define A_H\n@#endif\n",
            "#ifndef A_H\n#include <stdint.h>\n#define A_H\n@#endif\n",
            "#ifndef A_H\n#pragma once\n/* why */\n#define B 1\n#define A_H\n@#endif\n",
            "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <cstddef>\n#include <sys/cdefs.h>\n@",
            "#ifndef SIZE\n#error \"say the size\"\n#endif\n#ifdef OLD\n#warning old\n#endif\n#line 7 \"x\"\n@",
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
            ("#ifndef A_H\n#define A_H\n#error no\n@#endif\n", not_understood("#error no")),
            ("#ifndef A_H\n#ifdef B\n#define A_H\n#endif\n@#endif\n", not_understood("#ifndef A_H")),
            ("#include <modules.h>\n@", not_understood("#include <modules.h>")),
            ("#define ENTRY(x) x = 5\n@enum drpc_a_method { ENTRY (X) };\n", "`ENTRY` is a macro".to_owned()),
            ("#if A\n@", "`#if A` without `#endif`".to_owned()),
            ("@#endif\n", "`#endif` without `#if`".to_owned()),
            ("@#else\n", "`#else` without `#if`".to_owned()),
            (
                "@#define DRPC_METHOD_A_X 201\n",
                "`DRPC_METHOD_A_X` is a macro, and only enumerators are read".to_owned(),
            ),
            ("#define DRPC_MODULE_A\n@", "`DRPC_MODULE_A` is a macro".to_owned()),
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
