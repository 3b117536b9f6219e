//! The access log: one line per request, written by nobody who serves one.
//!
//! A worker has an [`AccessLog`] of its own per destination. A record is
//! formatted straight into its buffer (no map, no `serde`, no allocation), and
//! the buffer goes to the [`Sink`] when it is full or when the worker calls
//! [`AccessLog::flush`], which it does whenever it is idle and at least every
//! few hundred milliseconds.

mod fields;
mod json;
mod record;
mod text;
mod timestamp;

use std::mem;

pub use fields::{FIELDS, Field};
pub use record::{Note, Record};

use self::fields::Line;
use self::timestamp::Clock;
use crate::sink::Sink;

/// A buffer is handed to the writer once it holds this many bytes.
pub const BATCH_BYTES: usize = 32 * 1024;

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// A JSON object with the fields of [`FIELDS`]; absent ones are left out.
    #[default]
    Json,
    /// The combined format that nginx and Apache made common, followed by the
    /// remaining fields as `name=value`.
    Text,
}

/// A worker's end of an access log.
#[derive(Debug)]
pub struct AccessLog {
    /// None: the log is off.
    batch: Option<Batch>,
}

impl AccessLog {
    /// A log for the worker whose counters are in `shard`.
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

    /// A log that drops every record, at the cost of a comparison.
    #[must_use]
    pub fn off() -> Self {
        Self { batch: None }
    }

    /// Adds the record's line. Never waits.
    pub fn record(&mut self, record: &Record<'_>) {
        if let Some(batch) = &mut self.batch {
            batch.record(record);
        }
    }

    /// Hands what is buffered to the writer. Never waits; nothing to do if
    /// nothing is buffered.
    pub fn flush(&mut self) {
        if let Some(batch) = &mut self.batch {
            batch.flush();
        }
    }
}

/// Lines on their way to a sink.
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
        // The next batch is likely to be about as long as this one: a quiet
        // log does not hold 32 KiB, a busy one does not grow step by step.
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
