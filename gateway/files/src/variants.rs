//! Bodies that were made of a file: its compressed forms, made once.

use std::sync::Arc;

use ahash::RandomState;
use bytes::Bytes;
use janua_http::accept_encoding::Coding;
use quick_cache::Weighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use crate::opened::Opened;
use crate::pool::{Pool, Refused};

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

    pub(crate) async fn make(
        &self,
        pool: &Pool,
        opened: &Arc<Opened>,
        coding: Coding,
        encode: impl FnOnce(Bytes) -> Option<Bytes> + Send + 'static,
    ) -> Result<Variant, Refused> {
        // One makes it; if that one leaves, the next does.
        let guard = match self
            .0
            .get_value_or_guard_async(&(opened.id(), coding))
            .await
        {
            Ok(variant) => return Ok(variant),
            Err(guard) => guard,
        };
        let source = Arc::clone(opened);
        let variant = pool
            .run(move || match source.content() {
                Ok(content) => encode(content).map_or(Variant::Pointless, Variant::Made),
                Err(error) => {
                    tracing::warn!(%error, "cannot read a file to compress it");
                    Variant::Pointless
                }
            })
            .await?;
        // If it was dropped meanwhile, it serves this one answer.
        let _ = guard.insert(variant.clone());
        Ok(variant)
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
