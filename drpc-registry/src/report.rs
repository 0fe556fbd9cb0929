//! Mistakes in a registry, and the one error that shows them all.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::io;
use std::path::Path;

use crate::source::{Source, Span};

/// Why there is no registry: the file can't be read, or its text has mistakes.
///
/// `Display` gives the whole report over several lines: every mistake with its place, its line and what to do. `Debug`
/// gives the same, since that is what the `main` of a build script prints.
pub struct RegistryError {
    report: String,
    mistakes: usize,
    source: Option<io::Error>,
}

impl RegistryError {
    /// Whether the file could not be read at all; [`source`](Error::source) then says why.
    pub fn is_unreadable(&self) -> bool {
        self.source.is_some()
    }

    /// How many mistakes the report shows; 0 for a file that could not be read.
    pub fn mistakes(&self) -> usize {
        self.mistakes
    }

    pub(crate) fn unreadable(path: &Path, error: io::Error) -> Self {
        let help = match error.kind() {
            io::ErrorKind::NotFound => "create the file, or correct the path",
            io::ErrorKind::PermissionDenied => "make the file readable for this user",
            io::ErrorKind::InvalidData => "save the file as UTF-8",
            _ => "name a file that holds a registry",
        };
        let path = path.display();
        let report = format!("the registry {path} can't be read: {error}\n  = help: {help}");
        Self { report, mistakes: 0, source: Some(error) }
    }

    pub(crate) fn malformed(source: &Source<'_>, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.label.span.start);
        let mistakes = problems.len();
        let plural = if mistakes == 1 { "" } else { "s" };
        let mut report = format!("the registry {} has {mistakes} mistake{plural}", source.path.display());
        for problem in &problems {
            report.push_str("\n\n");
            report.push_str(&problem.render(source));
        }
        Self { report, mistakes, source: None }
    }
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.report)
    }
}

impl fmt::Debug for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for RegistryError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|error| error as _)
    }
}

/// One mistake: what is wrong, where, what else is involved, and what to do.
#[derive(Debug)]
pub(crate) struct Problem {
    title: String,
    label: Label,
    other: Option<Box<Label>>,
    help: Option<String>,
}

#[derive(Debug)]
struct Label {
    span: Span,
    text: String,
}

impl Problem {
    pub(crate) fn new(title: impl Into<String>, span: &Span, label: impl Into<String>) -> Self {
        let label = Label { span: span.clone(), text: label.into() };
        Self { title: title.into(), label, other: None, help: None }
    }

    /// Adds the other entry that has a part in it.
    pub(crate) fn other(mut self, span: &Span, label: impl Into<String>) -> Self {
        self.other = Some(Box::new(Label { span: span.clone(), text: label.into() }));
        self
    }

    /// Adds what to do.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Draws the mistake the way that rustc does:
    ///
    /// ```text
    /// error: module ID 5 is listed twice
    ///   --> modules.toml:9:6
    ///    |
    ///  2 | id = 5
    ///    |      - `greeter` has it
    /// ...
    ///  9 | id = 5
    ///    |      ^ `interop` takes it again
    ///    |
    ///    = help: the next free module ID is 6
    /// ```
    fn render(&self, source: &Source<'_>) -> String {
        let at = source.location(self.label.span.start);
        let mut snippets: Vec<_> = self.other.as_deref().map(|label| (label, '-')).into_iter().collect();
        snippets.push((&self.label, '^'));
        snippets.sort_by_key(|(label, _)| label.span.start);

        let last = source.location(snippets[snippets.len() - 1].0.span.start).line;
        let gutter = last.to_string().len();
        let mut out = format!("error: {}\n{:gutter$}--> {}:{at}\n", self.title, "", source.path.display());
        let blank = format!("{:gutter$} |", "");
        out.push_str(&blank);
        let mut previous = None;
        for (label, mark) in snippets {
            let place = source.location(label.span.start);
            if previous.is_some_and(|line| line + 1 < place.line) {
                out.push_str("\n...");
            }
            previous = Some(place.line);
            let (text, start, width) =
                expand_tabs(source.line(place.line), place.column - 1, source.width(&label.span));
            let underline = mark.to_string().repeat(width);
            // Writing to a String does not fail.
            let _ = write!(
                out,
                "\n{:gutter$} | {text}\n{blank} {:start$}{underline} {}",
                place.line, "", label.text
            );
            out.truncate(out.trim_end().len());
        }
        if let Some(help) = &self.help {
            let _ = write!(out, "\n{blank}\n{:gutter$} = help: {help}", "");
        }
        out
    }
}

/// A line with four spaces for every tab, and the span in it moved accordingly.
fn expand_tabs(line: &str, start: usize, width: usize) -> (String, usize, usize) {
    let tabs = |characters: usize| 3 * line.chars().take(characters).filter(|c| *c == '\t').count();
    let (before, after) = (tabs(start), tabs(start + width));
    (line.replace('\t', "    "), start + before, width + after - before)
}
