//! Encodes each representation once, however many requests ask for it at the same time,
//! and keeps the result.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use janua_cache::{DerivedWriter, FillReader};
use janua_compress::Coding;
use janua_files::Variant;

use crate::codings::{MAX_UNDERWAY, Underway};
use crate::estate::Estate;
use crate::representation::{Kept, Representation};

/// A body in a content coding, for one request.
pub(crate) enum Coded<T> {
    /// It was encoded earlier.
    Kept(Bytes),
    /// It is being encoded for another request.
    Reader(FillReader),
    /// It is to be encoded by this request, from the given source.
    Maker(Maker, T),
    /// It is to be sent without a coding.
    Plain,
}

/// The exclusive right to encode a representation.
pub(crate) struct Maker {
    estate: Arc<Estate>,
    of: Representation,
    coding: Coding,
    /// None once it is finished.
    writer: Option<DerivedWriter>,
}

impl<T> From<Kept> for Coded<T> {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::Bytes(bytes) => Self::Kept(bytes),
            Kept::Pointless => Self::Plain,
        }
    }
}

/// Finds a body in a coding, or grants the right to encode it. Then `start` opens the
/// source, or returns none if that is impossible. Other requests see the entry only
/// after `start` has succeeded, so that none waits for a result that never comes.
pub(crate) fn join<T>(
    estate: &Arc<Estate>,
    of: &Representation,
    coding: Coding,
    start: impl FnOnce() -> Option<T>,
) -> Coded<T> {
    if let Some(kept) = of.kept(&estate.files, coding) {
        return kept.into();
    }
    let mut underway = estate.codings.underway();
    let same = |other: &&Underway| other.coding == coding && other.of.is_same(of);
    if let Some(other) = underway.iter().find(same) {
        return other.result.reader().map_or(Coded::Plain, Coded::Reader);
    }
    // It may have been finished since the first check: a result is kept before it is
    // removed from the list.
    if let Some(kept) = of.current(&estate.cache).kept(&estate.files, coding) {
        return kept.into();
    }
    if underway.len() >= MAX_UNDERWAY {
        return Coded::Plain;
    }
    let Some((writer, started)) = estate.codings.results.begin().zip(start()) else {
        return Coded::Plain;
    };
    underway.push(Underway {
        of: of.clone(),
        coding,
        result: writer.body(),
    });
    let maker = Maker {
        estate: Arc::clone(estate),
        of: of.clone(),
        coding,
        writer: Some(writer),
    };
    Coded::Maker(maker, started)
}

impl Maker {
    /// A reader for the request that encodes the body.
    pub(crate) fn reader(&self) -> Option<FillReader> {
        self.writer.as_ref()?.body().reader()
    }

    pub(crate) fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.writer {
            Some(writer) => writer.poll_ready(context),
            None => Poll::Ready(()),
        }
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.writer.as_ref().is_some_and(DerivedWriter::is_wanted)
    }

    /// Appends output to the result, and empties `coded`.
    pub(crate) fn write(&mut self, coded: &mut Vec<u8>) {
        if let Some(writer) = &mut self.writer {
            writer.write(Bytes::copy_from_slice(coded));
        }
        coded.clear();
    }

    /// Completes the result, and keeps it for later requests if it is worth that.
    pub(crate) fn finish(mut self, is_worth_keeping: bool) -> Option<Bytes> {
        let whole = self.writer.take()?.finish()?;
        if !is_worth_keeping {
            return Some(whole);
        }
        let _underway = self.estate.codings.underway();
        let is_shorter = self
            .of
            .length()
            .is_none_or(|length| (whole.len() as u64) < length);
        match &self.of {
            Representation::File(opened) => {
                let variant = match is_shorter {
                    true => Variant::Made(whole.clone()),
                    false => Variant::Pointless,
                };
                self.estate.files.keep_variant(opened, self.coding, variant);
            }
            Representation::Entry(entry) => {
                let kept = if is_shorter {
                    whole.clone()
                } else {
                    Bytes::new()
                };
                self.estate.cache.encoded(entry, self.coding, kept);
            }
        }
        Some(whole)
    }
}

impl Drop for Maker {
    fn drop(&mut self) {
        let mut underway = self.estate.codings.underway();
        underway.retain(|one| one.coding != self.coding || !one.of.is_same(&self.of));
    }
}
