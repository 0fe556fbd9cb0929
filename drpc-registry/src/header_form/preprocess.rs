//! What a preprocessor would do to the tokens: nothing, or else the header is refused.
//!
//! A condition may hold for one compiler and not for the next, so that nobody can say what ID a method has. Two kinds
//! don't matter: an include guard, and what begins and ends `extern "C"` for C++.

use std::collections::BTreeMap;

use super::lex::{Lexeme, Token};
use crate::report::Problem;
use crate::source::Span;

/// The tokens without directives; an error at the first directive, or name, that may make other tokens of them.
pub(super) fn preprocess(tokens: Vec<Token<'_>>) -> Result<Vec<Token<'_>>, Problem> {
    let mut preprocessor = Preprocessor { guards: Vec::new(), macros: BTreeMap::new(), state: State::Before };
    let mut passed = Vec::new();
    let mut rest = tokens.as_slice();
    while let Some((token, behind)) = rest.split_first() {
        rest = behind;
        match &token.lexeme {
            Lexeme::Directive(text) if is_for_cpp(text) => {
                let (linkage, behind) = linkage(token, behind)?;
                passed.extend_from_slice(linkage);
                rest = behind;
            }
            Lexeme::Directive(text) => preprocessor.directive(text, &token.span, behind)?,
            Lexeme::Comment(_) => passed.push(token.clone()),
            Lexeme::Word(_) | Lexeme::Number(_) | Lexeme::Text(_) | Lexeme::Mark(_) => {
                preprocessor.token(token)?;
                passed.push(token.clone());
            }
        }
    }
    match preprocessor.guards.pop() {
        Some(open) => {
            Err(Problem::new("a condition that does not end", &open, "begins here").help("add `#endif`"))
        }
        None => Ok(passed),
    }
}

struct Preprocessor {
    /// The include guards that are open.
    guards: Vec<Span>,
    /// The names that stand for something else, and where they are defined.
    macros: BTreeMap<String, Span>,
    state: State,
}

/// How far the text is that an include guard must hold all of.
enum State {
    /// Nothing of it has come yet.
    Before,
    Within,
    /// A guard was closed; it is here.
    Behind(Span),
}

impl Preprocessor {
    fn directive(&mut self, text: &str, span: &Span, behind: &[Token<'_>]) -> Result<(), Problem> {
        let (name, operand) = split(text);
        match name {
            "ifndef" | "if" if guarded(text).is_some_and(|guard| self.is_guard(guard, behind)) => {
                self.guards.push(span.clone());
            }
            "if" | "ifdef" | "ifndef" => {
                let problem =
                    Problem::new(format!("`#{name}` is not understood"), span, "IDs may depend on it");
                return Err(problem.help(
                    "list every entry without a condition; only an include guard around the whole file and \
                     `extern \"C\"` for C++ may have one",
                ));
            }
            "else" | "elif" | "elifdef" | "elifndef" => {
                let title = format!("`#{name}` is not understood");
                let mut problem = Problem::new(title, span, "IDs may depend on it");
                if let Some(open) = self.guards.last() {
                    problem = problem.other(open, "the condition");
                }
                return Err(problem.help("list every entry without a condition"));
            }
            "endif" => match self.guards.pop() {
                Some(open) => self.state = State::Behind(open),
                None => {
                    let problem = Problem::new("`#endif` without a condition", span, "nothing to end here");
                    return Err(problem.help("remove it"));
                }
            },
            "define" => {
                let name = operand.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next();
                self.macros.insert(name.unwrap_or_default().to_owned(), span.clone());
            }
            "undef" => drop(self.macros.remove(operand)),
            "include" | "include_next" | "import" | "embed" => {
                let problem =
                    Problem::new(format!("`#{name}` is not read"), span, "entries in it are not seen");
                return Err(problem.help(
                    "a registry is one file: move the entries here, and remove the directive, which the `enum`s don't need",
                ));
            }
            "" | "pragma" | "line" | "ident" | "warning" => {}
            _ => {
                let problem = Problem::new(format!("`#{name}` is not understood"), span, "");
                return Err(problem.help("remove it: a registry holds `enum`s"));
            }
        }
        Ok(())
    }

    fn token(&mut self, token: &Token<'_>) -> Result<(), Problem> {
        if let Lexeme::Word(word) = token.lexeme
            && let Some(defined) = self.macros.get(word)
        {
            let problem =
                Problem::new(format!("`{word}` is a macro"), &token.span, "the compiler replaces it");
            return Err(problem.other(defined, "defined here").help("write what it stands for"));
        }
        match &self.state {
            State::Before => self.state = State::Within,
            State::Within => {}
            State::Behind(open) => {
                let problem =
                    Problem::new("an include guard that does not hold the whole file", open, "begins here");
                let problem = problem.other(&token.span, "not in it");
                return Err(problem.help("move its `#endif` to the end of the file"));
            }
        }
        Ok(())
    }

    /// Whether a condition on this name stands before everything else, and the name is defined in it first of all.
    fn is_guard(&self, name: &str, behind: &[Token<'_>]) -> bool {
        let next = behind.iter().find(|token| match &token.lexeme {
            Lexeme::Comment(_) => false,
            Lexeme::Directive(text) => split(text).0 != "pragma",
            _ => true,
        });
        let defines = next.is_some_and(|token| {
            matches!(&token.lexeme, Lexeme::Directive(text) if text.strip_prefix("define ")
                .is_some_and(|defined| defined.split(' ').next() == Some(name)))
        });
        matches!(self.state, State::Before) && !self.macros.contains_key(name) && defines
    }
}

/// A directive's name and what stands behind it.
fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// The name that must not be defined, in `ifndef NAME` and `if !defined(NAME)`.
fn guarded(text: &str) -> Option<&str> {
    match split(text) {
        ("ifndef", name) => Some(name),
        ("if", condition) => defined(condition.strip_prefix('!')?.trim_start()),
        _ => None,
    }
}

/// Whether it is `ifdef __cplusplus` or `if defined(__cplusplus)`.
fn is_for_cpp(text: &str) -> bool {
    match split(text) {
        ("ifdef", name) => name == "__cplusplus",
        ("if", condition) => defined(condition) == Some("__cplusplus"),
        _ => false,
    }
}

/// The name in `defined NAME` or `defined(NAME)`.
fn defined(condition: &str) -> Option<&str> {
    let name = condition.strip_prefix("defined")?.trim_start();
    let name = name.strip_prefix('(').map_or(Some(name), |name| name.strip_suffix(')'))?.trim();
    (!name.is_empty() && split(name).1.is_empty()).then_some(name)
}

/// What begins or ends `extern "C"` in a section for C++, and the tokens behind the section.
fn linkage<'a, 't>(
    condition: &Token<'t>,
    rest: &'a [Token<'t>],
) -> Result<(&'a [Token<'t>], &'a [Token<'t>]), Problem> {
    let length = rest.iter().take_while(|token| !matches!(token.lexeme, Lexeme::Directive(_))).count();
    let (section, rest) = rest.split_at(length);
    let ends = rest
        .split_first()
        .filter(|(end, _)| matches!(&end.lexeme, Lexeme::Directive(text) if split(text).0 == "endif"));
    let code: Vec<_> = section
        .iter()
        .map(|token| &token.lexeme)
        .filter(|lexeme| !matches!(lexeme, Lexeme::Comment(_)))
        .collect();
    match (code.as_slice(), ends) {
        (
            [] | [Lexeme::Word("extern"), Lexeme::Text("C"), Lexeme::Mark('{')] | [Lexeme::Mark('}')],
            Some((_, rest)),
        ) => Ok((section, rest)),
        _ => {
            let title = "only `extern \"C\" {` or its `}` may stand in a condition for C++";
            let problem = Problem::new(title, &condition.span, "IDs may depend on it");
            Err(problem.help("list every entry for C and C++ alike, outside of the condition"))
        }
    }
}
