//! The value of an enumerator: an integer, or what can be made of integers without a doubt.
//!
//! What depends on the types that a compiler gives to a part of it (an overflow, a negative number that is unsigned) is
//! refused: then it is for the author to write the number out.

use super::lex::{Lexeme, Token};
use super::parser::Parser;
use crate::draft::Field;
use crate::report::Problem;
use crate::source::{At, Span};

/// A value, and whether C takes it for one without a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) number: i64,
    pub(super) is_unsigned: bool,
}

impl Value {
    /// What the next enumerator is if it does not say so.
    pub(super) fn next(self) -> Self {
        Value { number: self.number.saturating_add(1), ..self }
    }

    fn fits(self) -> bool {
        i32::try_from(self.number).is_ok()
    }

    fn calculated(number: Option<i64>, is_unsigned: bool, from: &[Value]) -> Result<Self, &'static str> {
        let number = number.ok_or("C does not say what this is")?;
        if is_unsigned && (number < 0 || from.iter().any(|part| part.number < 0)) {
            return Err("to C, a part of it has no sign");
        }
        Ok(Value { number, is_unsigned })
    }
}

/// How deep brackets may be.
const MAX_DEPTH: usize = 50;

/// A part of an expression: its value, unless that is reported to be unclear.
type Part = Option<Value>;

impl<'t> Parser<'t, '_> {
    /// The value behind `=`.
    pub(super) fn value(&mut self) -> Result<(Field<i32>, Part), Problem> {
        self.skip_comments();
        let start = self.tokens.first().map_or(self.text.len(), |token| token.span.start);
        let value = self.binary(0, 0)?;
        let span = start..self.end;
        let Some(value) = value else { return Ok((Field::Faulty, None)) };
        match i32::try_from(value.number) {
            Ok(number) => Ok((Field::Given(At { value: number, span }), Some(value))),
            Err(_) => {
                let problem = Problem::new(format!("`{}` does not fit an i32", self.shown(&span)), &span, "");
                self.problems.push(problem.help("dRPC sends module and method IDs as i32"));
                Ok((Field::Faulty, None))
            }
        }
    }

    /// Operators that bind at least so strongly, from left to right.
    fn binary(&mut self, least: u8, depth: usize) -> Result<Part, Problem> {
        self.skip_comments();
        let start = self.tokens.first().map_or(self.text.len(), |token| token.span.start);
        let mut left = self.unary(depth)?;
        while let Some((operator, length, strength)) = self.operator()
            && strength >= least
        {
            for _ in 0..length {
                self.skip_comments();
                self.take();
            }
            let right = self.binary(strength + 1, depth)?;
            let span = start..self.end;
            left = match (left, right) {
                (Some(left), Some(right)) => self.clear(calculate(operator, left, right), &span),
                _ => None,
            };
        }
        Ok(left)
    }

    /// The operator that comes next, of how many marks it is, and how strongly it binds.
    fn operator(&self) -> Option<(char, usize, u8)> {
        let mut marks = self.tokens.iter().filter(|token| !token.is_comment());
        let Token { lexeme: Lexeme::Mark(mark), span } = marks.next()? else { return None };
        let is_double = marks
            .next()
            .is_some_and(|next| next.span.start == span.end && next.lexeme == Lexeme::Mark(*mark));
        match (mark, is_double) {
            ('*' | '/' | '%', _) => Some((*mark, 1, 5)),
            ('+' | '-', _) => Some((*mark, 1, 4)),
            ('<' | '>', true) => Some((*mark, 2, 3)),
            ('&', false) => Some((*mark, 1, 2)),
            ('^', _) => Some((*mark, 1, 1)),
            ('|', false) => Some((*mark, 1, 0)),
            _ => None,
        }
    }

    fn unary(&mut self, depth: usize) -> Result<Part, Problem> {
        self.skip_comments();
        let Some(Token { lexeme, span }) = self.tokens.first() else { return Err(self.no_integer()) };
        let start = span.start;
        if depth > MAX_DEPTH {
            return Err(self.no_integer());
        }
        match lexeme {
            Lexeme::Mark(sign @ ('-' | '+' | '~')) => {
                self.take();
                let operand = self.unary(depth + 1)?;
                let span = start..self.end;
                Ok(operand.and_then(|operand| self.clear(negate(*sign, operand), &span)))
            }
            Lexeme::Mark('(') => {
                self.take();
                if let Some(range) = self.cast() {
                    self.mark(')', WRITE_OUT)?;
                    let operand = self.unary(depth + 1)?;
                    let span = start..self.end;
                    return Ok(operand.and_then(|operand| self.clear(range.hold(operand), &span)));
                }
                let inner = self.binary(0, depth + 1)?;
                self.skip_comments();
                self.mark(')', "close the bracket, or write the number out")?;
                Ok(inner)
            }
            Lexeme::Number(text) => {
                self.take();
                let Some(value) = literal(text) else {
                    let problem = Problem::new(format!("`{text}` is not an integer"), span, "");
                    return Err(problem.help("write a decimal number"));
                };
                Ok(Some(value))
            }
            Lexeme::Quoted(text) if character(text).is_some() => {
                self.take();
                Ok(character(text))
            }
            Lexeme::Word(name) => match self.known.get(name) {
                Some(value) => {
                    let value = *value;
                    self.take();
                    Ok(value)
                }
                None => Err(self.no_integer()),
            },
            _ => Err(self.no_integer()),
        }
    }

    /// The type in brackets that comes next, up to the closing one; nothing if it is none that is known.
    fn cast(&mut self) -> Option<Range> {
        let inside = self.tokens.iter().filter(|token| !token.is_comment());
        let words: Option<Vec<&str>> = inside
            .take_while(|token| token.lexeme != Lexeme::Mark(')'))
            .map(|token| if let Lexeme::Word(word) = token.lexeme { Some(word) } else { None })
            .collect();
        let words = words?;
        let range = Range::of(&words)?;
        for _ in words {
            self.skip_comments();
            self.take();
        }
        self.skip_comments();
        Some(range)
    }

    fn no_integer(&self) -> Problem {
        self.unexpected("an integer", WRITE_OUT)
    }

    /// A value that is clear, or a report that it is not.
    fn clear(&mut self, value: Result<Value, &'static str>, span: &Span) -> Part {
        value
            .map_err(|why| {
                let title = format!("the value of `{}` is not clear", self.shown(span));
                self.problems.push(Problem::new(title, span, why).help(WRITE_OUT));
            })
            .ok()
    }

    /// A piece of the text, in one line.
    fn shown(&self, span: &Span) -> String {
        self.text[span.clone()].split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

pub(super) const WRITE_OUT: &str = "write the number out";

fn negate(sign: char, operand: Value) -> Result<Value, &'static str> {
    let Value { number, is_unsigned } = operand;
    let number = match sign {
        '-' => number.checked_neg(),
        '~' => Some(!number),
        _ => Some(number),
    };
    Value::calculated(number, is_unsigned, &[])
}

/// What an operator makes of two values. C calculates with an int; whether that would do is not looked at any further if a part does not fit one.
fn calculate(operator: char, left: Value, right: Value) -> Result<Value, &'static str> {
    if !left.fits() || !right.fits() {
        return Err("a part of it does not fit an int");
    }
    let (a, b) = (left.number, right.number);
    let bits = u32::try_from(b).ok().filter(|bits| *bits < 31);
    let (number, is_unsigned) = match operator {
        '+' => (a.checked_add(b), left.is_unsigned || right.is_unsigned),
        '-' => (a.checked_sub(b), left.is_unsigned || right.is_unsigned),
        '*' => (a.checked_mul(b), left.is_unsigned || right.is_unsigned),
        '/' => (a.checked_div(b), left.is_unsigned || right.is_unsigned),
        '%' => (a.checked_rem(b), left.is_unsigned || right.is_unsigned),
        '&' => (Some(a & b), left.is_unsigned || right.is_unsigned),
        '^' => (Some(a ^ b), left.is_unsigned || right.is_unsigned),
        '|' => (Some(a | b), left.is_unsigned || right.is_unsigned),
        '<' => (bits.filter(|_| a >= 0).map(|bits| a << bits), left.is_unsigned),
        _ => (bits.map(|bits| a >> bits), left.is_unsigned),
    };
    Value::calculated(number, is_unsigned, &[left, right])
}

/// What an integer type can hold.
#[derive(Debug)]
struct Range {
    least: i64,
    most: i64,
    is_unsigned: bool,
}

impl Range {
    /// That of a type, by its words.
    fn of(words: &[&str]) -> Option<Self> {
        let words: Vec<_> =
            words.iter().filter(|word| !matches!(**word, "const" | "volatile")).copied().collect();
        if let ["enum", _] = words[..] {
            // Whether it has a sign depends on its entries.
            return Some(Range::unsigned(31));
        }
        if let [name] = words[..]
            && let Some(range) = Range::named(name)
        {
            return Some(range);
        }
        let is_known = |word: &&str| {
            matches!(*word, "signed" | "__signed__" | "unsigned" | "char" | "short" | "int" | "long")
        };
        if words.is_empty() || !words.iter().all(is_known) {
            return None;
        }
        let has = |word: &str| words.contains(&word);
        let bits = match () {
            () if has("char") => 8,
            () if has("short") => 16,
            () if has("long") => 64,
            () => 32,
        };
        Some(match bits {
            // Whether a mere char has a sign depends on the machine.
            8 if !has("signed") && !has("__signed__") && !has("unsigned") => Range::unsigned(7),
            _ if has("unsigned") => Range::unsigned(bits),
            _ => Range::signed(bits),
        })
    }

    /// A type of `<stdint.h>` or `<stddef.h>`.
    fn named(name: &str) -> Option<Self> {
        let bits = |name: &str| match name.strip_suffix("_t")? {
            "8" => Some(8),
            "16" => Some(16),
            "32" => Some(32),
            "64" | "ptr" | "max" => Some(64),
            _ => None,
        };
        match name {
            "size_t" => Some(Range::unsigned(64)),
            "ssize_t" | "ptrdiff_t" => Some(Range::signed(64)),
            _ => match name.strip_prefix("uint") {
                Some(rest) => bits(rest).map(Range::unsigned),
                None => name.strip_prefix("int").and_then(bits).map(Range::signed),
            },
        }
    }

    fn signed(bits: u32) -> Self {
        let most = i64::MAX >> (64 - bits);
        Range { least: -most - 1, most, is_unsigned: false }
    }

    /// A short one becomes an int when C calculates with it.
    fn unsigned(bits: u32) -> Self {
        Range { least: 0, most: i64::MAX >> 63_u32.saturating_sub(bits), is_unsigned: bits > 16 }
    }

    fn hold(&self, value: Value) -> Result<Value, &'static str> {
        match (self.least..=self.most).contains(&value.number) {
            true => Ok(Value { number: value.number, is_unsigned: self.is_unsigned }),
            false => Err("the type does not hold it"),
        }
    }
}

/// An integer as C writes it: decimal, hexadecimal, octal or binary, perhaps with `'` between digits and a suffix.
pub(super) fn literal(text: &str) -> Option<Value> {
    let after = |marks: [&str; 2]| marks.into_iter().find_map(|mark| text.strip_prefix(mark));
    let (rest, radix) = if let Some(rest) = after(["0x", "0X"]) {
        (rest, 16)
    } else if let Some(rest) = after(["0b", "0B"]) {
        (rest, 2)
    } else {
        (text, if text.starts_with('0') { 8 } else { 10 })
    };
    let end = rest.find(|c: char| !(c.is_digit(radix) || c == '\'')).unwrap_or(rest.len());
    let (digits, suffix) = rest.split_at(end);
    if digits.split('\'').any(str::is_empty) {
        return None;
    }
    let suffix = suffix.to_ascii_lowercase();
    if !matches!(&*suffix, "" | "u" | "l" | "ll" | "z" | "ul" | "lu" | "ull" | "llu" | "uz" | "zu") {
        return None;
    }
    let number = i64::from_str_radix(&digits.replace('\'', ""), radix).unwrap_or(i64::MAX);
    // Where an int is too short, only a decimal number grows into a long at once.
    let grows = radix != 10 && suffix.is_empty() && (1 << 31..1 << 32).contains(&number);
    Some(Value { number, is_unsigned: suffix.contains('u') || grows })
}

/// `'A'`.
fn character(text: &str) -> Option<Value> {
    let [b'\'', c, b'\''] = text.as_bytes() else { return None };
    Some(Value { number: i64::from(*c), is_unsigned: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_as_in_c() {
        let value = |text: &str| literal(text).map(|value| (value.number, value.is_unsigned));
        for (text, number) in [
            ("0", 0),
            ("501", 501),
            ("010", 8),
            ("0x1f", 31),
            ("0X1F", 31),
            ("0b101", 5),
            ("1'000", 1000),
            ("0x1'F", 31),
            ("501L", 501),
            ("501ll", 501),
            ("501z", 501),
            ("0x80000000L", 1 << 31),
            ("2147483648", 1 << 31),
            ("99999999999999999999", i64::MAX),
        ] {
            assert_eq!(value(text), Some((number, false)), "{text}");
        }
        for (text, number) in [("501u", 501), ("501UL", 501), ("501LLU", 501), ("0x80000000", 1 << 31)] {
            assert_eq!(value(text), Some((number, true)), "{text}");
        }
        for text in ["08", "0x", "0b2", "5x", "1.5", "1e3", "1_000", "0x'1", "1'", "1''0", "501uu", "501lll"]
        {
            assert_eq!(value(text), None, "{text}");
        }
    }
}
