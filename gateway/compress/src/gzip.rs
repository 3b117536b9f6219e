//! The gzip coding (RFC 1952), using zlib-rs.

use flate2::{Compress, Compression, FlushCompress, Status};
use janua_http::accept_encoding::Coding;

use crate::encoder::{EncodeError, Extent, Step};

/// Space reserved in the output before each step, in bytes.
const ROOM: usize = 4 << 10;

/// DEFLATE's largest window, 32 KiB. zlib supports windows from 512 bytes, but
/// below 2 KiB they save nothing.
const WINDOW_LOG: (u32, u32) = (11, 15);

#[derive(Debug)]
pub(crate) struct Gzip(Compress);

impl Gzip {
    pub(crate) fn new(level: u8, extent: Extent) -> Self {
        let window = extent.window_log(WINDOW_LOG.0, WINDOW_LOG.1);
        let level = Compression::new(u32::from(level));
        Self(Compress::new_gzip(
            level,
            u8::try_from(window).unwrap_or(15),
        ))
    }

    pub(crate) fn drive(
        &mut self,
        mut input: &[u8],
        out: &mut Vec<u8>,
        step: Step,
    ) -> Result<(), EncodeError> {
        let error = EncodeError(Coding::Gzip);
        let flush = match step {
            Step::Write => FlushCompress::None,
            Step::Flush => FlushCompress::Sync,
            Step::Finish => FlushCompress::Finish,
        };
        loop {
            out.reserve(ROOM);
            let (taken, written) = (self.0.total_in(), out.len());
            let status = self.0.compress_vec(input, out, flush).map_err(|_| error)?;
            let taken = usize::try_from(self.0.total_in() - taken).map_err(|_| error)?;
            input = input.get(taken..).ok_or(error)?;
            let is_done = match step {
                Step::Write => input.is_empty(),
                // Space left in the output means that no output is pending.
                Step::Flush => out.len() < out.capacity(),
                Step::Finish => status == Status::StreamEnd,
            };
            if is_done {
                return Ok(());
            }
            if taken == 0 && out.len() == written {
                return Err(error);
            }
        }
    }
}
