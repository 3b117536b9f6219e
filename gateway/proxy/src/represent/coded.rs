//! A representation in a content coding: either kept from an earlier request, or encoded
//! now, once for all requests that ask for it meanwhile, and then kept.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use janua_cache::{Body, FillReader};
use janua_compress::{Coding, Compression, Encoder, Levels};
use janua_files::Files;

use super::file;
use crate::coder::{Coder, SLICE, Step};
use crate::coding::{self, Coded, Maker};
use crate::codings::BodyKind;
use crate::content::{Content, Extent, Piece};
use crate::exchange::Exchange;
use crate::representation::{Kept, Representation};

/// Longer bodies, in bytes, are not compressed: the result is held in memory as a whole.
const MAX_CODED: u64 = 8 * 1024 * 1024;
/// Bodies of at most this many bytes are compressed on the worker itself, if the level is
/// fast: handing them to the thread pool would take about as long.
const MAX_ON_WORKER: usize = SLICE;
/// The minimum mean distance of flushes, in bytes of input, for a result that is worth
/// keeping. Each flush makes the result larger; at this distance that is negligible.
const MIN_FLUSH_DISTANCE: u64 = 32 * 1024;

/// True if the representation would be sent in the coding.
pub(super) fn may_be_encoded(of: &Representation, files: &Files, coding: Coding) -> bool {
    match of.kept(files, coding) {
        Some(Kept::Pointless) => false,
        Some(_) => true,
        None => of.length().is_none_or(|length| length <= MAX_CODED),
    }
}

/// The body in a coding. None if it is to be sent without.
pub(super) fn coded(exchange: &Exchange, of: &Representation, coding: Coding) -> Option<Content> {
    let terms = exchange.terms.as_ref()?;
    let options: &Compression = terms.compression.as_deref()?;
    let worker = &exchange.worker;
    let estate = &worker.estate;
    let levels = options.levels;
    let start = || match of {
        Representation::File(opened) => Some((BodyKind::File, Source::Complete(file(opened)))),
        Representation::Entry(entry) => match entry.body() {
            Body::Bytes(bytes) => Some(Source::Complete(Piece::Bytes(bytes.clone()))),
            Body::File {
                file,
                offset,
                length,
            } => Some(Source::Complete(Piece::File(Extent {
                file: Arc::clone(file),
                offset: *offset,
                length: *length,
            }))),
            Body::Growing(body) => {
                let length = super::announced(exchange);
                let coder = Coder::start(estate, coding, levels, length, options.memory);
                if coder.is_none() {
                    estate.codings.count_skipped(worker.index);
                }
                let (coder, reader) = (coder?, body.reader()?);
                Some(Source::Growing(reader, Box::new(coder)))
            }
        }
        .map(|source| (BodyKind::Stored, source)),
    };
    let (maker, (kind, source)) = match coding::join(estate, of, coding, start) {
        Coded::Kept(bytes) => return Some(Content::whole(Piece::Bytes(bytes))),
        Coded::Reader(reader) => return Some(growing(reader)),
        Coded::Plain => return None,
        Coded::Maker(maker, with) => (maker, with),
    };
    estate.codings.count(worker.index, kind, coding);
    let reader = maker.reader()?;
    match source {
        Source::Growing(source, coder) => {
            tokio::task::spawn_local(follow(maker, source, *coder));
            Some(growing(reader))
        }
        Source::Complete(Piece::Bytes(bytes))
            if bytes.len() <= MAX_ON_WORKER && !levels.is_slow(coding) =>
        {
            let made = make(maker, &bytes, coding, levels)?;
            (made.len() < bytes.len()).then(|| Content::whole(Piece::Bytes(made)))
        }
        Source::Complete(piece) => {
            drop(estate.codings.bodies.run(move || match read(piece) {
                Ok(bytes) => drop(make(maker, &bytes, coding, levels)),
                Err(error) => tracing::warn!(%error, "cannot read a body to compress it"),
            }));
            Some(growing(reader))
        }
    }
}

/// Where the body that is to be encoded comes from.
enum Source {
    /// It is complete.
    Complete(Piece),
    /// It is still being received, and is encoded meanwhile.
    Growing(FillReader, Box<Coder>),
}

fn growing(reader: FillReader) -> Content {
    Content::Growing {
        reader,
        length: None,
    }
}

/// Encodes a complete body. Readers get each part of the result as it is made.
fn make(mut maker: Maker, body: &[u8], coding: Coding, levels: Levels) -> Option<Bytes> {
    let mut encoder = Encoder::for_body(coding, levels, body.len() as u64).ok()?;
    let mut coded = Vec::new();
    for slice in body.chunks(SLICE) {
        encoder.write(slice, &mut coded).ok()?;
        if coded.len() >= SLICE / 2 {
            maker.write(&mut coded);
        }
    }
    encoder.finish(&mut coded).ok()?;
    maker.write(&mut coded);
    maker.finish(true)
}

/// Encodes a body while it is being received.
async fn follow(mut maker: Maker, mut source: FillReader, mut coder: Coder) {
    let (mut input, mut coded) = (Vec::new(), Vec::new());
    let (mut length, mut flushes) = (0, 0);
    loop {
        let piece = poll_fn(|context| match source.poll_next(context) {
            Poll::Ready(piece) => Poll::Ready(Some(piece)),
            Poll::Pending if input.is_empty() => Poll::Pending,
            Poll::Pending => Poll::Ready(None),
        });
        let step = match piece.await {
            Some(Some(Ok(bytes))) => {
                length += bytes.len() as u64;
                input.extend_from_slice(&bytes);
                if input.len() < SLICE {
                    continue;
                }
                Step::Write
            }
            // Dropping an unfinished `Maker` aborts the body for all readers.
            Some(Some(Err(_))) => return,
            Some(None) => Step::Finish,
            None => {
                flushes += 1;
                Step::Flush
            }
        };
        if coder.code(&mut input, step, &mut coded).await.is_err() {
            return;
        }
        poll_fn(|context| maker.poll_ready(context)).await;
        if !maker.is_wanted() {
            return;
        }
        maker.write(&mut coded);
        if step == Step::Finish {
            maker.finish(flushes * MIN_FLUSH_DISTANCE <= length + MIN_FLUSH_DISTANCE);
            return;
        }
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
