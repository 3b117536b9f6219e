//! The gateway's own diagnostics: `tracing` events, written to standard error
//! by a separate thread, so that no worker waits for a slow terminal or
//! journal.
//!
//! `tracing-appender` does the same with its own channel and thread; the
//! [`Sink`](crate::sink) exists anyway and counts what it drops.

use std::fmt;
use std::io::{self, IsTerminal as _, Write};
use std::sync::Arc;
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::metrics::Counter;
use crate::sink::{Destination, Sink};

/// Keeps the writer of the diagnostics; dropping it at the end of the process
/// writes what is pending.
#[derive(Debug)]
#[must_use = "dropped at once, the last lines before the end are lost"]
pub struct Diagnostics {
    sink: Sink,
}

/// Why `tracing` was not set up.
#[derive(Debug)]
pub enum Error {
    /// The filter is neither a level (`info`) nor a list of directives
    /// (`info,janua_proxy=debug`).
    Filter(String),
    /// The writer thread could not be started.
    Writer(io::Error),
    /// A subscriber was already set.
    AlreadySet,
}

/// Writes events that pass the filter to standard error, one per line, as text
/// or as JSON objects.
///
/// # Errors
/// See [`Error`].
pub fn init(filter: &str, json: bool) -> Result<Diagnostics, Error> {
    let filter = EnvFilter::try_new(filter).map_err(|error| Error::Filter(error.to_string()))?;
    // This counter is not exported: if diagnostics are lost, they cannot be
    // reported elsewhere either.
    let dropped = Arc::new(Counter::new(1));
    let sink = Sink::open(Destination::Stderr, dropped).map_err(Error::Writer)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(!json && io::stderr().is_terminal())
        .with_writer(Lines(sink.clone()));
    let set = if json {
        lines.json().flatten_event(true).try_init()
    } else {
        lines.with_target(false).try_init()
    };
    set.map_err(|_| Error::AlreadySet)?;
    Ok(Diagnostics { sink })
}

impl Drop for Diagnostics {
    fn drop(&mut self) {
        let _ = self.sink.drain(Duration::from_secs(1));
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Filter(why) => write!(f, "the log filter is not valid: {why}"),
            Error::Writer(why) => write!(f, "the log's writer cannot be started: {why}"),
            Error::AlreadySet => f.write_str("a tracing subscriber is set already"),
        }
    }
}

impl std::error::Error for Error {}

struct Lines(Sink);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Sink;

    fn make_writer(&'a self) -> &'a Sink {
        &self.0
    }
}

/// The subscriber formats each event into its own buffer and writes it in one
/// call, so each write is one line.
impl Write for &Sink {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.send(line.to_vec(), 1, 0);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
