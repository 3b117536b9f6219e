//! A cache of compressed forms of files.

use ahash::RandomState;
use bytes::Bytes;
use janua_http::accept_encoding::Coding;
use quick_cache::Weighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use crate::opened::Opened;

/// The result of compressing a file.
#[derive(Clone, Debug)]
pub enum Variant {
    /// The compressed body.
    Made(Bytes),
    /// Compression saves nothing: the file is sent uncompressed.
    Pointless,
}

/// The variants of all files. They have their own cache, because a variant is
/// evicted by how often it is used itself. When a file changes it gets a new
/// id, and its old variants are no longer used and evicted in time.
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
