//! The server in threads: one for each session, and up to as many as may run for one whose calls run side by side.
//!
//! Every wait is in the kernel, and each is ended by whatever may end it:
//!
//! | a thread waits | in | and goes on when |
//! |---|---|---|
//! | for a call | `recv(2)` | a packet or the end of file comes, or its time-out; a stop ends the receiving (`shutdown(2)`) |
//! | for the rest of a message | `poll(2)` | a packet comes, or it is due |
//! | for room for a reply | `poll(2)` | there is some, the client has left, or the session is cut (`shutdown(2)`) |
//! | for a handler | `poll(2)` on the socket and an eventfd | the handler is woken, the client has left, or the deadline is there |
//! | for a call's permit, for work in the background | `poll(2)` on the eventfd | it is woken |
//! | for the turn of a slow call | likewise | it is woken; or, if it looks after those that have one, every 2 ms |
//! | for its turn to read | a `Condvar` | it is its turn, or it was not needed for a while |
//!
//! So there is no thread that does nothing but watch others.

mod accept;
mod background;
mod bind;
mod connection;
mod parking;
mod session;
mod shared;
mod slow_turns;
mod streams;
mod threads;
mod turns;

pub use accept::Server;
