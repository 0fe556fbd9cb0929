//! A registry's text, and where things stand in it.

use std::fmt;
use std::ops::Range;
use std::path::Path;

/// A place in a registry's text; it shows as `line:column`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A range of bytes in the text.
pub(crate) type Span = Range<usize>;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// A text with its path, indexed by line.
pub(crate) struct Source<'a> {
    pub(crate) path: &'a Path,
    lines: Vec<Line<'a>>,
}

struct Line<'a> {
    start: usize,
    text: &'a str,
}

impl<'a> Source<'a> {
    pub(crate) fn new(path: &'a Path, text: &'a str) -> Self {
        let mut start = 0;
        let mut lines: Vec<_> = text
            .split_inclusive('\n')
            .map(|line| {
                let text = line.strip_suffix('\n').unwrap_or(line);
                let line = Line { start, text: text.strip_suffix('\r').unwrap_or(text) };
                start += text.len() + 1;
                line
            })
            .collect();
        if text.is_empty() || text.ends_with('\n') {
            lines.push(Line { start: text.len(), text: "" });
        }
        Self { path, lines }
    }

    /// Whether the text is a C header, going by its path.
    pub(crate) fn is_header(&self) -> bool {
        let extension = self.path.extension().unwrap_or_default();
        ["h", "hh", "hpp", "hxx"].iter().any(|header| extension.eq_ignore_ascii_case(header))
    }

    /// The place of a byte; a byte past the end is taken for the end.
    pub(crate) fn location(&self, offset: usize) -> Location {
        let line = self.lines.partition_point(|line| line.start <= offset).max(1);
        Location { line, column: self.lines[line - 1].characters_before(offset) + 1 }
    }
}

impl Line<'_> {
    fn characters_before(&self, offset: usize) -> usize {
        self.text.char_indices().take_while(|(at, _)| self.start + at < offset).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, offset: usize) -> (usize, usize) {
        let location = Source::new(Path::new("x"), text).location(offset);
        (location.line, location.column)
    }

    #[test]
    fn places_are_counted_from_one_and_in_characters() {
        assert_eq!(at("", 0), (1, 1));
        assert_eq!(at("añb\r\nc\n", 0), (1, 1));
        assert_eq!(at("añb\r\nc\n", 3), (1, 3));
        assert_eq!(at("añb\r\nc\n", 6), (2, 1));
        assert_eq!(at("añb\r\nc\n", 8), (3, 1));
        assert_eq!(at("añb\r\nc\n", 99), (3, 1));
    }
}
