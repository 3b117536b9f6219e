//! Content hashes, and random keys for this process.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// A SHA-256 over length-prefixed fields, so that different lists of fields hash
/// different bytes.
pub(crate) struct Fingerprint(Sha256);

impl Fingerprint {
    pub(crate) fn new() -> Self {
        Self(Sha256::new())
    }

    pub(crate) fn field(mut self, bytes: &[u8]) -> Self {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    pub(crate) fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// The SHA-256 of some bytes.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
            // Writing to a String does not fail.
            let _ = write!(out, "{byte:02x}");
            out
        })
}

/// 16 random bytes from the kernel. If it refuses (for example because of a seccomp
/// filter), the random seed of the standard library's hash maps is used.
pub(crate) fn process_key() -> [u8; 16] {
    let mut key = [0; 16];
    match rustix::rand::getrandom(&mut key, rustix::rand::GetRandomFlags::empty()) {
        Ok(16) => key,
        _ => {
            use std::hash::{BuildHasher as _, RandomState};
            let (a, b) = (
                RandomState::new().hash_one(1_u8),
                RandomState::new().hash_one(2_u8),
            );
            (u128::from(a) << 64 | u128::from(b)).to_le_bytes()
        }
    }
}
