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

#[derive(PartialEq, Eq)]
pub(super) enum Lexeme<'t> {
    /// A name or a keyword.
    Word(&'t str),
    /// Whatever begins with a digit, as far as C takes it for one number: also `1'000`, `1.5` and `0x1e+3`.
    Number(&'t str),
    /// A text or a character, with its quotes.
    Quoted(&'t str),
    /// The text of a comment, without its marks: the lines that say something.
    Comment(String),
    /// What a preprocessor line says behind its `#`: in one line, without comments, with single spaces.
    Directive(String),
    /// Any other character.
    Mark(char),
}

impl fmt::Display for Lexeme<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lexeme::Word(text) | Lexeme::Number(text) | Lexeme::Quoted(text) => {
                write!(f, "`{}`", text.replace(char::is_control, " "))
            }
            Lexeme::Comment(_) => f.write_str("a comment"),
            Lexeme::Directive(text) => write!(f, "`#{text}`"),
            Lexeme::Mark(mark) => write!(f, "`{}`", mark.escape_debug()),
        }
    }
}

/// Cuts the text into tokens.
pub(super) fn lex(text: &str) -> Result<Vec<Token<'_>>, Problem> {
    if let Some(at) = trigraph(text) {
        let problem =
            Problem::new("`??/` at the end of a line", &(at..at + 3), "strict C goes on with this line");
        return Err(problem.help("remove it"));
    }
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let (length, lexeme) = if rest.starts_with("/*") {
            let length = comment_length(text, at)?;
            let body = &rest["/*".len()..length - "*/".len()];
            (length, Some(Lexeme::Comment(comment_text(body))))
        } else if let Some(comment) = rest.strip_prefix("//") {
            let body = &comment[..line_length(comment)];
            ("//".len() + body.len(), Some(Lexeme::Comment(comment_text(body.trim_start_matches('/')))))
        } else if let Some(length) = continuation_length(rest) {
            (length, None)
        } else if first.is_ascii_digit() {
            let length = number_length(rest);
            (length, Some(Lexeme::Number(&rest[..length])))
        } else if is_word_character(first) {
            let length = rest.find(|c| !is_word_character(c)).unwrap_or(rest.len());
            (length, Some(Lexeme::Word(&rest[..length])))
        } else if let Some(length) = quoted_length(rest) {
            (length, Some(Lexeme::Quoted(&rest[..length])))
        } else if first == '#' {
            let (length, text) = directive(text, at)?;
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

/// The place of a `??/` that ends a line: to a compiler that keeps to the standard, it is a backslash.
fn trigraph(text: &str) -> Option<usize> {
    let mut start = 0;
    text.split_inclusive('\n').find_map(|line| {
        let content = line.trim_end();
        let at = start + content.len();
        start += line.len();
        content.ends_with("??/").then(|| at - "??/".len())
    })
}

/// The length of the block comment that begins here. Its last two characters are `*/`.
fn comment_length(text: &str, at: usize) -> Result<usize, Problem> {
    let begin = at + "/*".len();
    for (star, _) in text[begin..].match_indices('*') {
        let star = begin + star;
        let mut behind = star + 1;
        while let Some(length) = continuation_length(&text[behind..]) {
            behind += length;
        }
        if text[behind..].starts_with('/') {
            if behind == star + 1 {
                return Ok(behind + 1 - at);
            }
            let problem = Problem::new(
                "a comment whose end stands in two lines",
                &(star..star + 2),
                "the compiler joins them",
            );
            return Err(problem.help("write `*/` in one line"));
        }
    }
    let problem = Problem::new("a comment that does not end", &(at..begin), "begins here");
    Err(problem.help("close it with `*/`"))
}

/// The length of what C takes for one number, which may be more than is one.
fn number_length(text: &str) -> usize {
    let mut length = 0;
    let mut previous = ' ';
    for c in text.chars() {
        let is_part = match c {
            '\'' => text[length + 1..].starts_with(is_word_character),
            '+' | '-' => matches!(previous, 'e' | 'E' | 'p' | 'P'),
            _ => c == '.' || is_word_character(c),
        };
        if !is_part {
            break;
        }
        length += c.len_utf8();
        previous = c;
    }
    length
}

/// The length of a text or a character that ends in its line, if the text begins with one.
fn quoted_length(text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let mut escaped = false;
    let end = text[1..].find(|c| {
        let ends = (c == quote && !escaped) || c == '\n';
        escaped = c == '\\' && !escaped;
        ends
    })?;
    text[1 + end..].starts_with(quote).then_some(end + 2)
}

/// A comment's text, without the marks of documentation tools and the stars that begin its lines: the lines that say something.
fn comment_text(body: &str) -> String {
    let body = body.strip_prefix(['*', '!']).unwrap_or(body);
    let body = body.strip_prefix('<').unwrap_or(body);
    let lines = body.lines().enumerate().map(|(number, line)| {
        let line = line.trim_start();
        let line = if number == 0 { line } else { line.trim_start_matches('*') };
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    });
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
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

/// The length of the preprocessor line that begins here, and what it says. A comment in it may go on over several lines.
fn directive(text: &str, begin: usize) -> Result<(usize, String), Problem> {
    let mut said = String::new();
    let mut at = begin + "#".len();
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
            at += comment_length(text, at)?;
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
    Ok((at - begin, said.split_whitespace().collect::<Vec<_>>().join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let tokens = lex(text).expect("no open comment").into_iter();
        let shown = tokens.map(|token| match token.lexeme {
            Lexeme::Comment(text) => format!("({})", text.replace('\n', "|")),
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
            "(a) (b) (c|d) (e) (f) (g) (h) () ()"
        );
        assert_eq!(shown("/* * a */"), "(* a)");
    }

    #[test]
    fn a_number_is_as_long_as_c_takes_it_to_be() {
        assert_eq!(
            shown("1'000u 1.5 1e+3 0x1e+3 1+2 1''"),
            "`1'000u` `1.5` `1e+3` `0x1e+3` `1` `+` `2` `1` `''`"
        );
    }

    #[test]
    fn a_text_hides_what_is_in_it() {
        assert_eq!(shown(r#"a("/* \" //", '"') "b"#), r#"`a` `(` `"/* \" //"` `,` `'"'` `)` `\"` `b`"#);
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
