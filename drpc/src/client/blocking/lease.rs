#[cfg(all(test, shuttle))]
mod model;

use std::sync::Arc;
use std::time::Instant;

use super::{Client, Connection, Sent};
use crate::client::call_state::CallState;
use crate::client::error::{CallError, Disconnect};
use crate::client::pool::{Pool, Taken};
use crate::observe::metrics;
use crate::sync::parking_lot::{Condvar, MutexGuard};

/// A place in the pool, and the connection that a call has to itself. Dropped, it is free for the next call.
pub(super) struct Lease<'a> {
    client: &'a Client,
    /// The lock of the pool, held throughout by a call that has the only connection there may be: so the others take turns
    /// by it alone, and a call locks once.
    turn: Option<MutexGuard<'a, Pool<Box<Connection>>>>,
    /// When it was lent: see `Pool::epoch`.
    epoch: u64,
    /// `None` while it is being made, or once it is of no more use.
    connection: Option<Box<Connection>>,
}

impl Client {
    /// Waits for a connection that no other call uses, or makes one.
    pub(super) fn connection(&self, state: &mut CallState<'_>) -> Result<Lease<'_>, CallError> {
        state.check_time()?;
        self.0.check_process();
        let config = &self.0.config;
        let mut pool = self.lock_pool(state)?;
        let mut has_waited = false;
        loop {
            // Another may have been woken by the same notice.
            let taken = pool.take(has_waited).inspect_err(|_| self.wake_another(&pool))?;
            let wait = match taken {
                None => {
                    state.waits();
                    Wait::ForPlace(state.deadline.at)
                }
                Some(Taken::Connection(connection)) => {
                    let epoch = pool.epoch();
                    // Who waits has to take the lock again before its time is over.
                    let alone = self.0.config.limit() == 1 && !pool.somebody_looks_again();
                    let turn = alone.then_some(pool);
                    return Ok(Lease { client: self, turn, epoch, connection: Some(connection) });
                }
                Some(Taken::Place) => {
                    let mut lease = Lease { client: self, turn: None, epoch: pool.epoch(), connection: None };
                    let is_first = pool.has_one_place_out();
                    drop(pool);
                    state.waits();
                    let opened = self.0.config.open_blocking(state.deadline);
                    self.0.pool.lock().made();
                    let error = match opened {
                        Ok(connection) => {
                            self.0.lines.add(lease.epoch, &connection.line);
                            lease.connection = Some(Box::new(connection));
                            if is_first {
                                metrics::reconnected();
                            }
                            return Ok(lease);
                        }
                        Err(error) => error,
                    };
                    drop(lease);
                    pool = self.0.pool.lock();
                    match state.refused(error) {
                        Ok(pause) => Wait::ForServer(Instant::now().checked_add(pause)),
                        // Another call has a connection, which this one can take after it.
                        Err(error) if error.may_pass() && pool.is_lent() && !config.connection_per_call => {
                            Wait::ForPlace(state.deadline.at)
                        }
                        Err(error) => return Err(state.gave_up(error)),
                    }
                }
            };
            match wait {
                Wait::ForPlace(until) => {
                    pool.begin_to_wait();
                    wait_until(&self.0.freed, &mut pool, until);
                    pool.end_to_wait();
                    has_waited = true;
                }
                Wait::ForServer(until) => {
                    pool.begin_to_pause();
                    wait_until(&self.0.came, &mut pool, until);
                    pool.end_to_pause();
                }
            }
            if state.deadline.left().is_zero() {
                // What was given back at this very moment was meant for this call.
                self.wake_another(&pool);
                return Err(state.timed_out());
            }
        }
    }

    /// A call that leaves without a connection has another look for it.
    fn wake_another(&self, pool: &Pool<Box<Connection>>) {
        if pool.somebody_waits() {
            self.0.freed.notify_one();
        }
    }

    fn lock_pool(
        &self,
        state: &mut CallState<'_>,
    ) -> Result<MutexGuard<'_, Pool<Box<Connection>>>, CallError> {
        match state.deadline.at {
            None => Ok(self.0.pool.lock()),
            Some(at) => self.0.pool.try_lock_until(at).ok_or_else(|| state.timed_out()),
        }
    }
}

impl Lease<'_> {
    /// Uses the connection. It is not lent again if that panics: nobody knows what is still to come on it.
    ///
    /// To be called before [`broke`](Self::broke) and [`is_held_up`](Self::is_held_up): until then what
    /// [`Client::connection`] gave has a connection.
    pub(super) fn run<T>(&mut self, work: impl FnOnce(&mut Connection) -> T) -> T {
        let mut connection = self.connection.take().expect("it was lent with a connection");
        let result = work(&mut connection);
        self.connection = Some(connection);
        result
    }

    /// The connection is no more (C7).
    pub(super) fn broke(&mut self, cause: Arc<Disconnect>) {
        self.connection = None;
        if !matches!(*cause, Disconnect::Closed) {
            metrics::connection_lost();
        }
        if !self.client.0.config.auto_reconnect {
            match &mut self.turn {
                Some(pool) => pool.stop(cause),
                None => self.client.0.pool.lock().stop(cause),
            }
            self.client.0.wake_all();
        }
    }

    /// A call timed out on the connection. The next one takes another, unless the server answers in any order (C4) and
    /// expects no rest of this one (W10).
    pub(super) fn is_held_up(&mut self, sent: Sent) {
        if sent == Sent::Part || self.client.0.config.leaves_held_up() {
            self.connection = None;
        }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let inner = &self.client.0;
        let connection = self.connection.take_if(|_| !inner.config.connection_per_call);
        let comes = connection.is_some();
        let mut pool = self.turn.take().unwrap_or_else(|| inner.pool.lock());
        let somebody_waits = pool.give_back(self.epoch, connection);
        drop(pool);
        if somebody_waits {
            inner.freed.notify_one();
        } else if comes {
            inner.came.notify_one();
        }
    }
}

/// What a call waits for, and until when.
enum Wait {
    /// That another gives a connection back, or its place.
    ForPlace(Option<Instant>),
    /// That it is time to try again, or that a connection comes from another call. A place alone is of no use to it: if each told the next of
    /// that, all would connect without a pause.
    ForServer(Option<Instant>),
}

fn wait_until<T>(condition: &Condvar, guard: &mut MutexGuard<'_, T>, until: Option<Instant>) {
    match until {
        Some(until) => drop(condition.wait_until(guard, until)),
        None => condition.wait(guard),
    }
}
