//! An encoder and where it works: on the worker in short steps, or, at a level
//! that takes its time, in a pool.
//!
//! A worker's other connections wait for as long as one step takes. At the fast
//! levels that is [`SLICE`] at some ten megabytes a second, and between two the
//! worker looks at its sockets. The slow levels of Brotli and Zstandard take a
//! hundred milliseconds for the same, and they take it at once whatever they
//! are given: those never run on a worker.

use std::sync::{Arc, Mutex, PoisonError};

use janua_compress::{Coding, EncodeError, Encoder, Levels};
use janua_http::Failure;
use janua_http::failure::Kind;

use crate::codings::{Codings, Hold};
use crate::estate::Estate;

/// How much is coded before others have their turn, in bytes.
pub(crate) const SLICE: usize = 32 * 1024;

/// What is asked beyond taking the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// More comes at once.
    Write,
    /// Nothing comes for the moment: what went in must come out.
    Flush,
    /// That was all.
    Finish,
}

/// The encoder of one body that comes in pieces.
pub(crate) struct Coder {
    /// None once it is finished.
    encoder: Arc<Mutex<Option<Encoder>>>,
    is_slow: bool,
    /// Bytes coded since others had their turn.
    since: usize,
    estate: Arc<Estate>,
    _hold: Hold,
}

impl Coder {
    /// For a body of so many bytes, if that is known. None if it would take
    /// more memory than there is for it: then the body is sent as it is.
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
            since: 0,
            estate: Arc::clone(estate),
            _hold: hold,
        })
    }

    /// Takes all of `input` and does the step; appends what is ready.
    ///
    /// # Errors
    /// The encoder failed: what was sent so far has no end.
    pub(crate) async fn code(
        &mut self,
        input: &mut Vec<u8>,
        step: Step,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        if self.is_slow {
            let coded = self.there(std::mem::take(input), step).await?;
            out.extend_from_slice(&coded);
            return Ok(());
        }
        for slice in input.chunks(SLICE) {
            run(&self.encoder, slice, Step::Write, out).map_err(broken)?;
            self.since += slice.len();
            if self.since >= SLICE {
                self.since = 0;
                // Not a mere wake: that would come back before the sockets.
                tokio::task::yield_now().await;
            }
        }
        input.clear();
        run(&self.encoder, &[], step, out).map_err(broken)
    }

    async fn there(&self, input: Vec<u8>, step: Step) -> Result<Vec<u8>, Failure> {
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
