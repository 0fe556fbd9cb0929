//! Bodies to call with, each of a length and from a place of its own, so that no caller can take another's for its own.

use std::sync::OnceLock;

use bytes::Bytes;

const LONGEST: usize = 1 << 20;

/// The most that fits the plain wire's one packet beside the envelope (W7).
pub(crate) const LONGEST_PLAIN: usize = 131_072 - 32;

/// The body of a caller's call: mostly short, sometimes of several packets, seldom of 1 MiB.
pub(crate) fn body(caller: usize, call: usize, longest: usize) -> Bytes {
    let number = caller * 31 + call * 7;
    let len = match number % 200 {
        0 => LONGEST,
        1..=4 => 300_000,
        5..=14 => 64 << 10,
        15..=24 => 0,
        short => short * 11,
    };
    let start = number % 4096;
    pattern().slice(start..start + len.min(longest))
}

/// Bytes in which no stretch is like another nearby.
fn pattern() -> &'static Bytes {
    static PATTERN: OnceLock<Bytes> = OnceLock::new();
    PATTERN.get_or_init(|| {
        let mut state = 1u32;
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_le_bytes()
        };
        std::iter::repeat_with(next).take(LONGEST / 4 + 1024).flatten().collect()
    })
}
