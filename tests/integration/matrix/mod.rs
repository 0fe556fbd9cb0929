//! The fault matrix: what goes wrong, with each server, client and wire that it can go wrong with. The README beside it has all rows,
//! those too whose test stands elsewhere.

mod callers;
mod host;
mod servers;
