//! The messages of a rehearsal, as they would have come from a client and an upstream.

use janua_http::chunked::{Decoder, Piece};
use janua_http::failure::Kind;
use janua_http::head::Limits;
use janua_http::{Failure, Fields, Framing, RequestHead, ResponseHead};

use crate::body::TransferError;

/// The limits of heads where no configuration states any: the defaults of `max_head` and
/// `max_fields`.
const LIMITS: Limits = Limits {
    bytes: 32 * 1024,
    fields: 100,
};
/// Why a head is refused that has no end.
const NO_END: &str = "closed in the middle of the head";

/// Reads a request, and returns the size of its body.
pub(super) fn request(bytes: &[u8], head: &mut RequestHead) -> Result<u64, Failure> {
    let size = head
        .parse(bytes, LIMITS)
        .map_err(Failure::of_request_head)?;
    let size = size.ok_or_else(|| Failure::with(Kind::ClientGone, NO_END))?;
    let rest = bytes.get(size..).unwrap_or_default();
    let (length, behind) = body(head.framing, rest).map_err(TransferError::of_request)?;
    match behind.trim_ascii().is_empty() {
        true => Ok(length),
        false => Err(Failure::with(
            Kind::BadRequest,
            "bytes follow the request, whose head states no longer body",
        )),
    }
}

/// Reads the response to a request, and returns the size of its body.
pub(super) fn response(
    bytes: &[u8],
    head: &mut ResponseHead,
    answers_head: bool,
) -> Result<u64, Failure> {
    let size = head
        .parse(bytes, LIMITS, answers_head)
        .map_err(Failure::of_response_head)?;
    let size = size.ok_or_else(|| Failure::with(Kind::ConnectionReset, NO_END))?;
    if head.status < 200 {
        let words = "an interim response, about which no policy is asked";
        return Err(Failure::with(Kind::ResponseMalformed, words));
    }
    let rest = bytes.get(size..).unwrap_or_default();
    let (length, _) = body(head.framing, rest).map_err(TransferError::of_response)?;
    Ok(length)
}

/// The size of the body at the front of these bytes, and what follows it.
fn body(framing: Framing, bytes: &[u8]) -> Result<(u64, &[u8]), TransferError> {
    match framing {
        Framing::UntilClose | Framing::Stream(_) => Ok((bytes.len() as u64, &[])),
        Framing::Chunked => chunked(bytes),
        Framing::None | Framing::Length(_) => {
            let length = framing.length().unwrap_or_default();
            let size = usize::try_from(length).ok();
            let rest = size.and_then(|size| bytes.get(size..));
            Ok((length, rest.ok_or(TransferError::Incomplete)?))
        }
    }
}

fn chunked(mut bytes: &[u8]) -> Result<(u64, &[u8]), TransferError> {
    let mut decoder = Decoder::default();
    let mut length = 0;
    while !bytes.is_empty() {
        let piece = decoder.next(bytes);
        let piece = piece.map_err(|bad| TransferError::Malformed(bad.0))?;
        let (Piece::Syntax(size) | Piece::Data(size) | Piece::End(size)) = piece;
        bytes = bytes.get(size..).unwrap_or_default();
        match piece {
            Piece::Syntax(_) => {}
            Piece::Data(size) => length += size as u64,
            Piece::End(_) => {
                let trailers = decoder.trailers(&mut Fields::default());
                trailers.map_err(|bad| TransferError::Malformed(bad.0))?;
                return Ok((length, bytes));
            }
        }
    }
    Err(TransferError::Incomplete)
}
