//! Mistakes in a registry, and the one error that shows them all.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::source::{Location, Source, Span};

/// Why there is no registry: the file can't be read, or its text has mistakes.
///
/// `Display` gives the whole report over several lines: every mistake with its place, its line and what to do. `Debug`
/// gives the same, since that is what the `main` of a build script prints. [`coloured`](Self::coloured) is the same for a terminal.
pub struct RegistryError(Kind);

enum Kind {
    Unreadable { report: String, error: io::Error },
    Malformed { path: PathBuf, text: String, mistakes: Vec<Mistake> },
}

impl RegistryError {
    /// Whether the file could not be read at all; [`source`](Error::source) then says why.
    pub fn is_unreadable(&self) -> bool {
        matches!(self.0, Kind::Unreadable { .. })
    }

    /// The mistakes in the order of the text; none for a file that could not be read.
    ///
    /// ```
    /// let error = drpc_registry::Registry::parse("modules.toml", "[[module]]\nid = 5").unwrap_err();
    /// let mistake = &error.mistakes()[0];
    /// assert_eq!(mistake.message(), "`[[module]]` without `name`");
    /// assert_eq!((mistake.location().line, mistake.location().column), (1, 1));
    /// ```
    pub fn mistakes(&self) -> &[Mistake] {
        match &self.0 {
            Kind::Unreadable { .. } => &[],
            Kind::Malformed { mistakes, .. } => mistakes,
        }
    }

    /// The report with the escape sequences of a terminal's colours.
    pub fn coloured(&self) -> String {
        self.report(&Renderer::styled())
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
        Self(Kind::Unreadable { report, error })
    }

    pub(crate) fn malformed(source: &Source<'_>, text: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.label.span.start);
        let mistakes = problems
            .into_iter()
            .map(|problem| Mistake { location: source.location(problem.label.span.start), problem })
            .collect();
        Self(Kind::Malformed { path: source.path.to_owned(), text: text.to_owned(), mistakes })
    }

    fn report(&self, renderer: &Renderer) -> String {
        match &self.0 {
            Kind::Unreadable { report, .. } => report.clone(),
            Kind::Malformed { path, text, mistakes } => {
                let path = path.display().to_string();
                let number = mistakes.len();
                let plural = if number == 1 { "" } else { "s" };
                let title = format!("the registry {path} has {number} mistake{plural}");
                let reports = mistakes.iter().map(|mistake| mistake.problem.draw(&path, text, renderer));
                std::iter::once(title).chain(reports).collect::<Vec<_>>().join("\n\n")
            }
        }
    }
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.report(&Renderer::plain()))
    }
}

impl fmt::Debug for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for RegistryError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            Kind::Unreadable { error, .. } => Some(error),
            Kind::Malformed { .. } => None,
        }
    }
}

/// One mistake in the text of a registry.
#[derive(Debug)]
pub struct Mistake {
    location: Location,
    problem: Problem,
}

impl Mistake {
    /// What is wrong, in a line.
    pub fn message(&self) -> &str {
        &self.problem.title
    }

    /// Where.
    pub fn location(&self) -> Location {
        self.location
    }

    /// What to do, where that is known.
    pub fn help(&self) -> Option<&str> {
        self.problem.help.as_deref()
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
    ///  --> modules.toml:9:6
    ///   |
    /// 2 | id = 5
    ///   |      - `greeter` has it
    /// ...
    /// 9 | id = 5
    ///   |      ^ `interop` takes it again
    ///   |
    ///   = help: the next free module ID is 6
    /// ```
    fn draw(&self, path: &str, text: &str, renderer: &Renderer) -> String {
        let label = |kind: AnnotationKind, label: &Label| {
            kind.span(first_line(text, &label.span)).label(label.text.clone())
        };
        let snippet = Snippet::source(text)
            .path(path.to_owned())
            .annotation(label(AnnotationKind::Primary, &self.label))
            .annotations(self.other.iter().map(|other| label(AnnotationKind::Context, other)));
        let mut group = Level::ERROR.primary_title(&self.title).element(snippet);
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help));
        }
        renderer.render(&[group])
    }
}

/// What of a span lies in the text, and in the line that it begins in: the rest of a table would only distract.
fn first_line(text: &str, span: &Span) -> Span {
    let start = span.start.min(text.len());
    let end = span.end.clamp(start, text.len());
    let line = text[start..end].find(['\r', '\n']).map_or(end, |length| start + length);
    start..line
}
