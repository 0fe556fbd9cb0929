//! The enumerations in a header's tokens.
//!
//! Every way to write one is read that C has, and whose entries are the same to everyone: `typedef`, an underlying type,
//! attributes. What is none of that is an error that says what to do.

use std::collections::HashMap;

use super::expression::{Value, WRITE_OUT};
use super::lex::{Lexeme, Token, lex};
use super::{MODULES, directives, reservations};
use crate::draft::{Field, ReservedDraft};
use crate::report::Problem;
use crate::source::{At, Span};

/// One enumeration as written.
pub(super) struct Enumeration<'t> {
    /// Its tag, or what stands in for it.
    pub(super) tag: At<String>,
    pub(super) entries: Vec<Enumerator<'t>>,
    /// The entry that counts the others.
    pub(super) count: Option<At<&'t str>>,
    pub(super) reserved: Vec<ReservedDraft>,
}

/// One enumerator with its value, written or implied.
pub(super) struct Enumerator<'t> {
    pub(super) name: At<&'t str>,
    pub(super) value: Field<i32>,
    pub(super) is_implied: bool,
    pub(super) doc: String,
}

impl Enumeration<'_> {
    /// The tag that one without a name would have, by what it lists.
    fn tag_by_entries(&self) -> Option<String> {
        let count = self.count.as_ref().map(|count| count.value);
        let is_module = |entry: &Enumerator<'_>| entry.name.value.starts_with("DRPC_MODULE_");
        if count == Some("NUM_DRPC_MODULES")
            || (!self.entries.is_empty() && self.entries.iter().all(is_module))
        {
            return Some(MODULES.to_owned());
        }
        let module = count?.strip_prefix("NUM_DRPC_")?.strip_suffix("_METHODS")?;
        Some(format!("drpc_{}_method", module.to_lowercase()))
    }
}

/// The enumerations; nothing when it is not known what the preprocessor leaves of them.
pub(super) fn parse<'t>(
    text: &'t str,
    problems: &mut Vec<Problem>,
) -> Result<Option<Vec<Enumeration<'t>>>, Problem> {
    let tokens = directives::resolve(lex(text)?, problems);
    if !problems.is_empty() {
        return Ok(None);
    }
    let mut parser =
        Parser { text, tokens: &tokens, end: 0, known: HashMap::new(), blocks: Vec::new(), problems };
    let mut enumerations = Vec::new();
    while let Some(found) = parser.enumeration()? {
        enumerations.push(found);
    }
    Ok(Some(enumerations))
}

/// Syntax errors end the parsing; what is well-formed but wrong goes to `problems`.
pub(super) struct Parser<'t, 'p> {
    pub(super) text: &'t str,
    /// The tokens still to come.
    pub(super) tokens: &'p [Token<'t>],
    /// Where the last token ended that was taken and is no comment.
    pub(super) end: usize,
    /// The enumerators so far; a value that is reported to be wrong is none.
    pub(super) known: HashMap<&'t str, Option<Value>>,
    /// The blocks that are open, of `extern "C"` or of a namespace.
    blocks: Vec<Span>,
    pub(super) problems: &'p mut Vec<Problem>,
}

/// What a registry is told to be, wherever it has something else.
const NOTHING_ELSE: &str = "a registry holds nothing else: move this to a header of its own";

impl<'t> Parser<'t, '_> {
    /// The next `enum tag { … };`, or nothing at the end of the text.
    fn enumeration(&mut self) -> Result<Option<Enumeration<'t>>, Problem> {
        loop {
            self.blocks()?;
            if self.tokens.is_empty() {
                return Ok(None);
            }
            let is_assertion = self.accept_word(&["_Static_assert", "static_assert"]);
            if is_assertion || self.accept_word(&["_Pragma"]) {
                self.group()?;
                if is_assertion {
                    self.close_declaration()?;
                }
            } else if !self.accept_mark(';')
                && let Some(found) = self.declaration()?
            {
                return Ok(Some(found));
            }
        }
    }

    /// A declaration of an enumeration: with its entries, or a mere name for it.
    fn declaration(&mut self) -> Result<Option<Enumeration<'t>>, Problem> {
        let expected = "`enum drpc_module` or `enum drpc_<module>_method`";
        let other = self.unexpected(expected, NOTHING_ELSE);
        self.attributes()?;
        let mut is_type = false;
        loop {
            if self.accept_word(&["typedef"]) {
                is_type = true;
            } else if !self.accept_word(&["const", "volatile"]) {
                break;
            }
        }
        self.attributes()?;
        let keyword = self.next_span();
        if !self.accept_word(&["enum"]) {
            return Err(other);
        }
        self.attributes()?;
        // In C++, the entries of such a one have the same values.
        self.accept_word(&["class", "struct"]);
        self.attributes()?;
        let tag = self.accept_any_word();
        self.attributes()?;
        if self.accept_mark(':') {
            // The type of the entries, which does not change their values.
            while self.accept_any_word().is_some() || self.accept_mark(':') {}
        }
        // A mere name: `enum drpc_module;`, `typedef enum drpc_module drpc_module_t;`
        if tag.is_some() && is_type && !self.has_entries() {
            self.declared()?;
            return Ok(None);
        }
        if tag.is_some() && self.accept_mark(';') {
            return Ok(None);
        }
        self.mark(
            '{',
            if self.has_entries() { "put nothing but the tag in front of `{`" } else { NOTHING_ELSE },
        )?;
        let mut found = Enumeration {
            tag: At { value: String::new(), span: keyword },
            entries: Vec::new(),
            count: None,
            reserved: Vec::new(),
        };
        self.entries(&mut found)?;
        let declared = self.declared()?;
        if let Some(At { value, span }) = name_of(tag, declared) {
            found.tag = At { value: value.to_owned(), span };
        } else if let Some(tag) = found.tag_by_entries() {
            found.tag.value = tag;
        } else {
            let problem = Problem::new("an enumeration without a tag", &found.tag.span, "whose is it?");
            return Err(problem.help("write `enum drpc_module {` or `enum drpc_<module>_method {`"));
        }
        Ok(Some(found))
    }

    /// Whether a list of entries comes in what is left of a declaration.
    fn has_entries(&self) -> bool {
        let mut lexemes = self.tokens.iter().map(|token| &token.lexeme);
        lexemes.find(|lexeme| matches!(lexeme, Lexeme::Mark('{' | ';'))) == Some(&Lexeme::Mark('{'))
    }

    /// The entries, up to the `}`.
    fn entries(&mut self, found: &mut Enumeration<'t>) -> Result<(), Problem> {
        let mut implied = Some(Value { number: 0, is_unsigned: false });
        let mut separated = true;
        loop {
            while let Some(comment) = self.comment() {
                let read = reservations::read(&comment, &self.text[comment.span.clone()], self.problems);
                found.reserved.extend(read);
            }
            if self.accept_next('}') {
                return Ok(());
            }
            if !separated {
                separated = self.accept_next(',');
                if !separated {
                    return Err(self.unexpected("`,` or `}`", self.help_behind_an_entry()));
                }
                continue;
            }
            let (mut entry, value) = self.enumerator(implied)?;
            self.known.insert(entry.name.value, value);
            implied = value.map(Value::next);
            separated = self.accept_next(',');
            self.append_doc(&mut entry);
            if let Some(count) = &found.count {
                let title = format!("`{}` stands after the count", entry.name.value);
                let problem =
                    Problem::new(title, &entry.name.span, "").other(&count.span, "the count of the entries");
                self.problems.push(problem.help(format!("move it above `{}`", count.value)));
            }
            if entry.name.value.starts_with("NUM_DRPC_") {
                found.count = Some(entry.name);
            } else {
                found.entries.push(entry);
            }
        }
    }

    /// What to do about something that can't stand behind an entry.
    fn help_behind_an_entry(&self) -> &'static str {
        match self.peek() {
            Some(Lexeme::Word("__attribute__" | "__attribute")) => "move it behind the name, in front of `=`",
            Some(Lexeme::Word(_) | Lexeme::Mark(';')) => "put a comma between the entries",
            Some(Lexeme::Mark(_) | Lexeme::Number(_) | Lexeme::Quoted(_)) => WRITE_OUT,
            _ => CLOSE,
        }
    }

    /// `NAME` or `NAME = 1`, with the comment behind it.
    fn enumerator(&mut self, implied: Option<Value>) -> Result<(Enumerator<'t>, Option<Value>), Problem> {
        let Some(name) = self.accept_any_word() else {
            let help = if self.peek().is_none() { CLOSE } else { "an entry is `NAME`, or `NAME = NUMBER`" };
            return Err(self.unexpected("a name or `}`", help));
        };
        let mut entry = Enumerator { name, value: Field::Faulty, is_implied: false, doc: String::new() };
        self.append_doc(&mut entry);
        self.attributes()?;
        self.append_doc(&mut entry);
        if self.accept_mark('=') {
            self.append_doc(&mut entry);
            let (written, value) = self.value()?;
            entry.value = written;
            self.append_doc(&mut entry);
            return Ok((entry, value));
        }
        // Without a value here there is something wrong with the one before, and that is reported.
        if let Some(value) = implied.and_then(|value| i32::try_from(value.number).ok()) {
            entry.value = Field::Given(At { value, span: entry.name.span.clone() });
        }
        entry.is_implied = true;
        Ok((entry, implied))
    }

    /// What `extern "C" {`, a namespace and their `}` do to names is no concern of ours.
    fn blocks(&mut self) -> Result<(), Problem> {
        loop {
            self.skip_comments();
            let Some(next) = self.tokens.first() else { break };
            if self.accept_word(&["extern"]) {
                if !self.accept(|lexeme| matches!(lexeme, Lexeme::Quoted("\"C\"" | "\"C++\""))) {
                    return Err(self.unexpected("`\"C\"`", NOTHING_ELSE));
                }
                if self.accept_mark('{') {
                    self.blocks.push(next.span.clone());
                }
            } else if self.accept_word(&["namespace"]) {
                while self.accept_any_word().is_some() || self.accept_mark(':') {}
                self.mark('{', NOTHING_ELSE)?;
                self.blocks.push(next.span.clone());
            } else if self.accept_word(&["__BEGIN_DECLS", "__END_DECLS"]) {
                // `extern "C" {` and its end, as `<sys/cdefs.h>` has them.
            } else if self.blocks.is_empty() || !self.accept_mark('}') {
                return Ok(());
            } else {
                self.blocks.pop();
            }
        }
        match self.blocks.pop() {
            None => Ok(()),
            Some(span) => {
                let block = if self.text[span.clone()] == *"extern" {
                    "an `extern \"C\"` block"
                } else {
                    "a namespace"
                };
                let problem = Problem::new(format!("{block} that does not end"), &span, "begins here");
                Err(problem.help("close it with `}`"))
            }
        }
    }

    /// The names that a declaration gives to its type or to variables, up to its `;`.
    fn declared(&mut self) -> Result<Vec<At<&'t str>>, Problem> {
        let mut names = Vec::new();
        loop {
            self.attributes()?;
            let is_name = !matches!(
                self.peek(),
                Some(Lexeme::Word("enum" | "typedef" | "extern" | "struct" | "static"))
            );
            if is_name && let Some(name) = self.accept_any_word() {
                names.push(name);
            } else if !self.accept_mark(',') && !self.accept_mark('*') {
                break;
            }
        }
        self.close_declaration()?;
        Ok(names)
    }

    fn close_declaration(&mut self) -> Result<(), Problem> {
        self.mark(';', "close the declaration with `;`")
    }

    /// Attributes in any spelling: they don't change a value.
    fn attributes(&mut self) -> Result<(), Problem> {
        loop {
            let mut next = self.tokens.iter().filter(|token| !token.is_comment()).map(|token| &token.lexeme);
            match (next.next(), next.next()) {
                (Some(Lexeme::Mark('[')), Some(Lexeme::Mark('['))) => self.group()?,
                (Some(Lexeme::Word("__extension__")), _) => {
                    self.accept_word(&["__extension__"]);
                }
                (
                    Some(Lexeme::Word(
                        "__attribute__" | "__attribute" | "__declspec" | "alignas" | "_Alignas",
                    )),
                    Some(Lexeme::Mark('(')),
                ) => {
                    self.accept_any_word();
                    self.group()?;
                }
                _ => return Ok(()),
            }
        }
    }

    /// A bracket and all that is in it.
    fn group(&mut self) -> Result<(), Problem> {
        self.skip_comments();
        let begin = self.next_span();
        let mut open = 0;
        loop {
            match self.peek() {
                Some(Lexeme::Mark('(' | '[' | '{')) => open += 1,
                Some(Lexeme::Mark(')' | ']' | '}')) => open -= 1,
                Some(_) if open > 0 => {}
                Some(_) => return Err(self.unexpected("`(`", "put what it is about in brackets")),
                None => {
                    let problem = Problem::new("a bracket that does not end", &begin, "begins here");
                    return Err(problem.help("close it"));
                }
            }
            self.skip_comments();
            self.take();
            if open <= 0 {
                return Ok(());
            }
        }
    }

    /// Adds the comments that come next, as far as they begin on the entry's own line.
    fn append_doc(&mut self, entry: &mut Enumerator<'_>) {
        while let Some(next) = self.tokens.first()
            && !self.text[entry.name.span.end..next.span.start].contains('\n')
            && let Some(comment) = self.comment()
        {
            let space = if entry.doc.is_empty() { "" } else { " " };
            entry.doc = format!("{}{space}{}", entry.doc, comment.value.replace('\n', " "));
        }
    }

    /// Passes over comments, in which nothing can be reserved.
    pub(super) fn skip_comments(&mut self) {
        while let Some(comment) = self.comment() {
            if reservations::is_one(&comment.value) {
                let problem = Problem::new("a reservation outside of any list", &comment.span, "");
                self.problems.push(problem.help(
                    "move it into `enum drpc_<module>_method { … }`, to a line of its own between two entries",
                ));
            }
        }
    }

    fn comment(&mut self) -> Option<At<String>> {
        let (Token { lexeme: Lexeme::Comment(text), span }, rest) = self.tokens.split_first()? else {
            return None;
        };
        self.tokens = rest;
        Some(At { value: text.clone(), span: span.clone() })
    }

    /// Takes the next token.
    pub(super) fn take(&mut self) {
        if let Some((token, rest)) = self.tokens.split_first() {
            self.tokens = rest;
            self.end = token.span.end;
        }
    }

    /// The next token that is no comment.
    fn peek(&self) -> Option<&Lexeme<'t>> {
        self.tokens.iter().find(|token| !token.is_comment()).map(|token| &token.lexeme)
    }

    fn next_span(&self) -> Span {
        let next = self.tokens.iter().find(|token| !token.is_comment());
        next.map_or(self.text.len()..self.text.len(), |token| token.span.clone())
    }

    fn accept_word(&mut self, words: &[&str]) -> bool {
        self.accept(|lexeme| matches!(lexeme, Lexeme::Word(word) if words.contains(word)))
    }

    fn accept_any_word(&mut self) -> Option<At<&'t str>> {
        let Some(Lexeme::Word(word)) = self.peek() else { return None };
        let word = At { value: *word, span: self.next_span() };
        self.skip_comments();
        self.take();
        Some(word)
    }

    pub(super) fn mark(&mut self, mark: char, help: &str) -> Result<(), Problem> {
        if self.accept_mark(mark) { Ok(()) } else { Err(self.unexpected(&format!("`{mark}`"), help)) }
    }

    /// A mark that comes at once: a comment in front of it is one between entries.
    fn accept_next(&mut self, mark: char) -> bool {
        let is_next = self.tokens.first().is_some_and(|token| token.lexeme == Lexeme::Mark(mark));
        is_next && self.accept_mark(mark)
    }

    fn accept_mark(&mut self, mark: char) -> bool {
        self.accept(|lexeme| *lexeme == Lexeme::Mark(mark))
    }

    fn accept(&mut self, wanted: impl Fn(&Lexeme<'t>) -> bool) -> bool {
        let accepted = self.peek().is_some_and(wanted);
        if accepted {
            self.skip_comments();
            self.take();
        }
        accepted
    }

    pub(super) fn unexpected(&self, expected: &str, help: &str) -> Problem {
        let found = self.peek().map_or_else(|| "the end of the file".to_owned(), ToString::to_string);
        let title = format!("expected {expected}, found {found}");
        Problem::new(title, &self.next_span(), "not expected here").help(help)
    }
}

/// What to do about a list that does not end.
const CLOSE: &str = "close the list with `};`";

/// What an enumeration is known by: its tag, or a name that a `typedef` gives it, if that is one that a registry has.
fn name_of<'t>(tag: Option<At<&'t str>>, declared: Vec<At<&'t str>>) -> Option<At<&'t str>> {
    let is_known = |name: &At<&str>| {
        name.value == MODULES || (name.value.starts_with("drpc_") && name.value.ends_with("_method"))
    };
    if tag.as_ref().is_some_and(is_known) {
        return tag;
    }
    let declared = declared
        .into_iter()
        .map(|At { value, span }| At { value: value.strip_suffix("_t").unwrap_or(value), span });
    let mut declared: Vec<_> = declared.collect();
    match declared.iter().position(is_known) {
        Some(place) => Some(declared.swap_remove(place)),
        None => tag.or_else(|| declared.into_iter().next()),
    }
}
