//! A complete representation: a file, or a stored response, whose body may still be
//! arriving.

use std::sync::Arc;

use bytes::Bytes;
use janua_cache::{Body, Cache, Entry, FillReader};
use janua_compress::Coding;
use janua_files::{Files, Opened, Variant};
use janua_http::Failure;

/// A representation, by where it is stored.
#[derive(Clone)]
pub(crate) enum Representation {
    File(Arc<Opened>),
    Entry(Arc<Entry>),
}

/// The result of an earlier encoding.
pub(crate) enum Kept {
    Bytes(Bytes),
    /// The encoded body is not shorter, so the body is sent without the coding.
    Pointless,
}

impl Representation {
    /// The length in bytes, if it is known.
    pub(crate) fn length(&self) -> Option<u64> {
        match self {
            Self::File(opened) => Some(opened.length),
            Self::Entry(entry) => entry.length(),
        }
    }

    /// The length in bytes, if the whole body has been received.
    pub(crate) fn complete_length(&self) -> Option<u64> {
        match self {
            Self::File(opened) => Some(opened.length),
            Self::Entry(entry) => match entry.body() {
                Body::Bytes(bytes) => Some(bytes.len() as u64),
                Body::File { length, .. } => Some(*length),
                Body::Growing(_) => None,
            },
        }
    }

    /// True if both are the same body.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(one), Self::File(other)) => one.id() == other.id(),
            (Self::Entry(one), Self::Entry(other)) => one.body().is_same(other.body()),
            _ => false,
        }
    }

    /// The same body in its present place: a body that has been received meanwhile moves.
    pub(crate) fn current(&self, cache: &Cache<Failure>) -> Self {
        match self {
            Self::File(_) => self.clone(),
            Self::Entry(entry) => Self::Entry(cache.current(entry)),
        }
    }

    /// The result of an earlier encoding in this coding.
    pub(crate) fn kept(&self, files: &Files, coding: Coding) -> Option<Kept> {
        match self {
            Self::File(opened) => match files.variant_now(opened, coding)? {
                Variant::Made(bytes) => Some(Kept::Bytes(bytes)),
                Variant::Pointless => Some(Kept::Pointless),
            },
            Self::Entry(entry) => match entry.encoded(coding)? {
                none if none.is_empty() => Some(Kept::Pointless),
                bytes => Some(Kept::Bytes(bytes.clone())),
            },
        }
    }
}

/// A stored response whose body can still be read from its beginning.
pub(crate) struct Held {
    pub(crate) entry: Arc<Entry>,
    /// A reader that never reads. It keeps the beginning of an arriving body available,
    /// even if the body proves too large to be stored.
    _beginning: Option<FillReader>,
}

impl Held {
    /// None if the body is still arriving and its beginning is no longer available.
    pub(crate) fn of(entry: Arc<Entry>) -> Option<Self> {
        let beginning = match entry.body() {
            Body::Growing(growing) => Some(growing.reader()?),
            _ => None,
        };
        Some(Self {
            entry,
            _beginning: beginning,
        })
    }
}
