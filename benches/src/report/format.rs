//! Figures and tables as Markdown.

use std::fmt::Write;

use crate::stats::Spread;

/// A number with about three digits that count.
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        ..1.0 => format!("{value:.2}"),
        ..10.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => thousands(value.round() as i64),
    }
}

fn thousands(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if value < 0 { format!("-{grouped}") } else { grouped }
}

/// A median with its least and greatest.
pub(super) fn spread(spread: Option<Spread>) -> String {
    match spread {
        None => "–".into(),
        Some(Spread { median, min, max }) => {
            format!("{} ({}–{})", number(median), number(min), number(max))
        }
    }
}

/// A ratio's median.
pub(super) fn ratio(spread: Option<Spread>) -> String {
    spread.map_or_else(|| "–".into(), |spread| format!("×{}", number(spread.median)))
}

/// A size of body.
pub(super) fn size(bytes: usize) -> String {
    match bytes {
        bytes if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        bytes if bytes >= 1 << 10 && bytes.is_multiple_of(1 << 10) => format!("{} KiB", bytes >> 10),
        bytes => format!("{bytes} B"),
    }
}

/// A table whose first column holds names and the others figures.
pub(super) struct Table {
    text: String,
}

impl Table {
    pub(super) fn new(head: &[String]) -> Table {
        let mut table = Table { text: String::new() };
        table.row(head);
        let rule: Vec<_> =
            (0..head.len()).map(|column| if column == 0 { "---" } else { "---:" }.into()).collect();
        table.row(&rule);
        table
    }

    pub(super) fn row(&mut self, cells: &[String]) {
        writeln!(self.text, "| {} |", cells.join(" | ")).expect("a string takes everything");
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        let shown = [0.4567, 9.876, 45.678, 456.7, 1_234_567.0, 999.6].map(number);
        assert_eq!(shown, ["0.46", "9.88", "45.7", "457", "1,234,567", "1,000"]);
    }

    #[test]
    fn sizes() {
        assert_eq!([64, 4096, 1 << 20].map(size), ["64 B", "4 KiB", "1 MiB"]);
    }
}
