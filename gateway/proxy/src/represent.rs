//! Chooses the form in which the client gets a representation: unchanged, in a content
//! coding, as ranges, or as a `304 Not Modified`. The head is the one in the exchange.

mod coded;
mod ranges;

use std::rc::Rc;
use std::sync::Arc;

use janua_cache::Body;
use janua_compress::{Coding, Compression, Eligible, apply};
use janua_files::Opened;
use janua_http::conditional::{self, Precondition, Validators};
use janua_http::date;
use janua_http::failure::Kind;
use janua_http::fields::{Known, list};
use janua_http::{Failure, Length};

use crate::answer::Body as AnswerBody;
use crate::call::UpstreamResponse;
use crate::coder::Coder;
use crate::codings::BodyKind;
use crate::content::{Content, Extent, Piece};
use crate::exchange::Exchange;
use crate::grpc_web;
use crate::heads::Heads;
use crate::representation::Representation;
use crate::snapshot::LocalTerms;

/// The fields of a conditional request (RFC 9110 §13.1), without `If-Range`.
const CONDITIONS: [&[u8]; 4] = [
    b"if-none-match",
    b"if-modified-since",
    b"if-match",
    b"if-unmodified-since",
];

/// The form in which the client gets a response.
pub(crate) enum Form {
    /// The gateway holds the body.
    Content(Content),
    /// The body is streamed from the upstream, compressed if there is a coder.
    Passing(UpstreamResponse, Option<Coder>),
    /// There is no body: the connection switches to another protocol.
    Switched(UpstreamResponse),
}

/// Chooses the form and adapts the head to it. The fields that the gateway adds to every
/// response are added here.
///
/// # Errors
/// The body can no longer be read, or there is none.
pub(crate) fn represent(exchange: &mut Exchange, body: AnswerBody) -> Result<Form, Failure> {
    let form = match body {
        AnswerBody::Content(content) => Form::Content(content),
        AnswerBody::Whole(whole) => Form::Content(select(exchange, &whole)?),
        AnswerBody::Stored(held) => {
            let whole = Representation::Entry(Arc::clone(&held.entry));
            Form::Content(select(exchange, &whole)?)
        }
        AnswerBody::Passing(response) => {
            tie(exchange, &response);
            grpc_web::translate_response(exchange)?;
            let coder = coder(exchange, response.connection.incoming.length());
            Form::Passing(response, coder)
        }
        AnswerBody::Switched(response) => {
            tie(exchange, &response);
            return Ok(Form::Switched(response));
        }
        AnswerBody::Missing(failure) => return Err(failure),
    };
    exchange.write_additions();
    Ok(form)
}

/// Ties the client to the endpoint that has answered it. The cookie belongs to the exchange: a
/// response that is stored has come to its end before, and has none.
fn tie(exchange: &mut Exchange, response: &UpstreamResponse) {
    let unix_seconds = exchange.now.unix_ms / 1000;
    if let Some(cookie) = response.session_cookie(exchange.origin.is_https, unix_seconds) {
        let fields = &mut exchange.heads.response.fields;
        fields.append(b"Set-Cookie", &cookie);
    }
}

/// Chooses the form of a whole representation.
fn select(exchange: &mut Exchange, of: &Representation) -> Result<Content, Failure> {
    let coding = negotiate(exchange, length(of));
    let estate = &exchange.worker.estate;
    let coding = coding.filter(|&coding| coded::may_be_encoded(of, &estate.files, coding));
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
    if let Some(coding) = coding
        && exchange.heads.request.fields.get(b"range").is_none()
        && let Some(content) = coded::coded(exchange, of, coding)
    {
        exchange.mark(coding);
        return Ok(content);
    }
    Ok(match whole(of, announced(exchange))? {
        Content::Pieces(pieces) => match pieces.into_iter().next() {
            Some(piece) => ranges::ranges(exchange, piece, coding.is_some()),
            None => Content::empty(),
        },
        growing => growing,
    })
}

/// The coder for a body that is streamed, if it is to be compressed; adapts the head. If
/// there is not enough memory for an encoder, the body is streamed uncompressed.
fn coder(exchange: &mut Exchange, length: Length) -> Option<Coder> {
    if exchange.encoder.is_some() {
        return None;
    }
    if exchange.heads.response.status == 304 {
        weaken_etag(exchange);
        return None;
    }
    let coding = negotiate(exchange, length)?;
    if exchange.heads.request.method == b"HEAD" || length.is_empty() {
        exchange.mark(coding);
        return None;
    }
    let terms = exchange.terms.clone()?;
    let options = terms.compression.as_deref()?;
    let worker = Rc::clone(&exchange.worker);
    let (levels, memory) = (options.levels, options.memory);
    let coder = Coder::start(&worker.estate, coding, levels, length.known(), memory);
    let codings = &worker.estate.codings;
    match coder {
        Some(_) => {
            codings.count(worker.index, BodyKind::Passing, coding);
            exchange.mark(coding);
        }
        None => codings.count_skipped(worker.index),
    }
    coder
}

/// Weakens the entity tag of a 304 if the request named its weak form. The client holds
/// the response that the gateway compressed, whose tag it had weakened: caches would not
/// find it under the upstream's strong tag (RFC 9111 §4.3.4).
fn weaken_etag(exchange: &mut Exchange) {
    let compresses = |terms: &Rc<LocalTerms>| terms.compression.is_some();
    let Heads {
        request, response, ..
    } = &mut *exchange.heads;
    let Some(tag) = response.fields.get(b"etag") else {
        return;
    };
    let weak = [b"W/", tag].concat();
    let mut named = request.fields.get_all(b"if-none-match").flat_map(list);
    if exchange.terms.as_ref().is_some_and(compresses) && named.any(|named| named == weak) {
        response.fields.set(b"ETag", &weak);
        apply::vary(&mut response.fields);
    }
}

impl Exchange {
    /// Marks the response as encoded; see [`Exchange::restore_coding_fields`].
    fn mark(&mut self, coding: Coding) {
        apply::mark(&mut self.heads.response.fields, coding);
        self.coding = Some(coding);
    }

    /// Marks an encoded response once more after the policies of the response phase, which
    /// may have edited `Content-Encoding`, `ETag` and `Vary`.
    pub(crate) fn restore_coding_fields(&mut self) {
        if let Some(coding) = self.coding {
            let fields = &mut self.heads.response.fields;
            apply::mark(fields, coding);
            apply::vary(fields);
        }
    }
}

/// Negotiates the content coding of the response. `Vary` is set for downstream caches
/// whenever other clients may get another coding.
fn negotiate(exchange: &mut Exchange, length: Length) -> Option<Coding> {
    let terms = exchange.terms.clone()?;
    let options: &Compression = terms.compression.as_deref()?;
    let heads = &mut exchange.heads;
    let known = length.known();
    match janua_compress::eligible(&heads.request, &heads.response, known, options) {
        Eligible::Yes(coding) => {
            apply::vary(&mut heads.response.fields);
            Some(coding)
        }
        Eligible::NegotiatedIdentity => {
            apply::vary(&mut heads.response.fields);
            None
        }
        Eligible::No(_) => None,
    }
}

/// Evaluates the preconditions of the request. For a file, the gateway is the origin and
/// evaluates all of them. For a stored response, `If-Match` and `If-Unmodified-Since` are
/// left to the origin, and `Date` stands in for a missing `Last-Modified` (RFC 9111
/// §4.3.2).
fn precondition(exchange: &Exchange, of: &Representation) -> Precondition {
    let heads = &exchange.heads;
    let is_conditional = |name: &&[u8]| heads.request.fields.get(name).is_some();
    // Most requests are unconditional, and this check is cheaper than parsing validators.
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

/// Makes the response a 304, without the fields that describe the body (RFC 9110
/// §15.4.5).
fn not_modified(exchange: &mut Exchange, coding: Option<Coding>) {
    let response = &mut exchange.heads.response;
    if let Some(coding) = coding {
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

/// Makes the response an error, without the fields that describe the representation.
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

/// The length of the representation, on which it depends whether compressing is worth
/// it. `Content-Length` is missing from the head of a stored chunked response.
fn length(of: &Representation) -> Length {
    match of.complete_length() {
        Some(length) => Length::Exactly(length),
        None => Length::Open,
    }
}

/// The representation without a coding; `announced` is the value of `Content-Length`.
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
