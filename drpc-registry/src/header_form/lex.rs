//! The tokens of a C header, as far as enumerations need them.

use std::fmt;

use crate::report::Problem;
use crate::source::Span;

/// One token and where it stands.
#[derive(Clone)]
pub(super) struct Token<'t> {
    pub(super) lexeme: Lexeme<'t>,
    pub(super) span: Span,
}

#[derive(Clone)]
pub(super) enum Lexeme<'t> {
    /// A name or a keyword.
    Word(&'t str),
    /// Whatever begins with a digit.
    Number(&'t str),
    /// A string literal, without its quotes.
    Text(&'t str),
    /// The text of a comment, in one line and without its marks.
    Comment(String),
    /// A line for the preprocessor, without its `#`, comments and line continuations.
    Directive(String),
    /// Any other character.
    Mark(char),
}

impl fmt::Display for Lexeme<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lexeme::Word(text) | Lexeme::Number(text) => write!(f, "`{text}`"),
            Lexeme::Text(text) => write!(f, "`\"{}\"`", text.escape_debug()),
            Lexeme::Comment(_) => f.write_str("a comment"),
            Lexeme::Directive(text) => write!(f, "`#{text}`"),
            Lexeme::Mark(mark) => write!(f, "`{}`", mark.escape_debug()),
        }
    }
}

/// Cuts the text into tokens.
pub(super) fn lex(text: &str) -> Result<Vec<Token<'_>>, Problem> {
    let text_start = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 };
    let mut tokens = Vec::new();
    let mut at = text_start;
    // Whether only blanks and comments were seen in this line: then a `#` begins a directive.
    let mut begins_line = true;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let (length, lexeme) = if let Some(length) = comment_length(rest, at)? {
            (length, Some(Lexeme::Comment(comment_text(&rest[..length]))))
        } else if let Some(length) = continuation_length(rest) {
            (length, None)
        } else if is_word_character(first) {
            let length = rest.find(|c| !is_word_character(c)).unwrap_or(rest.len());
            let word = &rest[..length];
            (length, Some(if first.is_ascii_digit() { Lexeme::Number(word) } else { Lexeme::Word(word) }))
        } else if first == '#' && begins_line {
            let (length, directive) = directive(rest, at)?;
            (length, Some(Lexeme::Directive(directive)))
        } else if let Some(length) = literal_length(rest, '"') {
            (length, Some(Lexeme::Text(&rest[1..length - 1])))
        } else if is_blank(first) {
            begins_line |= first == '\n';
            (first.len_utf8(), None)
        } else {
            (first.len_utf8(), Some(Lexeme::Mark(first)))
        };
        begins_line &= matches!(lexeme, None | Some(Lexeme::Comment(_)));
        tokens.extend(lexeme.map(|lexeme| Token { lexeme, span: at..at + length }));
        at += length;
    }
    Ok(tokens)
}

/// What some editors begin a file with.
const BYTE_ORDER_MARK: char = '\u{feff}';

fn is_word_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// What is blank to a C compiler, to which a no-break space is not.
fn is_blank(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\u{b}'
}

/// The length of the comment that the text begins with, if it does. A `//` comment goes on behind a `\`, as for compilers.
fn comment_length(rest: &str, at: usize) -> Result<Option<usize>, Problem> {
    if let Some(body) = rest.strip_prefix("/*") {
        return match body.find("*/") {
            Some(length) => Ok(Some(length + "/**/".len())),
            None => {
                let problem = Problem::new("a comment that does not end", &(at..at + 2), "begins here");
                Err(problem.help("close it with `*/`"))
            }
        };
    }
    Ok(rest.starts_with("//").then(|| line_length(rest)))
}

/// The length of a line with its continuations, without its end.
fn line_length(rest: &str) -> usize {
    let mut length = 0;
    for line in rest.split_inclusive('\n') {
        if !line.trim_end().ends_with('\\') {
            return length + line.trim_end_matches(['\n', '\r']).len();
        }
        length += line.len();
    }
    length
}

/// The length of a `\` that ends a line, with the end, if the text begins with one.
fn continuation_length(rest: &str) -> Option<usize> {
    let line = rest.strip_prefix('\\')?.split_inclusive('\n').next()?;
    line.trim_matches(is_blank).is_empty().then(|| 1 + line.len())
}

/// The length of a literal in such quotes on one line, if the text begins with one.
fn literal_length(rest: &str, quote: char) -> Option<usize> {
    let mut characters = rest.strip_prefix(quote)?.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => drop(characters.next()),
            '\n' => return None,
            c if c == quote => return Some(at + 2),
            _ => {}
        }
    }
    None
}

/// A directive's length, without the end of its line, and its text. A comment in it may go on in the next line.
fn directive(rest: &str, start: usize) -> Result<(usize, String), Problem> {
    let mut text = String::new();
    let mut at = 1;
    while let Some(next) = rest[at..].chars().next().filter(|next| *next != '\n') {
        let ahead = &rest[at..];
        if let Some(length) = comment_length(ahead, start + at)?.or_else(|| continuation_length(ahead)) {
            text.push(' ');
            at += length;
        } else {
            let length = ['"', '\''].into_iter().find_map(|quote| literal_length(ahead, quote));
            let length = length.unwrap_or(next.len_utf8());
            text.push_str(&ahead[..length]);
            at += length;
        }
    }
    Ok((rest[..at].trim_end().len(), text.split_whitespace().collect::<Vec<_>>().join(" ")))
}

/// A comment's text in one line, without the marks of documentation tools and the stars that begin its lines.
fn comment_text(comment: &str) -> String {
    let body = match comment.strip_prefix("//") {
        Some(line) => line.trim_start_matches('/'),
        None => &comment[2..comment.len() - 2],
    };
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
    fn a_directive_is_one_token_without_its_comments_and_continuations() {
        assert_eq!(
            shown("#ifndef A\n#define A \\\r\n  b\r\nc\n  # endif"),
            "`#ifndef A` `#define A b` `c` `#endif`"
        );
        assert_eq!(shown("/* a */ #if 0 /* b\n c */ || 1 // d \\\n e\nf"), "(a) `#if 0 || 1` `f`");
        assert_eq!(shown("#define A \"/*\" '\"' /* b */\nc"), "`#define A \"/*\" '\"'` `c`");
        assert_eq!(shown("a # b"), "`a` `#` `b`");
    }

    #[test]
    fn lines_go_on_behind_a_backslash_as_for_a_compiler() {
        assert_eq!(shown("// a \\\nb\nc"), "(a \\ b) `c`");
        assert_eq!(shown("a \\\r\n b\\ \n# c"), "`a` `b` `#` `c`");
    }

    #[test]
    fn a_byte_order_mark_may_begin_the_text_and_nothing_else_is_blank() {
        assert_eq!(shown("\u{feff}# a\r\n\u{b}b"), "`#a` `b`");
        assert_eq!(shown("a\u{feff}"), "`a` `\\u{feff}`");
    }
}
