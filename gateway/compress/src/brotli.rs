//! Brotli (RFC 7932), using the `brotli` crate.

use std::fmt;

use brotli::enc::StandardAlloc;
use brotli::enc::encode::{
    BrotliEncoderOperation, BrotliEncoderParameter, BrotliEncoderStateStruct,
};
use janua_http::accept_encoding::Coding;

use crate::encoder::{EncodeError, Extent, Step};

/// The window of a streamed body: 256 KiB. It also sets the size of the ring
/// buffer, which holds the input twice.
const STREAM_WINDOW_LOG: u32 = 18;

/// The window of a complete body: 4 MiB, the format's usual default.
const WHOLE_WINDOW_LOG: u32 = 22;

/// The largest body length that the encoder is told for a stream: from 1 MiB on
/// it would allocate the larger hash tables.
const STREAM_HINT: u64 = 1 << STREAM_WINDOW_LOG;

const LEAST_WINDOW_LOG: u32 = 12;

/// The size of the output buffer on the stack, in bytes.
const ROOM: usize = 4 << 10;

pub(crate) struct Brotli(BrotliEncoderStateStruct<StandardAlloc>);

impl fmt::Debug for Brotli {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Brotli")
    }
}

impl Brotli {
    pub(crate) fn new(level: u8, extent: Extent) -> Self {
        let (most, hint) = match extent {
            Extent::Stream(length) => (
                STREAM_WINDOW_LOG,
                length.unwrap_or(u64::MAX).min(STREAM_HINT),
            ),
            Extent::Whole(length) => (WHOLE_WINDOW_LOG, length),
        };
        let window = extent.window_log(LEAST_WINDOW_LOG, most);
        let hint = u32::try_from(hint).unwrap_or(u32::MAX >> 2);
        let mut state = BrotliEncoderStateStruct::new(StandardAlloc::default());
        for (parameter, value) in [
            (
                BrotliEncoderParameter::BROTLI_PARAM_QUALITY,
                u32::from(level),
            ),
            (BrotliEncoderParameter::BROTLI_PARAM_LGWIN, window),
            (BrotliEncoderParameter::BROTLI_PARAM_SIZE_HINT, hint),
        ] {
            // An invalid value is reported only when the encoder runs.
            state.set_parameter(parameter, value);
        }
        Self(state)
    }

    pub(crate) fn drive(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        step: Step,
    ) -> Result<(), EncodeError> {
        let operation = || match step {
            Step::Write => BrotliEncoderOperation::BROTLI_OPERATION_PROCESS,
            Step::Flush => BrotliEncoderOperation::BROTLI_OPERATION_FLUSH,
            Step::Finish => BrotliEncoderOperation::BROTLI_OPERATION_FINISH,
        };
        let mut room = [0; ROOM];
        let mut left = input.len();
        let mut taken = 0;
        loop {
            let before = taken;
            let (mut free, mut written) = (ROOM, 0);
            let went_well = self.0.compress_stream(
                operation(),
                &mut left,
                input,
                &mut taken,
                &mut free,
                &mut room,
                &mut written,
                &mut None,
                &mut |_, _, _, _| (),
            );
            out.extend_from_slice(room.get(..written).unwrap_or_default());
            if !went_well {
                return Err(EncodeError(Coding::Brotli));
            }
            let is_done = match step {
                Step::Write => left == 0,
                Step::Flush => !self.0.has_more_output(),
                Step::Finish => self.0.is_finished(),
            };
            if is_done {
                return Ok(());
            }
            if taken == before && written == 0 {
                return Err(EncodeError(Coding::Brotli));
            }
        }
    }
}
