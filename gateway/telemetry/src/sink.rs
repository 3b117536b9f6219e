//! The writer thread behind a log.
//!
//! A worker must not wait for a disk, a pipe or a terminal, so it hands batches
//! of complete lines to a bounded queue. When the queue is full, the batch is
//! dropped and counted: if a destination is too slow, lines are lost and the
//! gateway is not slowed down. Each destination has its own sink, so a blocked
//! pipe affects no other log.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use crate::metrics::Counter;

/// Batches that may wait for the writer. With batches of at most
/// [`BATCH_BYTES`](crate::access_log::BATCH_BYTES) this bounds a sink's memory
/// at about 4 MiB.
const QUEUE: usize = 128;

/// The destination of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file, opened for appending and created with mode 0640 if it does not
    /// exist.
    File(PathBuf),
}

/// The sending side of a log's writer thread. Cheap to clone; the thread ends
/// when the last clone is dropped and the queue is written.
#[derive(Debug, Clone)]
pub struct Sink {
    queue: SyncSender<Message>,
    reopen: Arc<AtomicBool>,
    dropped: Arc<Counter>,
}

#[derive(Debug)]
enum Message {
    Lines {
        bytes: Vec<u8>,
        lines: u64,
    },
    /// Wakes an idle writer so that it checks the flag `reopen`.
    Wake,
    /// Acknowledged when everything sent before it is written.
    Drain(SyncSender<()>),
}

impl Sink {
    /// Opens the destination and starts its writer. `dropped` counts lines that
    /// were not written, because the queue was full or because of an error.
    ///
    /// # Errors
    /// If the file cannot be opened, or the thread cannot be started.
    pub fn open(destination: Destination, dropped: Arc<Counter>) -> io::Result<Self> {
        let (queue, messages) = sync_channel(QUEUE);
        let reopen = Arc::new(AtomicBool::new(false));
        let writer = Writer {
            output: Output::open(&destination)?,
            destination,
            messages,
            reopen: Arc::clone(&reopen),
            dropped: Arc::clone(&dropped),
            torn: false,
        };
        thread::Builder::new()
            .name("janua-log".to_owned())
            .spawn(move || writer.run())?;
        Ok(Self {
            queue,
            reopen,
            dropped,
        })
    }

    /// Hands over `lines` complete lines, each ended by a newline. Never
    /// blocks.
    pub fn send(&self, bytes: Vec<u8>, lines: u64, shard: usize) {
        if self
            .queue
            .try_send(Message::Lines { bytes, lines })
            .is_err()
        {
            self.dropped.add(shard, lines);
        }
    }

    /// Reopens the file before the next line is written, as log rotation
    /// requires. Has no effect on standard output and standard error.
    pub fn reopen(&self) {
        self.reopen.store(true, Ordering::Release);
        // If the queue is full, the writer is awake anyway.
        let _ = self.queue.try_send(Message::Wake);
    }

    /// Waits until everything sent so far is written, for at most `timeout`,
    /// and returns whether it was. For the end of the process, not for a
    /// worker.
    #[must_use]
    pub fn drain(&self, timeout: Duration) -> bool {
        let (done, written) = sync_channel(1);
        let mut message = Message::Drain(done);
        let deadline = std::time::Instant::now() + timeout;
        loop {
            match self.queue.try_send(message) {
                Ok(()) => break,
                Err(TrySendError::Disconnected(_)) => return false,
                Err(TrySendError::Full(back)) => message = back,
            }
            if std::time::Instant::now() >= deadline {
                return false;
            }
            thread::yield_now();
        }
        let left = deadline.saturating_duration_since(std::time::Instant::now());
        written.recv_timeout(left).is_ok()
    }
}

struct Writer {
    output: Output,
    destination: Destination,
    messages: Receiver<Message>,
    reopen: Arc<AtomicBool>,
    dropped: Arc<Counter>,
    /// The last write ended within a line.
    torn: bool,
}

enum Output {
    Stdout,
    Stderr,
    File(File),
}

impl Output {
    fn open(destination: &Destination) -> io::Result<Self> {
        use std::os::unix::fs::OpenOptionsExt as _;
        Ok(match destination {
            Destination::Stdout => Output::Stdout,
            Destination::Stderr => Output::Stderr,
            Destination::File(path) => Output::File(
                File::options()
                    .append(true)
                    .create(true)
                    .mode(0o640)
                    .open(path)?,
            ),
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            // The flush empties the buffer of the lock, so that it is empty
            // between writes.
            Output::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(bytes)?;
                out.flush().map(|()| bytes.len())
            }
            Output::Stderr => io::stderr().write(bytes),
            Output::File(file) => file.write(bytes),
        }
    }
}

impl Writer {
    fn run(mut self) {
        while let Ok(message) = self.messages.recv() {
            if self.reopen.swap(false, Ordering::AcqRel) {
                match Output::open(&self.destination) {
                    Ok(output) => (self.output, self.torn) = (output, false),
                    Err(error) => tracing::error!(
                        destination = ?self.destination, %error,
                        "cannot reopen the log; writing on to the old file"
                    ),
                }
            }
            match message {
                Message::Lines { bytes, lines } => self.write(&bytes, lines),
                Message::Wake => {}
                Message::Drain(done) => {
                    let _ = done.try_send(());
                }
            }
        }
    }

    /// A full disk may truncate a line. The next line then begins on a new
    /// line, so that only one line is lost.
    fn write(&mut self, bytes: &[u8], lines: u64) {
        if self.torn && self.write_all(b"\n").is_err() {
            self.dropped.add(usize::MAX, lines);
            return;
        }
        self.torn = false;
        if let Err((rest, error)) = self.write_all(bytes) {
            let lost = rest.iter().filter(|byte| **byte == b'\n').count();
            self.dropped.add(usize::MAX, lost as u64);
            self.torn = rest.len() < bytes.len() && {
                let written = bytes.len() - rest.len();
                bytes.get(written - 1) != Some(&b'\n')
            };
            // Not logged by the thread that writes to standard error: the
            // message could not be written either.
            if self.destination != Destination::Stderr {
                tracing::error!(destination = ?self.destination, %error, lost, "log lines lost");
            }
        }
    }

    /// An error comes with the bytes that were not written.
    fn write_all<'b>(&mut self, bytes: &'b [u8]) -> Result<(), (&'b [u8], io::Error)> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.output.write(rest) {
                Ok(0) => return Err((rest, io::ErrorKind::WriteZero.into())),
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err((rest, error)),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
