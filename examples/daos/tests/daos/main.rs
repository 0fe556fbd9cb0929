//! The three programs, from outside.

mod contract;
mod killed;
mod requests;
mod story;
mod support;
