//! What an error comes from: tonic's say little themselves, and the system's is at the end of a chain.

use std::error::Error;
use std::io;

/// An error, its source, the source of that, and so on.
pub(crate) fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// Why a connection was not made: the system's error, as far as there is one, with all that is said of it.
pub(crate) fn of_connecting(error: &(dyn Error + 'static)) -> io::Error {
    let system = chain(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).last();
    let mut texts: Vec<String> = chain(error).map(ToString::to_string).collect();
    texts.dedup();
    io::Error::new(system.map_or(io::ErrorKind::Other, io::Error::kind), texts.join(": "))
}
