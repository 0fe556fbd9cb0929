//! Names that are taken: the compiler would tell of each generated item that has a namesake, and of each part of it.
//!
//! A macro sees its own item alone. So this looks into the source file, at what stands beside the item; what a macro makes, or another
//! file has, is left to the compiler.

use std::fs;

use proc_macro2::{Ident, Span};

use crate::mistake::mistake;
use crate::names;
use crate::parse::Draft;

/// A mistake if something else in the file has a name that would be generated.
pub(crate) fn check(draft: &Draft, base: &Ident) -> syn::Result<()> {
    let Some((source, place)) = source_of(draft.name.span()) else { return Ok(()) };
    let generated = [names::methods(base).to_string(), names::client(base).to_string()];
    let Some(clash) = clash(&source, place, &base.to_string(), &generated) else { return Ok(()) };
    Err(match clash {
        Clash::Name { name, line } => {
            let help = format!("let the generated names begin otherwise: `prefix = My{base}`");
            mistake(&draft.name, format!("the name `{name}` is taken in line {line}"), help)
        }
        Clash::Block { line } => {
            let [methods, client] = generated;
            let what = format!("the names `{methods}` and `{client}` are taken by the block in line {line}");
            let help = "if it is the same module, declare all methods there, without bodies, and write `#[drpc_module(part)]` \
                        here; else let the names of one begin otherwise: `prefix = …`";
            mistake(&draft.name, what, help)
        }
    })
}

/// A line and a column, from 1.
type Place = (usize, usize);

/// The text of the file, and the place in it; nothing outside of the compiler, or where the code is an example in a page of text.
fn source_of(span: Span) -> Option<(String, Place)> {
    if !proc_macro::is_available() {
        return None;
    }
    let span = span.unwrap();
    let file =
        span.local_file().filter(|file| file.extension().is_some_and(|extension| extension == "rs"))?;
    Some((fs::read_to_string(file).ok()?, (span.line(), span.column())))
}

#[derive(Debug, PartialEq)]
enum Clash {
    Name { name: String, line: usize },
    Block { line: usize },
}

/// What has one of the names, among the items beside the one at the place.
fn clash(source: &str, place: Place, base: &str, generated: &[String; 2]) -> Option<Clash> {
    let may_define = |name: &String| {
        let mut before = occurrences(source, name).map(|at| source[..at].trim_end());
        before.any(|before| DEFINITIONS.iter().chain(&IN_IMPORTS).any(|word| before.ends_with(word)))
    };
    let lines = occurrences(source, base).map(|at| source[..at].lines().next_back().unwrap_or_default());
    let may_stand_twice = lines.filter(|line| line.contains("impl")).nth(1).is_some();
    if !generated.iter().any(may_define) && !may_stand_twice {
        return None;
    }
    let words = words(source);
    let scope = words.iter().find(|word| word.place == place)?.scope;
    if let Some(name) = definition(&words, scope, generated).or_else(|| import(&words, scope, generated)) {
        return Some(Clash::Name { name: name.text.to_owned(), line: name.place.0 });
    }
    let earlier =
        blocks(&words, scope).into_iter().find(|block| block.name.place < place && block.base == base);
    earlier.map(|block| Clash::Block { line: block.name.place.0 })
}

/// The definition of one of the names in a scope, unless it is conditional: then it need not be there together with the module.
fn definition<'s>(words: &[Word<'s>], scope: usize, names: &[String; 2]) -> Option<Word<'s>> {
    let siblings: Vec<usize> = (0..words.len()).filter(|&at| words[at].scope == scope).collect();
    let text = |at: usize| words.get(at).map_or("", |word| word.text);
    let defined = (1..siblings.len()).find(|&name| {
        DEFINITIONS.contains(&text(siblings[name - 1]))
            && names.iter().any(|known| known == text(siblings[name]))
            && !is_conditional(words, &siblings, name - 1)
    });
    defined.map(|name| words[siblings[name]])
}

/// Whether an item is, whose keyword is one of the siblings in a scope.
fn is_conditional(words: &[Word<'_>], siblings: &[usize], keyword: usize) -> bool {
    let text = |at: usize| words.get(at).map_or("", |word| word.text);
    let mut before = siblings[..keyword].iter().rev().take_while(|&&at| ["pub", "#"].contains(&text(at)));
    before.any(|&at| text(at) == "#" && text(at + 1) == "cfg")
}

/// The import of something that has one of the names, unless it is conditional.
fn import<'s>(words: &[Word<'s>], scope: usize, names: &[String; 2]) -> Option<Word<'s>> {
    let siblings: Vec<usize> = (0..words.len()).filter(|&at| words[at].scope == scope).collect();
    let text = |at: usize| words.get(at).map_or("", |word| word.text);
    // `use<'a>` is of a type.
    let is_import = |&at: &usize| {
        text(siblings[at]) == "use" && text(siblings[at] + 1) != "<" && !is_conditional(words, &siblings, at)
    };
    (0..siblings.len()).filter(is_import).find_map(|at| {
        let imported = &words[siblings[at]..];
        let end = imported.iter().position(|word| word.scope == scope && word.text == ";")?;
        (1..end).find_map(|at| {
            let (word, next) = (imported[at], imported[at + 1]);
            let is_last = next.scope != word.scope || [",", ";"].contains(&next.text);
            (is_last && names.iter().any(|name| name == word.text)).then_some(word)
        })
    })
}

/// Where a name stands in a source, by itself.
fn occurrences<'s>(source: &'s str, name: &'s str) -> impl Iterator<Item = usize> {
    let ends_word = |char: Option<char>| !char.is_some_and(|char| char.is_alphanumeric() || char == '_');
    source.match_indices(name).map(|(at, _)| at).filter(move |&at| {
        ends_word(source[..at].chars().next_back()) && ends_word(source[at + name.len()..].chars().next())
    })
}

/// What the definition of a type begins with.
const DEFINITIONS: [&str; 6] = ["struct", "enum", "type", "trait", "union", "mod"];

/// What stands before the name of something that is imported.
const IN_IMPORTS: [&str; 5] = ["use", "::", "{", ",", " as"];

/// A block with the attribute.
struct Other<'s> {
    base: &'s str,
    name: Word<'s>,
}

/// The blocks with the attribute in a scope, except for those that are conditional, or parts.
fn blocks<'s>(words: &[Word<'s>], scope: usize) -> Vec<Other<'s>> {
    let mut blocks = Vec::new();
    let mut at = 0;
    while let Some(mut word) = words.get(at) {
        at += 1;
        if word.scope != scope || word.text != "#" {
            continue;
        }
        // The attributes of one item: each is `#`, and words of a scope within.
        let mut inner = Vec::new();
        while word.scope != scope || word.text == "#" {
            inner.push(word.text);
            let Some(next) = words.get(at) else { return blocks };
            word = next;
            at += 1;
        }
        let has = |name: &str| inner.contains(&name);
        if !has("drpc_module") || has("cfg") || has("part") {
            continue;
        }
        // The header, up to the words of the next scope.
        let mut angles = 0;
        let mut name = None;
        while word.scope == scope && word.text != "where" {
            match word.text {
                "<" => angles += 1,
                ">" => angles -= 1,
                text if angles == 0 && text.starts_with(char::is_alphabetic) => name = Some(*word),
                _ => {}
            }
            let Some(next) = words.get(at) else { break };
            word = next;
            at += 1;
        }
        let prefix = inner.iter().position(|text| *text == "prefix").and_then(|at| inner.get(at + 2));
        if let Some(name) = name {
            blocks.push(Other { base: prefix.copied().unwrap_or(name.text), name });
        }
    }
    blocks
}

/// A name or a sign, and the brackets that it is in, by the number of their first word.
#[derive(Clone, Copy)]
struct Word<'s> {
    text: &'s str,
    place: Place,
    scope: usize,
}

/// The words of a source: neither comments nor literals of text.
fn words(source: &str) -> Vec<Word<'_>> {
    let mut words: Vec<Word<'_>> = Vec::new();
    let mut scopes = vec![0];
    let mut rest = source;
    let mut place = (1, 1);
    while let Some(first) = rest.chars().next() {
        let length = if let Some(comment) = rest.strip_prefix("//") {
            2 + comment.find('\n').unwrap_or(comment.len())
        } else if rest.starts_with("/*") {
            comment(rest)
        } else if first == '"' {
            1 + text(&rest[1..])
        } else if first == '\'' {
            character(rest)
        } else if let Some(length) = raw_text(rest) {
            length
        } else if first.is_alphanumeric() || first == '_' {
            rest.find(|char: char| !char.is_alphanumeric() && char != '_').unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (taken, left) = rest.split_at(length);
        match first {
            '(' | '[' | '{' => scopes.push(words.len() + 1),
            ')' | ']' | '}' if scopes.len() > 1 => drop(scopes.pop()),
            '"' | '\'' => {}
            _ if first.is_whitespace()
                || taken.starts_with("//")
                || taken.starts_with("/*")
                || taken.ends_with('"') => {}
            _ => words.push(Word { text: taken, place, scope: *scopes.last().unwrap_or(&0) }),
        }
        place = match taken.rfind('\n') {
            Some(at) => (place.0 + taken.matches('\n').count(), taken[at..].chars().count()),
            None => (place.0, place.1 + taken.chars().count()),
        };
        rest = left;
    }
    words
}

/// How long a comment is, which may hold others.
fn comment(source: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < source.len() {
        let (step, change) = match source.as_bytes()[at..] {
            [b'/', b'*', ..] => (2, 1),
            [b'*', b'/', ..] => (2, -1),
            _ => (1, 0),
        };
        at += step;
        depth += change;
        if depth == 0 {
            break;
        }
    }
    at
}

/// How long a text is, with the quote at its end.
fn text(source: &str) -> usize {
    let mut escaped = false;
    let end = source.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(source.len(), |end| end + 1)
}

/// How long a raw text is, if it is one: `r#"…"#`.
fn raw_text(source: &str) -> Option<usize> {
    let start = source
        .strip_prefix("br")
        .or_else(|| source.strip_prefix("cr"))
        .or_else(|| source.strip_prefix('r'))?;
    let hashes = start.bytes().take_while(|byte| *byte == b'#').count();
    let content = start[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = content.find(&end).map_or(content.len(), |at| at + end.len());
    Some(source.len() - content.len() + length)
}

/// How long a character is, or the quote of a lifetime.
fn character(source: &str) -> usize {
    let mut chars = source.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((after, _))) => {
            source[after + 1..].find('\'').map_or(source.len(), |at| after + 1 + at + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clash_at(source: &str, line: usize) -> Option<Clash> {
        let text = source.lines().nth(line - 1).unwrap();
        let column = text.find("Greeter").unwrap() + 1;
        clash(source, (line, column), "Greeter", &["GreeterMethod".into(), "GreeterClient".into()])
    }

    #[test]
    fn a_second_block_of_a_name_is_found() {
        let source = "#[drpc_module(id = 5)]\nimpl Greeter {}\n/// It's the \"second\".\n#[drpc_module(id = 6)]\nimpl Greeter<'_, u8> {}\n";
        assert_eq!(clash_at(source, 2), None);
        assert_eq!(clash_at(source, 5), Some(Clash::Block { line: 2 }));
    }

    #[test]
    fn a_definition_of_a_generated_name_is_found() {
        let source = "#[drpc_module(id = 5)]\nimpl Greeter {}\nconst QUOTE: char = '\"'; /* { */ const RAW: &str = r#\"}\"#;\nstruct GreeterClient;\n";
        assert_eq!(clash_at(source, 2), Some(Clash::Name { name: "GreeterClient".into(), line: 4 }));
        let source = "#[drpc_module(id = 5)]\nimpl Greeter {}\n#[cfg(test)]\nmod tests {}\n#[derive(Debug)] struct GreeterClient;\n";
        assert_eq!(clash_at(source, 2), Some(Clash::Name { name: "GreeterClient".into(), line: 5 }));
    }

    #[test]
    fn an_import_of_a_generated_name_is_found() {
        for import in [
            "use other::GreeterClient;",
            "pub(crate) use other::{Parrot, deeper::{Cat, GreeterClient}, Dog};",
            "use other::Client as GreeterClient;",
            "mod GreeterClient {}",
        ] {
            let source = format!("#[drpc_module(id = 5)]\nimpl Greeter {{}}\n{import}\n");
            let taken = Clash::Name { name: "GreeterClient".into(), line: 3 };
            assert_eq!(clash_at(&source, 2), Some(taken), "{import}");
        }
    }

    #[test]
    fn what_stands_elsewhere_or_has_another_name_or_condition_is_none() {
        for other in [
            "mod other { #[drpc_module(id = 6)]\nimpl Greeter {}\n struct GreeterClient; }",
            "#[drpc_module(id = 6, prefix = Other)]\nimpl Greeter {}\n",
            "#[cfg(test)]\n#[drpc_module(id = 6)]\nimpl Greeter {}\n",
            "#[cfg(not(feature = \"rpc\"))]\n#[derive(Debug)]\npub struct GreeterClient;\n",
            "#[cfg(test)]\nenum GreeterMethod { Hello }\n",
            "#[cfg(test)]\npub use other::GreeterMethod;\n",
            "use other::{GreeterClient as Client, GreeterMethod::Hello};\n",
            "fn f() -> impl Sized + use<> { call(GreeterClient) }\nconst X: u8 = 5;\n",
            "use other::GreeterClient::{self as Client};\nfn f() { call(Hello, GreeterClient); }\n",
            "#[drpc_module(part)]\nimpl Greeter {}\n",
            "// struct GreeterClient; #[drpc_module(id = 6)] impl Greeter {}\n",
            "const TEXT: &str = \"#[drpc_module(id = 6)] impl Greeter { struct GreeterClient; }\\\"\";\n",
            "#[drpc_module(id = 6)]\nimpl other::Parrot {}\n",
        ] {
            let source = format!("{other}\n#[drpc_module(id = 5)]\nimpl Greeter {{}}\n");
            let line = source.lines().count();
            assert_eq!(clash_at(&source, line), None, "{other}");
        }
    }
}
