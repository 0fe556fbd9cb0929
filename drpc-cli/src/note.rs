/// Writes a line to standard error. Colours are for terminals; who has closed it wants to know nothing.
macro_rules! note {
    ($($line:tt)*) => {{
        let _ = std::io::Write::write_fmt(&mut anstream::stderr().lock(), format_args!("{}\n", format_args!($($line)*)));
    }};
}
