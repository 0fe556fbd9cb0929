//! The tokens of a C header, as far as enumerations need them.

use std::fmt;

use crate::report::Problem;
use crate::source::Span;

/// One token and where it stands.
pub(super) struct Token<'t> {
    pub(super) lexeme: Lexeme<'t>,
    pub(super) span: Span,
}

pub(super) enum Lexeme<'t> {
    /// A name or a keyword.
    Word(&'t str),
    /// Whatever begins with a digit.
    Number(&'t str),
    /// The text of a comment, in one line and without its marks.
    Comment(String),
    /// Any other character.
    Mark(char),
}

impl fmt::Display for Lexeme<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lexeme::Word(text) | Lexeme::Number(text) => write!(f, "`{text}`"),
            Lexeme::Comment(_) => f.write_str("a comment"),
            Lexeme::Mark(mark) => write!(f, "`{}`", mark.escape_debug()),
        }
    }
}

/// Cuts the text into tokens, without what is for the preprocessor or for C++.
pub(super) fn lex(text: &str) -> Result<Vec<Token<'_>>, Problem> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let (length, lexeme) = if let Some(comment) = rest.strip_prefix("/*") {
            let Some((body, _)) = comment.split_once("*/") else {
                let problem = Problem::new("a comment that does not end", &(at..at + 2), "begins here");
                return Err(problem.help("close it with `*/`"));
            };
            ("/**/".len() + body.len(), Some(Lexeme::Comment(comment_text(body))))
        } else if let Some(comment) = rest.strip_prefix("//") {
            let body = comment.lines().next().unwrap_or_default();
            ("//".len() + body.len(), Some(Lexeme::Comment(comment_text(body.trim_start_matches('/')))))
        } else if is_word_character(first) {
            let length = rest.find(|c| !is_word_character(c)).unwrap_or(rest.len());
            let word = &rest[..length];
            (length, Some(if first.is_ascii_digit() { Lexeme::Number(word) } else { Lexeme::Word(word) }))
        } else if first == '#' {
            (directive_length(rest), None)
        } else if first.is_whitespace() || first == '\u{feff}' {
            (first.len_utf8(), None)
        } else {
            (first.len_utf8(), Some(Lexeme::Mark(first)))
        };
        tokens.extend(lexeme.map(|lexeme| Token { lexeme, span: at..at + length }));
        at += length;
    }
    Ok(tokens)
}

fn is_word_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// A comment's text in one line, without the marks of documentation tools and the stars that begin its lines.
fn comment_text(body: &str) -> String {
    let body = body.strip_prefix(['*', '!']).unwrap_or(body);
    let body = body.strip_prefix('<').unwrap_or(body);
    let lines = body.lines().enumerate();
    let words = lines.flat_map(|(number, line)| {
        let line = line.trim_start();
        let line = if number == 0 { line } else { line.trim_start_matches('*') };
        line.split_whitespace()
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The length of a preprocessor line with its continuations; of the whole section if it is for C++ only.
fn directive_length(rest: &str) -> usize {
    let mut length = 0;
    for line in rest.split_inclusive('\n') {
        length += line.len();
        if !line.trim_end().ends_with('\\') {
            break;
        }
    }
    let directive = rest[1..length].trim_start();
    if directive.starts_with("if") && !directive.starts_with("ifndef") && directive.contains("__cplusplus") {
        let mut section = length;
        for line in rest[length..].split_inclusive('\n') {
            section += line.len();
            if line
                .trim_start()
                .strip_prefix('#')
                .is_some_and(|directive| directive.trim_start().starts_with("endif"))
            {
                return section;
            }
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let tokens = lex(text).expect("no open comment").into_iter();
        let shown = tokens.map(|token| match token.lexeme {
            Lexeme::Comment(text) => format!("({text})"),
            other => other.to_string(),
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn words_numbers_and_marks() {
        assert_eq!(
            shown("enum a{B_2=0x1F,C = -3};"),
            "`enum` `a` `{` `B_2` `=` `0x1F` `,` `C` `=` `-` `3` `}` `;`"
        );
    }

    #[test]
    fn comments_of_every_style_lose_their_marks() {
        assert_eq!(
            shown("/* a */ /** b */ /**< c\n * d\n */ // e\n/// f\n///< g\n//! h\n/**/ //"),
            "(a) (b) (c d) (e) (f) (g) (h) () ()"
        );
        assert_eq!(shown("/* * a */"), "(* a)");
    }

    #[test]
    fn the_preprocessor_and_cpp_are_passed_over() {
        assert_eq!(shown("#ifndef A\n#define A \\\n  b\nc\n#endif"), "`c`");
        assert_eq!(
            shown("#ifdef __cplusplus\nextern \"C\" {\n#endif\na\n# if defined(__cplusplus)\n}\n# endif\n"),
            "`a`"
        );
        assert_eq!(shown("#ifdef __cplusplus\na"), "`a`");
    }
}
