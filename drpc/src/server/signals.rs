use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::{fmt, io, thread};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag::register_conditional_default;
use signal_hook::iterator::{Handle, Signals};

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
/// them, whatever the runtime's threads do. When the future is gone, and the server that it stopped, the next signal ends the process as if it were not handled, so
/// a thread that a handler still blocks can't keep the process alive.
///
/// Cancel safe.
///
/// # Panics
///
/// If the process can't install a signal handler or start the thread.
pub fn shutdown_signal() -> impl Future<Output = Signal> + Send + 'static {
    Waiting(Some(Listening::begin().expect("SIGTERM and SIGINT can be handled")))
}

/// What the future passed to `serve_until` resolves to: `()` drains the server; a [`Signal`] drains it, and cuts it at the next signal.
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
pub trait StopRequest: sealed::Sealed {}

impl StopRequest for () {}
impl StopRequest for Signal {}

/// A signal that was received: what [`shutdown_signal`] resolves to. While it exists, the next signal is caught too.
///
/// ```no_run
/// use drpc::server::{Signal, shutdown_signal};
///
/// #[tokio::main]
/// async fn main() {
///     let _signal: Signal = shutdown_signal().await;
///     println!("stopping");
/// }
/// ```
pub struct Signal(Listening);

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signal").finish_non_exhaustive()
    }
}

pub(super) mod sealed {
    use super::Signal;

    pub trait Sealed {
        /// Has `cut` called if the request is made again, as long as what this gives is kept.
        fn if_repeated(self, cut: Box<dyn FnOnce() + Send>) -> Option<Signal>;
    }

    impl Sealed for () {
        fn if_repeated(self, _: Box<dyn FnOnce() + Send>) -> Option<Signal> {
            None
        }
    }

    impl Sealed for Signal {
        fn if_repeated(self, cut: Box<dyn FnOnce() + Send>) -> Option<Signal> {
            self.0.heard.on_second(cut);
            Some(self)
        }
    }
}

struct Waiting(Option<Listening>);

impl Future for Waiting {
    type Output = Signal;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Signal> {
        let listening = self.0.take().expect("it is not polled after it was ready");
        if listening.heard.is_any(context.waker()) {
            return Poll::Ready(Signal(listening));
        }
        self.0 = Some(listening);
        Poll::Pending
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
        let mut signals = Signals::new([SIGTERM, SIGINT])?;
        let thread = signals.handle();
        let hearing = heard.clone();
        let hear = move || signals.forever().for_each(|_| hearing.hear());
        thread::Builder::new().name("drpc-signals".into()).spawn(hear)?;
        LISTENERS.add(1)?;
        Ok(Listening { heard, thread })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.thread.close();
        // It is handled already, so this can't fail.
        let _ = LISTENERS.add(-1);
    }
}

/// How many listen. Once nobody does any more, a signal does what it does where nobody ever has.
struct Listeners {
    count: Mutex<Option<isize>>,
    nobody: LazyLock<Arc<AtomicBool>>,
}

static LISTENERS: Listeners = Listeners { count: Mutex::new(None), nobody: LazyLock::new(Arc::default) };

impl Listeners {
    fn add(&self, more: isize) -> io::Result<()> {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        if count.is_none() {
            for signal in [SIGTERM, SIGINT] {
                register_conditional_default(signal, Arc::clone(&self.nobody))?;
            }
        }
        let left = count.unwrap_or(0) + more;
        *count = Some(left);
        self.nobody.store(left == 0, Ordering::SeqCst);
        Ok(())
    }
}

/// The signals that have come.
#[derive(Default)]
struct Heard(Mutex<Coming>);

#[derive(Default)]
struct Coming {
    signals: usize,
    /// Woken by the first.
    waiting: Option<Waker>,
    /// Called at the second.
    cut: Option<Box<dyn FnOnce() + Send>>,
}

impl Heard {
    fn hear(&self) {
        let mut coming = self.coming();
        coming.signals += 1;
        let waiting = coming.waiting.take();
        let cut = if coming.signals > 1 { coming.cut.take() } else { None };
        drop(coming);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
        if let Some(cut) = cut {
            cut();
        }
    }

    /// Whether one has come; else the waker is called when it does.
    fn is_any(&self, waker: &Waker) -> bool {
        let mut coming = self.coming();
        coming.waiting = Some(waker.clone());
        coming.signals > 0
    }

    fn on_second(&self, cut: Box<dyn FnOnce() + Send>) {
        let mut coming = self.coming();
        match coming.signals {
            0 | 1 => coming.cut = Some(cut),
            _ => {
                drop(coming);
                cut();
            }
        }
    }

    fn coming(&self) -> MutexGuard<'_, Coming> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
