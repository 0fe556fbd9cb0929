//! How the tool ends: its exit codes, and what it says of errors.

use std::error::Error;

/// The answer is another one than was hoped for: a status other than SUCCESS, a mistake, a difference.
pub(crate) const OTHERWISE: u8 = 1;
/// What was given is not fit for what is asked: the command line, as clap has it, or a file.
pub(crate) const UNUSABLE: u8 = 2;
/// It could not be done: there is no answer, or the output can't be written.
pub(crate) const NOT_MADE: u8 = 3;

/// Says why there is no answer, and the causes of that.
pub(crate) fn print_error(error: &dyn Error) {
    eprintln!("drpc: {error}");
    let mut said = error.to_string();
    for cause in std::iter::successors(error.source(), |error| (*error).source()) {
        let cause = cause.to_string();
        if !said.contains(&cause) {
            eprintln!("  because: {cause}");
            said = cause;
        }
    }
}
