use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::{fmt, io, thread};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag::register_conditional_default;
use signal_hook::iterator::{Handle, Signals};

use super::handle::ServerHandle;

/// Completes at SIGTERM or SIGINT (ctrl-c). Passed to `serve_until` of the tokio server or the blocking server, it **drains at the first signal and cuts at the
/// second**.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use drpc::{Server, server::shutdown_signal};
///
/// let stop = shutdown_signal(); // from here on, a signal is heard
/// let server = Server::builder().bind("/run/greeter.sock")?;
/// server.serve_until(stop).await?;
/// # Ok(())
/// # }
/// ```
///
/// From this call on, and not only once the future is polled, these signals no longer end the process by themselves. A thread of its own (`drpc-signals`) waits for
/// them, whatever the runtime's threads do, and handlers are notified at once. When the future is gone, and the server that it stopped, the next signal ends the
/// process as if it were not handled, so a thread that a handler still blocks can't keep the process alive.
///
/// # Panics
///
/// If the process can't install a signal handler or start the thread.
#[must_use = "it is for a server's `serve_until`, or to be awaited"]
pub fn shutdown_signal() -> ShutdownSignal {
    ShutdownSignal(Listening::begin().expect("SIGTERM and SIGINT can be handled"))
}

/// The future that [`shutdown_signal`] returns: it completes with the signal. Cancel safe, and ready again if it is polled again.
///
/// ```no_run
/// use drpc::server::shutdown_signal;
///
/// #[tokio::main]
/// async fn main() {
///     let signal = shutdown_signal().await;
///     println!("{signal:?}");
/// }
/// ```
pub struct ShutdownSignal(Listening);

/// A signal that was received.
///
/// ```no_run
/// use drpc::server::{Signal, shutdown_signal};
///
/// #[tokio::main]
/// async fn main() {
///     if shutdown_signal().await == Signal::Interrupt {
///         println!("ctrl-c");
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// SIGTERM.
    Terminate,
    /// SIGINT: ctrl-c.
    Interrupt,
}

/// The first that was heard.
impl Future for ShutdownSignal {
    type Output = Signal;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Signal> {
        self.0.heard.poll_first(context.waker())
    }
}

impl fmt::Debug for ShutdownSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShutdownSignal").finish_non_exhaustive()
    }
}

/// What a server serves until: any future of `()`, which drains it; or a [`ShutdownSignal`], whose second signal cuts it.
///
/// ```no_run
/// use drpc::Server;
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
///     let server = Server::builder().bind("/run/greeter.sock")?;
///     let serving = tokio::spawn(server.serve_until(async {
///         let _ = stopped.await;
///     }));
///
///     let _ = stop.send(());
///     serving.await??;
///     Ok(())
/// }
/// ```
pub trait StopSignal: Future + sealed::Sealed {}

impl<F: Future<Output = ()>> StopSignal for F {}
impl StopSignal for ShutdownSignal {}

pub(super) mod sealed {
    use std::future::Future;

    use super::ShutdownSignal;
    use crate::server::handle::ServerHandle;

    pub trait Sealed {
        /// Has the server told directly, if that can be, as long as this lives.
        fn tell(&self, server: ServerHandle);
    }

    impl<F: Future<Output = ()>> Sealed for F {
        fn tell(&self, _: ServerHandle) {}
    }

    impl Sealed for ShutdownSignal {
        fn tell(&self, server: ServerHandle) {
            self.0.heard.tell(server);
        }
    }
}

/// A thread that hears the signals, until this is dropped.
struct Listening {
    heard: Arc<Heard>,
    thread: Handle,
}

impl Listening {
    fn begin() -> io::Result<Self> {
        let heard = Arc::<Heard>::default();
        LISTENERS.prepare()?;
        let mut signals = Signals::new([SIGTERM, SIGINT])?;
        let thread = signals.handle();
        let hearing = heard.clone();
        let hear = move || signals.forever().for_each(|number| hearing.hear(Signal::of(number)));
        thread::Builder::new().name("drpc-signals".into()).spawn(hear)?;
        LISTENERS.add(1);
        Ok(Listening { heard, thread })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.thread.close();
        LISTENERS.add(-1);
    }
}

/// How many listen. Once nobody does any more, a signal does what it does where nobody ever has.
struct Listeners {
    count: Mutex<Option<isize>>,
    nobody: LazyLock<Arc<AtomicBool>>,
}

static LISTENERS: Listeners = Listeners { count: Mutex::new(None), nobody: LazyLock::new(Arc::default) };

impl Listeners {
    /// Has every signal ask first of all whether anybody listens: before it is told to one who may then stop listening at once.
    fn prepare(&self) -> io::Result<()> {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        if count.is_none() {
            self.nobody.store(true, Ordering::SeqCst);
            for signal in [SIGTERM, SIGINT] {
                register_conditional_default(signal, Arc::clone(&self.nobody))?;
            }
            *count = Some(0);
        }
        Ok(())
    }

    fn add(&self, more: isize) {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let left = count.unwrap_or(0) + more;
        *count = Some(left);
        self.nobody.store(left == 0, Ordering::SeqCst);
    }
}

impl Signal {
    fn of(number: i32) -> Self {
        if number == SIGINT { Signal::Interrupt } else { Signal::Terminate }
    }
}

/// The signals that have come, and who is told.
#[derive(Default)]
struct Heard(Mutex<Coming>);

#[derive(Default)]
struct Coming {
    first: Option<Signal>,
    has_second: bool,
    waiting: Option<Waker>,
    server: Option<ServerHandle>,
}

impl Heard {
    fn hear(&self, signal: Signal) {
        let mut coming = self.coming();
        coming.has_second = coming.first.is_some();
        coming.first.get_or_insert(signal);
        let waiting = coming.waiting.take();
        drop(coming);
        self.tell_server();
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    fn poll_first(&self, waker: &Waker) -> Poll<Signal> {
        let mut coming = self.coming();
        coming.waiting = Some(waker.clone());
        coming.first.map_or(Poll::Pending, Poll::Ready)
    }

    fn tell(&self, server: ServerHandle) {
        self.coming().server = Some(server);
        self.tell_server();
    }

    fn tell_server(&self) {
        let coming = self.coming();
        let (first, has_second, server) = (coming.first, coming.has_second, coming.server.clone());
        drop(coming);
        match (server, first) {
            (Some(server), Some(_)) if has_second => server.cut(),
            (Some(server), Some(_)) => server.shutdown(),
            _ => {}
        }
    }

    fn coming(&self) -> MutexGuard<'_, Coming> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
