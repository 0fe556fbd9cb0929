//! How the tool ends, and what it says when something went wrong.

use std::error::Error;

/// The server answered another status than SUCCESS.
pub(crate) const ANSWERED_OTHERWISE: u8 = 1;
/// The command line, or a file that it names, is wrong.
pub(crate) const UNUSABLE: u8 = 2;
/// The call could not be made, or no response came that can be read.
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
