use std::time::Duration;

use super::ServerBuilder;
use crate::descriptors::MAX;
use crate::wire::Credit;

impl ServerBuilder {
    /// The maximum number of open sessions. A further connection is closed at once, and logged. 0 counts as 1.
    ///
    /// Without it the process's descriptors are the limit: a server that has none left waits before it accepts again ([S4](crate::guide::rules#server)). A
    /// [`blocking::Server`](crate::blocking::Server), which gives each session a thread, has a limit of 1,024 by default.
    pub fn session_limit(mut self, sessions: usize) -> Self {
        self.config.limits.sessions = Some(sessions.max(1));
        self
    }

    /// The maximum number of open sessions per user (by effective user ID), so that one user can't take all of them. A further connection is closed at once,
    /// and logged. 0 counts as 1.
    pub fn session_limit_per_uid(mut self, sessions: usize) -> Self {
        self.config.limits.sessions_per_uid = Some(sessions.max(1));
        self
    }

    /// How many sessions of one user (by effective user ID) may go on without their clients, which have closed their connections while their calls
    /// run: these are [told, and carried out to their end](crate::Context::cancellation) ([S6](crate::guide::rules#server)). With so many, a further connection of that user is
    /// closed at once, and logged. By default it is 4,096, or half of the [`session_limit`](Self::session_limit) if that is less; 0 counts as 1.
    ///
    /// Such a session holds what its handlers do, up to 1 MiB of calls that wait, and no descriptor, unless more calls than that lie in its socket. On a [`blocking::Server`](crate::blocking::Server) it keeps its threads, its socket, and a descriptor more for each
    /// thread that waits for an `async` handler, until its calls are done: with the default limits, 512 such sessions of a user. A
    /// [`handler_timeout`](Self::handler_timeout) ends handlers that would never end.
    pub fn absent_session_limit(mut self, sessions: usize) -> Self {
        self.config.limits.absent_sessions = Some(sessions.max(1));
        self
    }

    /// The maximum number of calls running at once, over all sessions. 0 counts as 1.
    ///
    /// A session that finds no capacity keeps the one call that it has read, stops reading, and queues behind those that came before, so every session gets served,
    /// however much another asks for. (On a [`blocking::Server`](crate::blocking::Server) with [`Order::Concurrent`](crate::Order::Concurrent), a session whose client cancels calls or opens
    /// streams queues for as many calls as its order has, each on a thread.) A call holds its capacity until its handler is done; sending the reply takes none. A handler that calls its own server takes
    /// capacity twice, and may wait for itself. So may a slow one on a tokio server, without any limit, that blocks its thread until its own server has done a
    /// [slow](crate::guide::access#limits) call.
    pub fn call_limit(mut self, calls: usize) -> Self {
        self.config.limits.calls = Some(calls.max(1));
        self
    }

    /// How many calls of one user (by effective user ID) may run at once, over all of their sessions, so that no user
    /// takes all of the [`call_limit`](Self::call_limit). Further calls of that user wait, and those of others go on. 0 counts as 1.
    pub fn call_limit_per_uid(mut self, calls: usize) -> Self {
        self.config.limits.calls_per_uid = Some(calls.max(1));
        self
    }

    /// How many [streams](crate::guide::streams) of one session may be open at once. A further one is answered FAILURE. 0 refuses all.
    ///
    /// An open stream holds one item at most, what its handler keeps, and a few hundred bytes. It does not count as a running call, and as 17 KiB of the
    /// [`memory_limit`](Self::memory_limit); one that the caller sends also counts with its [`stream_credit`](Self::stream_credit).
    pub fn stream_limit(mut self, streams: usize) -> Self {
        self.config.limits.streams.open = streams;
        self
    }

    /// How much a caller may have sent of a [stream](crate::guide::streams) of its own and the handler not taken yet: 4096 items and 1 MiB in their bodies, unless this
    /// says otherwise. One item may be longer than what is left of the bytes. 0 is taken as 1.
    ///
    /// A stream that a caller sends counts in the [`memory_limit`](Self::memory_limit) with these bytes, and 32 for each of these items, from its beginning to its end: 1 MiB and
    /// 128 KiB by default, so that one user alone can have 112 such streams open. The next one is answered FAILURE.
    pub fn stream_credit(mut self, items: u32, bytes: u64) -> Self {
        self.config.limits.streams.window = Credit { items: items.max(1), bytes: bytes.max(1) };
        self
    }

    /// How many bytes the server holds for its clients, over all sessions: of messages that have not come whole, of requests until their handlers let
    /// go of them, also when their callers have left, and of replies that are not sent.
    ///
    /// Requests take at most half of it, so that they can be answered. **A user (by effective user ID) may hold as much as is left for the others**, so whoever else comes finds
    /// room. Whoever asks for more is refused: a session whose request does not fit ends, as with one over [`message_limit`](Self::message_limit); a reply
    /// that does not fit becomes `FAILED_MARSHAL`. All of it is logged.
    ///
    /// A message, request or reply of up to 16 KiB is not counted: what these come to is bounded by the number of sessions and running calls. A request
    /// that was decoded counts with 128 bytes for each field that it has, for as long as its handler runs. By default it is 512 MiB, or eight times the message limit if that is more.
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.config.limits.memory = Some(bytes);
        self
    }

    /// How many of the bytes of the [`memory_limit`](Self::memory_limit) may be held for one user (by effective user ID). By default half of them.
    pub fn memory_limit_per_uid(mut self, bytes: usize) -> Self {
        self.config.limits.memory_per_uid = Some(bytes);
        self
    }

    /// How long a session may do nothing: send no call, take no reply, and have no call running and no stream open. Then it is closed.
    ///
    /// Clients see a server that closed the connection. A call sent at that very moment is lost, so choose a time well above the pauses of your clients. With zero, a
    /// session is served what it has sent by the time the server looks at it.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.config.limits.idle = Some(timeout);
        self
    }

    /// How many bytes of replies may wait in a session whose client does not read, in addition to the reply being sent. One more byte ends the session: its
    /// connection is closed, and its handlers are dropped at their `await`.
    ///
    /// The server stops reading from a client that does not read, so only replies of calls that were already running can pile up: none in
    /// [serial](crate::Order::Serial) order, and at most the limit of [concurrent](crate::Order::Concurrent) order.
    pub fn pending_reply_limit(mut self, bytes: usize) -> Self {
        self.config.limits.pending_replies = bytes;
        self
    }

    /// How many descriptors one call may have whose method [takes some](crate::guide::descriptors). 16 by default, at most 253. One more, and all of them are closed,
    /// and the call is answered FAILURE.
    pub fn descriptor_limit(mut self, descriptors: usize) -> Self {
        self.config.limits.descriptors.message = descriptors.clamp(1, MAX);
        self
    }

    /// How many descriptors the calls of one session may have that are not over, whoever has taken them; 64 by default. With one more, all of their call are closed, and
    /// it is answered FAILURE.
    ///
    /// All sessions of the process together have no more than a quarter of the files that it may open (`RLIMIT_NOFILE`), so that others find the rest.
    pub fn session_descriptor_limit(mut self, descriptors: usize) -> Self {
        self.config.limits.descriptors.connection = descriptors;
        self
    }

    /// How many descriptors the calls of one user (by effective user ID) may have that are not over, in all of its sessions. Of a call that would have
    /// more, all are closed, and it is answered FAILURE.
    ///
    /// **A user may have no more than are left for the others**, whatever this says: one alone half of what all sessions of the process may have, so that whoever
    /// else comes finds some. That is the default.
    pub fn descriptor_limit_per_uid(mut self, descriptors: usize) -> Self {
        self.config.limits.descriptors.user = descriptors;
        self
    }
}
