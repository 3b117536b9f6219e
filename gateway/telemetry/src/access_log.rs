//! The access log: one line per request, written to its destination by a
//! separate thread.
//!
//! Each worker has its own [`AccessLog`] per destination. A record is formatted
//! directly into its buffer (without a map, `serde` or an allocation). The
//! buffer goes to the [`Sink`] when it is full or when the worker calls
//! [`AccessLog::flush`], which it does once per second. Lines of different
//! workers may therefore be out of order by about a second.

mod fields;
mod json;
mod record;
mod text;
mod timestamp;

use std::mem;

pub use fields::{FIELDS, Field};
pub use record::{Note, Record, Word};

use self::fields::Line;
use self::timestamp::Clock;
use crate::sink::Sink;

/// A buffer is handed to the writer once it holds this many bytes.
pub const BATCH_BYTES: usize = 32 * 1024;

/// The format of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// A JSON object with the fields of [`FIELDS`]; absent ones are omitted.
    #[default]
    Json,
    /// The combined format of nginx and Apache, followed by the remaining
    /// fields as `name=value`.
    Text,
}

/// The part of an access log that belongs to one worker.
#[derive(Debug)]
pub struct AccessLog {
    /// None if the log is off.
    batch: Option<Batch>,
}

impl AccessLog {
    /// A log for the worker whose metrics use this `shard`.
    #[must_use]
    pub fn new(sink: Sink, format: Format, shard: usize) -> Self {
        Self {
            batch: Some(Batch {
                sink,
                format,
                shard,
                clock: Clock::default(),
                buffer: Vec::new(),
                lines: 0,
            }),
        }
    }

    /// A log that discards every record, at the cost of a comparison.
    #[must_use]
    pub fn off() -> Self {
        Self { batch: None }
    }

    /// Adds the line of a record. Never blocks.
    pub fn record(&mut self, record: &Record<'_>) {
        if let Some(batch) = &mut self.batch {
            batch.record(record);
        }
    }

    /// Hands buffered lines to the writer thread. Never blocks; does nothing if
    /// no line is buffered.
    pub fn flush(&mut self) {
        if let Some(batch) = &mut self.batch {
            batch.flush();
        }
    }
}

/// Buffered lines that have not yet been handed to the sink.
#[derive(Debug)]
struct Batch {
    sink: Sink,
    format: Format,
    shard: usize,
    clock: Clock,
    buffer: Vec<u8>,
    lines: u64,
}

impl Batch {
    fn record(&mut self, record: &Record<'_>) {
        write_line(&mut self.buffer, self.format, &mut self.clock, record);
        self.lines += 1;
        if self.buffer.len() >= BATCH_BYTES {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if self.lines == 0 {
            return;
        }
        // The next batch is likely to be about as long as this one: a quiet log
        // then does not hold 32 KiB, and the buffer of a busy one is not
        // regrown.
        let next = Vec::with_capacity(self.buffer.len());
        let bytes = mem::replace(&mut self.buffer, next);
        self.sink
            .send(bytes, mem::take(&mut self.lines), self.shard);
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.flush();
    }
}

fn write_line(out: &mut Vec<u8>, format: Format, clock: &mut Clock, record: &Record<'_>) {
    match format {
        Format::Json => {
            let time = clock.rfc3339(record.time_unix_millis);
            fields::write_json(&Line { record, time }, out);
        }
        Format::Text => {
            let time = clock.common(record.time_unix_millis);
            text::write_combined(&Line { record, time }, out);
            fields::write_text(&Line { record, time }, out);
        }
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests;
