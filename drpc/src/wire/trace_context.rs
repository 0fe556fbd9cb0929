use std::fmt;
use std::str::FromStr;

/// A caller's place in a trace that goes through several processes: W3C's [trace context](https://www.w3.org/TR/trace-context/),
/// that HTTP has as the headers `traceparent` and `tracestate`.
///
/// Any tracing system that speaks W3C's form can make one and take one over; this crate has none of its own.
///
/// # Example
///
/// ```
/// use drpc::TraceContext;
///
/// let trace: TraceContext = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse()?;
/// assert!(trace.is_sampled());
/// assert_eq!(trace.to_string(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
/// assert_eq!(trace, TraceContext::new(trace.trace_id(), trace.parent_id(), 1)?);
/// # Ok::<(), drpc::InvalidTraceContext>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// Not all zero.
    trace_id: [u8; 16],
    /// Not all zero.
    parent_id: [u8; 8],
    flags: u8,
    /// Sound, or empty.
    state: Box<str>,
}

impl TraceContext {
    /// A place in a trace: the trace, the span that calls, and W3C's flags, of which 1 means that the caller may have recorded it.
    ///
    /// # Errors
    ///
    /// [`InvalidTraceContext`] if an ID is all zero.
    pub fn new(trace_id: [u8; 16], parent_id: [u8; 8], flags: u8) -> Result<Self, InvalidTraceContext> {
        if trace_id == [0; 16] {
            return Err(InvalidTraceContext("the trace ID is all zero"));
        }
        if parent_id == [0; 8] {
            return Err(InvalidTraceContext("the parent ID is all zero"));
        }
        Ok(TraceContext { trace_id, parent_id, flags, state: Box::default() })
    }

    /// The same with a `tracestate`: what tracing systems keep beside the IDs, `key=value` by `key=value` with commas in between.
    ///
    /// # Errors
    ///
    /// [`InvalidTraceContext`] if it has more than 32 members or 512 characters, or a member is not of W3C's form.
    pub fn with_state(self, state: &str) -> Result<Self, InvalidTraceContext> {
        check_state(state)?;
        Ok(TraceContext { state: state.into(), ..self })
    }

    /// As it came from a peer; what is unsound of it is left out.
    pub(super) fn received(traceparent: &[u8], tracestate: &[u8]) -> Option<Self> {
        let mut trace: TraceContext = str::from_utf8(traceparent).ok()?.parse().ok()?;
        if let Ok(state) = str::from_utf8(tracestate)
            && check_state(state).is_ok()
        {
            trace.state = state.into();
        }
        Some(trace)
    }

    /// The trace.
    #[must_use]
    pub fn trace_id(&self) -> [u8; 16] {
        self.trace_id
    }

    /// The span that calls.
    #[must_use]
    pub fn parent_id(&self) -> [u8; 8] {
        self.parent_id
    }

    /// W3C's flags.
    #[must_use]
    pub fn flags(&self) -> u8 {
        self.flags
    }

    /// Whether the caller may have recorded its part of the trace.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.flags & 1 != 0
    }

    /// The `tracestate`; empty if there is none.
    #[must_use]
    pub fn state(&self) -> &str {
        &self.state
    }
}

/// As a `traceparent`.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace_id, parent_id) = (u128::from_be_bytes(self.trace_id), u64::from_be_bytes(self.parent_id));
        write!(f, "00-{trace_id:032x}-{parent_id:016x}-{:02x}", self.flags)
    }
}

/// From a `traceparent`. One of a later version of W3C's form is taken as far as it is known.
impl FromStr for TraceContext {
    type Err = InvalidTraceContext;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str =
            "a traceparent is `00-`, 32 hex digits, `-`, 16 hex digits, `-` and 2 hex digits, in lower case";
        let form = || InvalidTraceContext(FORM);
        let mut parts = text.split('-');
        let version: [u8; 1] = parts.next().and_then(hex).ok_or_else(form)?;
        let trace_id = parts.next().and_then(hex).ok_or_else(form)?;
        let parent_id = parts.next().and_then(hex).ok_or_else(form)?;
        let [flags] = parts.next().and_then(hex).ok_or_else(form)?;
        match version[0] {
            0xff => return Err(InvalidTraceContext("a traceparent's version is not ff")),
            0 if parts.next().is_some() => return Err(form()),
            _ => {}
        }
        TraceContext::new(trace_id, parent_id, flags)
    }
}

fn hex<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let digits = digits.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn check_state(state: &str) -> Result<(), InvalidTraceContext> {
    if state.len() > 512 {
        return Err(InvalidTraceContext("a tracestate has at most 512 characters"));
    }
    if state.split(',').count() > 32 {
        return Err(InvalidTraceContext("a tracestate has at most 32 members"));
    }
    match state.split(',').map(|member| member.trim_matches([' ', '\t'])).all(is_member) {
        true => Ok(()),
        false => {
            Err(InvalidTraceContext("a member of a tracestate is `key=value`, and the key in lower case"))
        }
    }
}

/// A member may be empty.
fn is_member(member: &str) -> bool {
    let key_byte = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/' | b'@');
    let value_byte = |byte: u8| matches!(byte, b' '..=b'~') && byte != b',' && byte != b'=';
    match member.split_once('=') {
        None => member.is_empty(),
        Some((key, value)) => {
            let sizes = (1..=256).contains(&key.len()) && (1..=256).contains(&value.len());
            sizes && key.bytes().all(key_byte) && value.bytes().all(value_byte)
        }
    }
}

/// Why something is not a [`TraceContext`].
///
/// ```
/// use drpc::TraceContext;
///
/// let error = "00-not-a-parent".parse::<TraceContext>().unwrap_err();
/// assert!(error.to_string().starts_with("no trace context: "));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidTraceContext(&'static str);

impl fmt::Display for InvalidTraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no trace context: {}", self.0)
    }
}

impl std::error::Error for InvalidTraceContext {}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_is_read_as_w3c_says() {
        let read = |text: &str| text.parse::<TraceContext>().map(|trace| trace.to_string());
        assert_eq!(read(PARENT).unwrap(), PARENT);
        // A later version may have more to it.
        assert_eq!(read(&PARENT.replacen("00", "cc", 1)).unwrap(), PARENT);
        assert_eq!(read(&format!("{}-more", PARENT.replacen("00", "cc", 1))).unwrap(), PARENT);
        for unsound in [
            "",
            "00",
            &PARENT.to_uppercase(),
            &PARENT[..54],
            &format!("{PARENT}-more"),
            &format!("{PARENT}x"),
            &PARENT.replacen("00", "ff", 1),
            &PARENT.replace('-', "_"),
            &PARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &PARENT.replace("00f067aa0ba902b7", &"0".repeat(16)),
            &PARENT.replace("00f067aa0ba902b7", "00f067aa0ba902bü"),
        ] {
            assert!(read(unsound).is_err(), "{unsound}");
        }
    }

    #[test]
    fn a_tracestate_has_limits() {
        let with = |state: &str| PARENT.parse::<TraceContext>().unwrap().with_state(state);
        for sound in ["", "a=1", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "t@v=x ,, 0a*/_-=y"] {
            assert_eq!(with(sound).unwrap().state(), sound);
        }
        let member = |len: usize| format!("k={}", "v".repeat(len));
        for unsound in ["a", "=1", "a=", "A=1", "a=b=c", "a=ü", &member(257), &vec!["a=1"; 33].join(",")] {
            assert!(with(unsound).is_err(), "{unsound}");
        }
        assert!(with(&vec![member(200); 3].join(",")).unwrap_err().to_string().contains("512"));
    }
}
