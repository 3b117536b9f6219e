//! Hashes of keys. Each process uses its own random seed, so that clients cannot choose keys
//! that collide.

use std::hash::{BuildHasher, Hasher};

/// Hashes keys.
#[derive(Debug)]
pub(crate) struct KeyHasher(ahash::RandomState);

impl KeyHasher {
    pub(crate) fn new() -> Self {
        Self(ahash::RandomState::new())
    }

    /// The slot of a key; with an empty variant that of the primary key. The key in the slot
    /// must still be compared in full.
    pub(crate) fn slot(&self, primary: &[u8], variant: &[u8]) -> u64 {
        let mut state = self.0.build_hasher();
        state.write(primary);
        if !variant.is_empty() {
            state.write(variant);
        }
        state.finish()
    }
}

/// Builds hashers for keys that are hashes already.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Identity;

impl BuildHasher for Identity {
    type Hasher = Same;

    fn build_hasher(&self) -> Same {
        Same(0)
    }
}

/// The hasher of [`Identity`]: returns the key itself.
#[derive(Debug)]
pub(crate) struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}
