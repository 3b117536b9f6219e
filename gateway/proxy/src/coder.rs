//! Runs the encoder of a streamed body: on the worker in short steps, or, at slow
//! levels, in a thread pool.
//!
//! The other connections of a worker wait during each step. At the fast levels a step
//! encodes [`SLICE`] at some ten megabytes a second, and between two steps the worker
//! polls its sockets. The slow levels of Brotli and Zstandard may take a hundred
//! milliseconds for one step, however small its input: they never run on a worker.

use std::sync::{Arc, Mutex, PoisonError};

use janua_compress::{Coding, EncodeError, Encoder, Levels};
use janua_http::Failure;
use janua_http::failure::Kind;

use crate::codings::{Codings, Hold};
use crate::estate::Estate;

/// How many bytes are encoded before other tasks of the worker may run.
pub(crate) const SLICE: usize = 32 * 1024;

/// What the encoder does after it has consumed the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// More input is available; the encoder may hold output back.
    Write,
    /// No more input is available for now: all output must be written.
    Flush,
    /// The input is complete.
    Finish,
}

/// The encoder of one streamed body.
pub(crate) struct Coder {
    /// None once it is finished.
    encoder: Arc<Mutex<Option<Encoder>>>,
    is_slow: bool,
    /// Bytes encoded since the task last yielded.
    since_yield: usize,
    estate: Arc<Estate>,
    _hold: Hold,
}

impl Coder {
    /// A coder for a body whose length may be known. None if the encoder would exceed the
    /// memory limit: then the body is sent uncompressed.
    pub(crate) fn start(
        estate: &Arc<Estate>,
        coding: Coding,
        levels: Levels,
        length: Option<u64>,
        memory: u64,
    ) -> Option<Self> {
        let hold = estate.codings.hold(levels.memory(coding), memory)?;
        let encoder = match length {
            Some(length) => Encoder::for_length(coding, levels, length),
            None => Encoder::new(coding, levels),
        };
        Some(Self {
            encoder: Arc::new(Mutex::new(Some(encoder.ok()?))),
            is_slow: levels.is_slow(coding),
            since_yield: 0,
            estate: Arc::clone(estate),
            _hold: hold,
        })
    }

    /// Encodes all of `input`, performs the step, and appends the output that is ready.
    ///
    /// # Errors
    /// The encoder failed: the output so far cannot be completed.
    pub(crate) async fn code(
        &mut self,
        input: &mut Vec<u8>,
        step: Step,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        if self.is_slow {
            let coded = self.run_in_pool(std::mem::take(input), step).await?;
            out.extend_from_slice(&coded);
            return Ok(());
        }
        for slice in input.chunks(SLICE) {
            run(&self.encoder, slice, Step::Write, out).map_err(broken)?;
            self.since_yield += slice.len();
            if self.since_yield >= SLICE {
                self.since_yield = 0;
                // Waking the own task would run it again before the sockets are polled.
                tokio::task::yield_now().await;
            }
        }
        input.clear();
        run(&self.encoder, &[], step, out).map_err(broken)
    }

    async fn run_in_pool(&self, input: Vec<u8>, step: Step) -> Result<Vec<u8>, Failure> {
        let encoder = Arc::clone(&self.encoder);
        let codings: &Codings = &self.estate.codings;
        let job = codings.streams.run(move || {
            let mut out = Vec::new();
            run(&encoder, &input, step, &mut out).map(|()| out)
        });
        let done = job.await.map_err(|_| Failure::from(Kind::Internal))?;
        done.map_err(broken)
    }
}

fn run(
    encoder: &Mutex<Option<Encoder>>,
    input: &[u8],
    step: Step,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let mut encoder = encoder.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(running) = encoder.as_mut() else {
        return Ok(());
    };
    running.write(input, out)?;
    match step {
        Step::Write => Ok(()),
        Step::Flush => running.flush(out),
        Step::Finish => encoder.take().map_or(Ok(()), |encoder| encoder.finish(out)),
    }
}

fn broken(_: EncodeError) -> Failure {
    Failure::with(Kind::Internal, "the response could not be compressed")
}
