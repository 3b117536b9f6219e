//! Bodies that were made of a file: its compressed forms, kept.

use ahash::RandomState;
use bytes::Bytes;
use janua_http::accept_encoding::Coding;
use quick_cache::Weighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use crate::opened::Opened;

/// What a file came to in a coding.
#[derive(Clone, Debug)]
pub enum Variant {
    /// The compressed body.
    Made(Bytes),
    /// There is no point in it: the file is sent as it is.
    Pointless,
}

/// The variants of all files, apart from the files: a variant is evicted by how
/// often it is asked for itself, and ages out when its file changes, since that
/// has another number then.
pub(crate) struct Variants(Cache<(u64, Coding), Variant, Weight, RandomState>);

#[derive(Clone, Copy, Debug)]
struct Weight;

impl Variants {
    pub(crate) fn new(memory: u64) -> Self {
        Self(Cache::with(
            usize::try_from(memory / 16_384).unwrap_or(1024),
            memory,
            Weight,
            RandomState::new(),
            DefaultLifecycle::default(),
        ))
    }

    pub(crate) fn get(&self, opened: &Opened, coding: Coding) -> Option<Variant> {
        self.0.get(&(opened.id(), coding))
    }

    pub(crate) fn keep(&self, opened: &Opened, coding: Coding, variant: Variant) {
        self.0.insert((opened.id(), coding), variant);
    }
}

impl Weighter<(u64, Coding), Variant> for Weight {
    fn weight(&self, _: &(u64, Coding), variant: &Variant) -> u64 {
        128 + match variant {
            Variant::Made(body) => body.len() as u64,
            Variant::Pointless => 0,
        }
    }
}
