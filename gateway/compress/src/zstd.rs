//! Zstandard (RFC 8878), using the reference library.

use std::fmt;

use janua_http::accept_encoding::Coding;
use zstd_safe::zstd_sys::ZSTD_EndDirective;
use zstd_safe::{CCtx, CParameter, InBuffer, OutBuffer};

use crate::encoder::{EncodeError, Extent, Step};

/// Space reserved in the output before each step, in bytes.
const ROOM: usize = 4 << 10;

/// The window of a streamed body: 256 KiB.
const STREAM_WINDOW_LOG: u32 = 18;

/// The window of a complete body: 8 MiB, which every client must support and no
/// encoder may exceed (RFC 9659, section 3).
const WHOLE_WINDOW_LOG: u32 = 23;

const LEAST_WINDOW_LOG: u32 = 10;

pub(crate) struct Zstd(CCtx<'static>);

impl fmt::Debug for Zstd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Zstd")
    }
}

impl Zstd {
    pub(crate) fn new(level: u8, extent: Extent) -> Result<Self, EncodeError> {
        let error = EncodeError(Coding::Zstd);
        let most = match extent {
            Extent::Stream(_) => STREAM_WINDOW_LOG,
            Extent::Whole(_) => WHOLE_WINDOW_LOG,
        };
        let window = extent.window_log(LEAST_WINDOW_LOG, most);
        let mut context = CCtx::try_create().ok_or(error)?;
        for parameter in [
            CParameter::CompressionLevel(i32::from(level)),
            CParameter::WindowLog(window),
            // Without this the tables are sized for gigabytes, whatever the
            // window. For a complete body the library knows its size and
            // ignores this parameter.
            CParameter::SrcSizeHint(1 << window),
        ] {
            context.set_parameter(parameter).map_err(|_| error)?;
        }
        Ok(Self(context))
    }

    pub(crate) fn drive(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        step: Step,
    ) -> Result<(), EncodeError> {
        let error = EncodeError(Coding::Zstd);
        let mut input = InBuffer::around(input);
        let directive = || match step {
            Step::Write => ZSTD_EndDirective::ZSTD_e_continue,
            Step::Flush => ZSTD_EndDirective::ZSTD_e_flush,
            Step::Finish => ZSTD_EndDirective::ZSTD_e_end,
        };
        loop {
            out.reserve(ROOM);
            let (taken, written) = (input.pos(), out.len());
            let mut room = OutBuffer::around_pos(out, written);
            let left = self
                .0
                .compress_stream2(&mut room, &mut input, directive())
                .map_err(|_| error)?;
            let is_done = match step {
                Step::Write => input.pos() == input.src.len(),
                Step::Flush | Step::Finish => left == 0,
            };
            if is_done {
                return Ok(());
            }
            if input.pos() == taken && out.len() == written {
                return Err(error);
            }
        }
    }
}
