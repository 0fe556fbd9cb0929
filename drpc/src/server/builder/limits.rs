use std::time::Duration;

use super::ServerBuilder;

impl ServerBuilder {
    /// How many sessions may be open at once. A further connection is closed at once, and logged. A limit of 0 is taken
    /// as 1.
    ///
    /// Without it the process's descriptors are the limit: a server that has none left waits before it accepts again (S4). A
    /// [`blocking::Server`](crate::blocking::Server), which gives each session a thread, has a limit of 1,024.
    pub fn session_limit(mut self, sessions: usize) -> Self {
        self.config.limits.sessions = Some(sessions.max(1));
        self
    }

    /// How many sessions of one user (by their effective user ID) may be open at once, so that none takes all of them. A
    /// further connection is closed at once, and logged. A limit of 0 is taken as 1.
    pub fn session_limit_per_uid(mut self, sessions: usize) -> Self {
        self.config.limits.sessions_per_uid = Some(sessions.max(1));
        self
    }

    /// How many calls may be carried out at once, of all sessions together. A limit of 0 is taken as 1.
    ///
    /// A session that finds no room keeps the one call that it has read, reads no further, and takes its turn behind those that
    /// came before; so each is served, however much another asks for. A call has its room until its handler is done; sending
    /// the reply takes none. A handler that calls its own server takes room twice, and may wait for itself.
    pub fn call_limit(mut self, calls: usize) -> Self {
        self.config.limits.calls = Some(calls.max(1));
        self
    }

    /// How many calls of one user (by their effective user ID) may be carried out at once, of all their sessions together, so that
    /// none takes all of the [`call_limit`](Self::call_limit). Their further calls wait, and those of others go on. A limit of 0 is taken as 1.
    pub fn call_limit_per_uid(mut self, calls: usize) -> Self {
        self.config.limits.calls_per_uid = Some(calls.max(1));
        self
    }

    /// How long a session may do nothing: ask for nothing and take no reply, while no call of it runs. Then it is closed.
    ///
    /// Clients see that as a server that closed the connection. A call that is sent at that very moment is lost, so choose a
    /// time well over that of clients that stay. With zero, a session is served what it has sent by the time the server looks at it.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.config.limits.idle = Some(timeout);
        self
    }

    /// How many bytes of replies of one session may wait while its client takes none, beside the one reply that is being sent.
    /// One byte more ends the session: its connection is closed, and its handlers are dropped where they wait.
    ///
    /// A client that does not read is not read from, so what can come to wait are the replies of the calls that ran by then: none
    /// in [serial](crate::Order::Serial) order, and so many in [concurrent](crate::Order::Concurrent) order as may run.
    pub fn pending_reply_limit(mut self, bytes: usize) -> Self {
        self.config.limits.pending_replies = bytes;
        self
    }
}
