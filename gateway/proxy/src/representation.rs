//! A whole body that the gateway holds or takes in, by where it is.

use std::sync::Arc;

use bytes::Bytes;
use janua_cache::{Body, Cache, Entry, FillReader};
use janua_compress::Coding;
use janua_files::{Files, Opened, Variant};
use janua_http::Failure;

/// Where the representation is.
#[derive(Clone)]
pub(crate) enum Representation {
    File(Arc<Opened>),
    Entry(Arc<Entry>),
}

/// What was made before.
pub(crate) enum Kept {
    Bytes(Bytes),
    /// It did not become shorter: the body is sent as it is.
    Pointless,
}

impl Representation {
    /// Its length in bytes, as far as it is known.
    pub(crate) fn length(&self) -> Option<u64> {
        match self {
            Self::File(opened) => Some(opened.length),
            Self::Entry(entry) => entry.length(),
        }
    }

    /// Its length in bytes, if all of it is at hand.
    pub(crate) fn length_at_hand(&self) -> Option<u64> {
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

    /// The same body as it is stored by now.
    pub(crate) fn current(&self, cache: &Cache<Failure>) -> Self {
        match self {
            Self::File(_) => self.clone(),
            Self::Entry(entry) => Self::Entry(cache.current(entry)),
        }
    }

    /// What is known already of it in a coding.
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

/// A stored response, all of whose body can be read.
pub(crate) struct Held {
    pub(crate) entry: Arc<Entry>,
    /// Has read nothing: as long as it is there, so is the beginning of a body
    /// that is on its way and proves too large to be kept.
    _beginning: Option<FillReader>,
}

impl Held {
    /// None if its body is on its way and its beginning is gone already.
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
