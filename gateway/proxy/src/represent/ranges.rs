//! Answers range requests (RFC 9110 §14).

use janua_http::conditional::Validators;
use janua_http::range::{self, Multipart, Part, Ranges};

use super::failed;
use crate::content::{Content, Piece};
use crate::exchange::Exchange;

/// The ranges that the request asks for, or the whole representation; adapts the head.
/// `is_encoded` says that without a range the client would get a content coding.
pub(super) fn ranges(exchange: &mut Exchange, piece: Piece, is_encoded: bool) -> Content {
    let heads = &exchange.heads;
    if heads.response.status != 200 || heads.request.fields.get(b"range").is_none() {
        return Content::whole(piece);
    }
    let length = piece.length();
    let heads = &mut exchange.heads;
    let mut validators = Validators::of(&heads.response.fields);
    if is_encoded {
        // The part that the client already has may be of the encoded response, which has
        // the same date but different bytes. Its entity tag is weak, so that `If-Range`
        // does not match it.
        validators.modified = None;
    }
    let asked = range::requested(&heads.request, validators, length);
    let mut value = Vec::new();
    match asked {
        Ranges::Whole => Content::whole(piece),
        Ranges::Unsatisfiable => {
            failed(exchange, 416);
            range::write_unsatisfied(length, &mut value);
            exchange.heads.response.fields.set(b"Content-Range", &value);
            Content::empty()
        }
        Ranges::Parts(parts) => {
            heads.response.status = 206;
            heads.response.reason.clear();
            if let [part] = parts.as_slice() {
                range::write_content_range(*part, length, &mut value);
                heads.response.fields.set(b"Content-Range", &value);
                return Content::whole(piece.cut(&(part.first..part.last + 1)));
            }
            multipart(exchange, &piece, &parts, length)
        }
    }
}

fn multipart(exchange: &mut Exchange, piece: &Piece, parts: &[Part], length: u64) -> Content {
    let boundary = exchange.worker.identifier();
    let fields = &mut exchange.heads.response.fields;
    let kind = fields.get(b"content-type").map(<[u8]>::to_vec);
    let multipart = Multipart {
        boundary: boundary.as_bytes(),
        content_type: kind.as_deref(),
        length,
    };
    let mut pieces = Vec::with_capacity(parts.len() * 2 + 1);
    for part in parts {
        let mut head = Vec::new();
        multipart.write_head(*part, &mut head);
        pieces.push(Piece::Bytes(head.into()));
        pieces.push(piece.cut(&(part.first..part.last + 1)));
    }
    let mut end = Vec::new();
    multipart.write_end(&mut end);
    pieces.push(Piece::Bytes(end.into()));
    let mut value = Vec::new();
    multipart.write_type(&mut value);
    fields.set(b"Content-Type", &value);
    Content::Pieces(pieces)
}
