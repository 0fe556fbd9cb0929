//! A table for people.

use crate::emit::{methods, modules, one_line, reserved};
use crate::registry::Registry;

pub(super) fn write(registry: &Registry) -> String {
    let mut rows = vec![["Module", "Method", "ID", "Description"].map(str::to_owned)];
    for module in modules(registry) {
        rows.push([format!("**{}**", module.name), String::new(), module.id.to_string(), cell(&module.doc)]);
        let methods = methods(module).into_iter();
        let mut members: Vec<_> = methods
            .map(|method| (method.id, format!("`{}`", method.name), cell(&method.doc)))
            .chain(
                reserved(module)
                    .into_iter()
                    .map(|reserved| (reserved.id, "*reserved*".to_owned(), cell(&reserved.reason))),
            )
            .collect();
        members.sort_by_key(|(id, _, _)| *id);
        rows.extend(
            members.into_iter().map(|(id, name, doc)| [module.name.clone(), name, id.to_string(), doc]),
        );
    }
    let widths = [0, 1, 2].map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or_default());
    let mut out = String::new();
    for (number, [module, method, id, description]) in rows.iter().enumerate() {
        let [modules, methods, ids] = widths;
        let row = format!("| {module:modules$} | {method:methods$} | {id:>ids$} | {description}");
        out.push_str(&format!("{} |\n", row.trim_end()));
        if number == 0 {
            let [modules, methods, ids] = widths.map(|width| "-".repeat(width));
            out.push_str(&format!("| {modules} | {methods} | {}: | --- |\n", &ids[1..]));
        }
    }
    out
}

/// A text that neither ends its cell nor begins an HTML element.
fn cell(text: &str) -> String {
    let text = one_line(text);
    let mut cell = String::new();
    let mut rest = text.as_str();
    while let Some(c) = rest.chars().next() {
        let code = code_length(rest);
        let length = code.or_else(|| ticks(rest)).unwrap_or(c.len_utf8());
        let (piece, behind) = rest.split_at(length);
        rest = behind;
        match (piece, code) {
            // A bar is one for the table before code is code to it, but a backslash in code stays what it is.
            (code, Some(_)) => cell.push_str(&code.replace("\\|", "\\ |").replace('|', "\\|")),
            ("\\", None) if rest.starts_with(['|', '<']) => cell.push_str("\\\\"),
            ("|", None) => cell.push_str("\\|"),
            ("<", None) => cell.push_str("&lt;"),
            (piece, None) => cell.push_str(piece),
        }
    }
    cell
}

/// The length of the code that begins a text, with its ticks.
fn code_length(text: &str) -> Option<usize> {
    let opening = ticks(text)?;
    let mut at = opening;
    while let Some(distance) = text[at..].find('`') {
        let length = ticks(&text[at + distance..])?;
        at += distance + length;
        if length == opening {
            return Some(at);
        }
    }
    None
}

/// How many ticks begin a text, if any.
fn ticks(text: &str) -> Option<usize> {
    let length = text.len() - text.trim_start_matches('`').len();
    (length > 0).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_in_its_cell_and_is_shown_as_it_is() {
        for (text, expected) in [
            ("takes `Vec<u8>` or <u8>", "takes `Vec<u8>` or &lt;u8>"),
            ("a | b, `a | b`", "a \\| b, `a \\| b`"),
            (r"a\|b \<c> \d", r"a\\\|b \\&lt;c> \d"),
            (r"`a\|b` ``<`>`` <`", r"`a\ \|b` ``<`>`` &lt;`"),
        ] {
            assert_eq!(cell(text), expected);
        }
    }
}
