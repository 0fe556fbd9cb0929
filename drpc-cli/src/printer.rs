//! Standard output, for those who have better to do than to wait for its reader.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// How many texts may wait to be written.
const QUEUE: usize = 1024;

/// How long a reader may read nothing before lines are left out.
const PATIENCE: Duration = Duration::from_millis(500);

/// Writes to standard output on a thread of its own. A reader who is slow is waited for, and one who does not read at all is not.
pub(crate) struct Printer {
    texts: SyncSender<Vec<u8>>,
    /// How many have been written.
    written: Arc<AtomicU64>,
    ended: Receiver<io::Result<()>>,
    /// How many lines were not written since the last one that was.
    left_out: usize,
    /// Says that.
    notice: fn(usize) -> String,
}

impl Printer {
    /// `on_end` is called when no more is written: because all is, or can't be.
    pub(crate) fn begin(notice: fn(usize) -> String, on_end: impl FnOnce() + Send + 'static) -> Printer {
        let (texts, to_write) = sync_channel::<Vec<u8>>(QUEUE);
        let (end, ended) = sync_channel(1);
        let written = Arc::new(AtomicU64::new(0));
        let progress = written.clone();
        thread::spawn(move || {
            let mut out = anstream::AutoStream::auto(io::stdout());
            let all = to_write.iter().try_for_each(|text| {
                out.write_all(&text)?;
                out.flush()?;
                progress.fetch_add(1, Ordering::Relaxed);
                Ok(())
            });
            // Nobody may wait for it any more.
            let _ = end.send(all);
            on_end();
        });
        Printer { texts, written, ended, left_out: 0, notice }
    }

    /// Has lines written. Waits for a reader who reads.
    pub(crate) fn print(&mut self, text: Vec<u8>) {
        let lines = text.iter().filter(|byte| **byte == b'\n').count();
        let (mut text, patience) = match self.left_out {
            0 => (text, PATIENCE),
            left_out => ([(self.notice)(left_out).into_bytes(), text].concat(), Duration::ZERO),
        };
        let mut last = (self.written.load(Ordering::Relaxed), Instant::now());
        loop {
            text = match self.texts.try_send(text) {
                Ok(()) => {
                    self.left_out = 0;
                    return;
                }
                // What became of the writer is told at the end.
                Err(TrySendError::Disconnected(_)) => return,
                Err(TrySendError::Full(back)) => back,
            };
            let written = self.written.load(Ordering::Relaxed);
            if written != last.0 {
                last = (written, Instant::now());
            } else if last.1.elapsed() >= patience {
                self.left_out += lines;
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until all is written, or nothing more is read.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        if self.left_out > 0 {
            self.print(Vec::new());
        }
        let Printer { texts, written, ended, .. } = self;
        drop(texts);
        let mut last = written.load(Ordering::Relaxed);
        loop {
            match ended.recv_timeout(PATIENCE) {
                Ok(all) => return all,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Err(RecvTimeoutError::Timeout) => {
                    let now = written.load(Ordering::Relaxed);
                    if now == last {
                        return Ok(());
                    }
                    last = now;
                }
            }
        }
    }
}
