//! In which form the client gets a whole representation whose head stands in
//! the exchange: as it is, in a content coding, some ranges of it, or only the
//! news that it has not changed.

mod ranges;

use std::sync::Arc;

use bytes::Bytes;
use janua_cache::{Body, Entry};
use janua_compress::{Coding, Compression, Eligible, Encoder, Levels, apply};
use janua_files::{Opened, Variant};
use janua_http::conditional::{self, Precondition, Validators};
use janua_http::date;
use janua_http::failure::Kind;
use janua_http::fields::Known;
use janua_http::{Failure, Framing};

use crate::content::{Content, Extent, Piece};
use crate::exchange::Exchange;

/// What is longer is not compressed: it would have to be held in memory whole.
const MAX_CODED: u64 = 8 * 1024 * 1024;
/// What is at most this is compressed by the worker itself: to hand it to the
/// pool and back would take about as long.
const CODED_HERE: usize = 16 * 1024;

/// The fields of a conditional request (RFC 9110 §13.1), without `If-Range`.
const CONDITIONS: [&[u8]; 4] = [
    b"if-none-match",
    b"if-modified-since",
    b"if-match",
    b"if-unmodified-since",
];

/// Where the representation is.
pub(crate) enum Representation {
    File(Arc<Opened>),
    Entry(Arc<Entry>),
}

/// Chooses the form, and adapts the head to it.
///
/// # Errors
/// A body that can no longer be read, or no memory to code it.
pub(crate) async fn select(
    exchange: &mut Exchange,
    of: &Representation,
) -> Result<Content, Failure> {
    exchange.heads.response.framing = framing(of);
    let coding = negotiate(exchange);
    match precondition(exchange, of) {
        Precondition::Proceed => {}
        Precondition::NotModified => {
            not_modified(exchange, coding);
            return Ok(Content::empty());
        }
        Precondition::Failed => {
            failed(exchange, 412);
            return Ok(Content::empty());
        }
    }
    if let Some((coding, levels)) = coding
        && exchange.heads.request.fields.get(b"range").is_none()
        && let Some(content) = coded(exchange, of, coding, levels).await?
    {
        apply::mark(&mut exchange.heads.response.fields, coding);
        return Ok(content);
    }
    Ok(match whole(of, announced(exchange))? {
        Content::Pieces(pieces) => match pieces.into_iter().next() {
            Some(piece) => {
                let is_coded = coding.is_some() && piece.length() <= MAX_CODED;
                ranges::ranges(exchange, piece, is_coded)
            }
            None => Content::empty(),
        },
        growing => growing,
    })
}

/// What codes a body that passes through, if the client gets it coded; adapts
/// the head.
///
/// # Errors
/// No memory for it.
pub(crate) fn encoder(exchange: &mut Exchange) -> Result<Option<Box<Encoder>>, Failure> {
    let Some((coding, levels)) = negotiate(exchange) else {
        return Ok(None);
    };
    let response = &mut exchange.heads.response;
    let encoder = match response.framing {
        Framing::None => None,
        framing => {
            let encoder = match framing.length() {
                Some(length) => Encoder::for_length(coding, levels, length),
                None => Encoder::new(coding, levels),
            };
            Some(Box::new(encoder.map_err(|_| Kind::Internal)?))
        }
    };
    apply::mark(&mut response.fields, coding);
    Ok(encoder)
}

/// The coding that the client gets, if it may be any; says to caches between
/// that another client may get another.
fn negotiate(exchange: &mut Exchange) -> Option<(Coding, Levels)> {
    let terms = exchange.terms.clone()?;
    let options: &Compression = terms.compression.as_deref()?;
    let heads = &mut exchange.heads;
    match janua_compress::eligible(&heads.request, &heads.response, options) {
        Eligible::Yes(coding) => {
            apply::vary(&mut heads.response.fields);
            Some((coding, options.levels))
        }
        Eligible::NegotiatedIdentity => {
            apply::vary(&mut heads.response.fields);
            None
        }
        Eligible::No(_) => None,
    }
}

/// A file's preconditions are all its own to evaluate; a stored response leaves
/// `If-Match` and its like to the origin, and was last modified when it was made
/// if it does not say when (RFC 9111 §4.3.2).
fn precondition(exchange: &Exchange, of: &Representation) -> Precondition {
    let heads = &exchange.heads;
    let is_conditional = |name: &&[u8]| heads.request.fields.get(name).is_some();
    // Most requests have none, and to read the validators costs more than to look.
    if heads.response.status != 200 || !CONDITIONS.iter().any(is_conditional) {
        return Precondition::Proceed;
    }
    let fields = &heads.response.fields;
    let mut validators = Validators::of(fields);
    match of {
        Representation::File(_) => conditional::evaluate(&heads.request, validators),
        Representation::Entry(_) => {
            if validators.modified.is_none() {
                validators.modified = fields.get(b"date").and_then(date::parse);
            }
            match conditional::not_modified(&heads.request, validators) {
                true => Precondition::NotModified,
                false => Precondition::Proceed,
            }
        }
    }
}

/// What a 304 does not say again: it is of a body that is not sent (RFC 9110
/// §15.4.5).
fn not_modified(exchange: &mut Exchange, coding: Option<(Coding, Levels)>) {
    let response = &mut exchange.heads.response;
    if let Some((coding, _)) = coding {
        apply::mark(&mut response.fields, coding);
    }
    response.status = 304;
    response.reason.clear();
    for name in [
        &b"content-length"[..],
        b"content-type",
        b"content-encoding",
        b"accept-ranges",
    ] {
        response.fields.remove(name);
    }
}

/// A status that takes the representation's place.
fn failed(exchange: &mut Exchange, status: u16) {
    let response = &mut exchange.heads.response;
    response.status = status;
    response.reason.clear();
    for name in [
        &b"content-length"[..],
        b"content-type",
        b"content-encoding",
        b"etag",
        b"last-modified",
    ] {
        response.fields.remove(name);
    }
}

/// How the representation would come from its origin: whether it is worth coding
/// depends on its length, which a head that came in chunks does not state.
fn framing(of: &Representation) -> Framing {
    match of {
        Representation::File(opened) => Framing::Length(opened.length),
        Representation::Entry(entry) => match entry.body() {
            Body::Bytes(bytes) => Framing::Length(bytes.len() as u64),
            Body::File { length, .. } => Framing::Length(*length),
            Body::Growing(_) => Framing::Chunked,
        },
    }
}

/// The representation as it is; `announced` is the length that its head states.
fn whole(of: &Representation, announced: Option<u64>) -> Result<Content, Failure> {
    Ok(match of {
        Representation::File(opened) => Content::whole(file(opened)),
        Representation::Entry(entry) => match entry.body() {
            Body::Bytes(bytes) => Content::whole(Piece::Bytes(bytes.clone())),
            Body::File {
                file,
                offset,
                length,
            } => Content::whole(Piece::File(Extent {
                file: Arc::clone(file),
                offset: *offset,
                length: *length,
            })),
            Body::Growing(growing) => Content::Growing {
                length: announced,
                reader: growing.reader().ok_or(Kind::Internal)?,
            },
        },
    })
}

fn announced(exchange: &Exchange) -> Option<u64> {
    let length = exchange
        .heads
        .response
        .fields
        .known(Known::ContentLength)
        .next();
    std::str::from_utf8(length?).ok()?.trim().parse().ok()
}

fn file(opened: &Opened) -> Piece {
    match &opened.body {
        janua_files::Body::Memory(bytes) => Piece::Bytes(bytes.clone()),
        janua_files::Body::File(file) => Piece::File(Extent {
            file: Arc::clone(file),
            offset: 0,
            length: opened.length,
        }),
    }
}

/// The body in a coding: as it was kept, or made now, and kept. None if it is
/// too long.
async fn coded(
    exchange: &Exchange,
    of: &Representation,
    coding: Coding,
    levels: Levels,
) -> Result<Option<Content>, Failure> {
    let entry = match of {
        Representation::File(opened) if opened.length > MAX_CODED => return Ok(None),
        Representation::File(opened) => {
            return Ok(coded_file(exchange, opened, coding, levels).await);
        }
        Representation::Entry(entry) => entry,
    };
    if let Some(kept) = entry.encoded(coding) {
        return Ok(Some(Content::whole(Piece::Bytes(kept.clone()))));
    }
    let piece = match whole(of, announced(exchange))? {
        Content::Growing { reader, length } => {
            let encoder = match length {
                Some(length) => Encoder::for_length(coding, levels, length),
                None => Encoder::new(coding, levels),
            };
            let encoder = Box::new(encoder.map_err(|_| Kind::Internal)?);
            return Ok(Some(Content::Coded { reader, encoder }));
        }
        Content::Pieces(mut pieces) => pieces.pop(),
        Content::Coded { .. } => None,
    };
    let Some(piece) = piece.filter(|piece| piece.length() <= MAX_CODED) else {
        return Ok(None);
    };
    let made = match piece {
        Piece::Bytes(bytes) if bytes.len() <= CODED_HERE => {
            janua_compress::whole(coding, levels, &bytes).ok()
        }
        piece => {
            let pool = exchange.worker.estate.files.pool();
            let made = pool.run(move || {
                let bytes = read(piece).ok()?;
                janua_compress::whole(coding, levels, &bytes).ok()
            });
            // Where there is no room for it, it goes out as it is.
            made.await.ok().flatten()
        }
    };
    let Some(made) = made else {
        return Ok(None);
    };
    let made = Bytes::from(made);
    let cache = &exchange.worker.estate.cache;
    cache.encoded(entry, coding, made.clone());
    Ok(Some(Content::whole(Piece::Bytes(made))))
}

async fn coded_file(
    exchange: &Exchange,
    opened: &Arc<Opened>,
    coding: Coding,
    levels: Levels,
) -> Option<Content> {
    let files = &exchange.worker.estate.files;
    let variant = match files.variant_now(opened, coding) {
        Some(variant) => variant,
        None => {
            let encode = move |content: Bytes| {
                let made = janua_compress::whole(coding, levels, &content).ok()?;
                (made.len() < content.len()).then(|| made.into())
            };
            files.variant(opened, coding, encode).await.ok()?
        }
    };
    match variant {
        Variant::Made(bytes) => Some(Content::whole(Piece::Bytes(bytes))),
        Variant::Pointless => None,
    }
}

fn read(piece: Piece) -> std::io::Result<Bytes> {
    use std::os::unix::fs::FileExt;
    match piece {
        Piece::Bytes(bytes) => Ok(bytes),
        Piece::File(extent) => {
            let mut bytes = vec![0; usize::try_from(extent.length).unwrap_or_default()];
            extent.file.read_exact_at(&mut bytes, extent.offset)?;
            Ok(bytes.into())
        }
    }
}
