//! The tokens of a C header, as far as enumerations need them.

use std::fmt;

use crate::report::Problem;
use crate::source::Span;

/// One token and where it stands.
pub(super) struct Token<'t> {
    pub(super) lexeme: Lexeme<'t>,
    pub(super) span: Span,
}

impl Token<'_> {
    pub(super) fn is_comment(&self) -> bool {
        matches!(self.lexeme, Lexeme::Comment(_))
    }
}

pub(super) enum Lexeme<'t> {
    /// A name or a keyword.
    Word(&'t str),
    /// Whatever begins with a digit.
    Number(&'t str),
    /// The text of a comment, in one line and without its marks.
    Comment(String),
    /// What a preprocessor line says behind its `#`: in one line, without comments, with single spaces.
    Directive(String),
    /// Any other character.
    Mark(char),
}

impl fmt::Display for Lexeme<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lexeme::Word(text) | Lexeme::Number(text) => write!(f, "`{text}`"),
            Lexeme::Comment(_) => f.write_str("a comment"),
            Lexeme::Directive(text) => write!(f, "`#{text}`"),
            Lexeme::Mark(mark) => write!(f, "`{}`", mark.escape_debug()),
        }
    }
}

/// Cuts the text into tokens.
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
            let body = &comment[..line_length(comment)];
            ("//".len() + body.len(), Some(Lexeme::Comment(comment_text(body.trim_start_matches('/')))))
        } else if let Some(length) = continuation_length(rest) {
            (length, None)
        } else if is_word_character(first) {
            let length = rest.find(|c| !is_word_character(c)).unwrap_or(rest.len());
            let word = &rest[..length];
            (length, Some(if first.is_ascii_digit() { Lexeme::Number(word) } else { Lexeme::Word(word) }))
        } else if first == '#' {
            let (length, text) = directive(rest);
            (length, Some(Lexeme::Directive(text)))
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

/// The length of a line, without its end, and with the lines that continue it.
fn line_length(text: &str) -> usize {
    let mut length = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end();
        if !content.ends_with('\\') {
            return length + content.len();
        }
        length += line.len();
    }
    length
}

/// The length of a `\` that ends a line, with the end, if the text begins with one.
fn continuation_length(text: &str) -> Option<usize> {
    let line = text.strip_prefix('\\')?.split_inclusive('\n').next().unwrap_or_default();
    line.trim().is_empty().then_some("\\".len() + line.len())
}

/// The length of a preprocessor line, and what it says. A comment in it may go on over several lines.
fn directive(text: &str) -> (usize, String) {
    let mut said = String::new();
    let mut at = "#".len();
    let mut quote = None;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        if c == '\n' {
            break;
        } else if let Some(length) = continuation_length(rest) {
            at += length;
        } else if quote.is_none() && rest.starts_with("//") {
            at += line_length(rest);
        } else if quote.is_none() && rest.starts_with("/*") {
            said.push(' ');
            at += rest.find("*/").map_or(rest.len(), |end| end + 2);
        } else {
            if c == '\\' {
                // A quote behind a backslash does not end a string.
                said.push(c);
                at += 1;
            } else if quote == Some(c) {
                quote = None;
            } else if quote.is_none() && matches!(c, '"' | '\'') {
                quote = Some(c);
            }
            said.extend(text[at..].chars().next());
            at += text[at..].chars().next().map_or(0, char::len_utf8);
        }
    }
    (at, said.split_whitespace().collect::<Vec<_>>().join(" "))
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
    fn a_line_goes_on_behind_a_backslash() {
        assert_eq!(shown("a = \\\r\n 1 \\ \n, b\\c"), "`a` `=` `1` `,` `b` `\\\\` `c`");
    }

    #[test]
    fn a_directive_is_one_token() {
        assert_eq!(
            shown("#ifndef A\n#  define A \\\n  b\nc\n#endif"),
            "`#ifndef A` `#define A b` `c` `#endif`"
        );
        assert_eq!(shown("#define A /* b\n c */ d // e \\\n f\ng"), "`#define A d` `g`");
        assert_eq!(shown("#define A \"\\\"/*\" '\"'\nb"), "`#define A \"\\\"/*\" '\"'` `b`");
        assert_eq!(shown("#\\"), "`#`");
    }
}
