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
    one_line(text).replace('|', "\\|").replace('<', "\\<")
}
