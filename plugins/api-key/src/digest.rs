//! The hash of a key.

use std::hash::{Hash, Hasher};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

/// The error message, without the text, which may be a key: the message is logged.
const NOT_A_HASH: &str = "not a hash; keys are written hashed: \
     run `printf %s KEY | sha256sum` and write \"sha256:\" and its 64 digits";

/// The SHA-256 of a key.
#[derive(Clone, Copy)]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    /// Hashes a key.
    pub(crate) fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }

    /// Reads `sha256:` and 64 hexadecimal digits.
    ///
    /// # Errors
    /// Any other text. The message does not repeat it, because it may be a key.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let digits = text.trim().strip_prefix("sha256:").map(str::as_bytes);
        let digits = digits
            .filter(|digits| digits.len() == 64)
            .ok_or(NOT_A_HASH)?;
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
            for digit in pair {
                let digit = char::from(*digit).to_digit(16).ok_or(NOT_A_HASH)?;
                *byte = *byte << 4 | u8::try_from(digit).unwrap_or_default();
            }
        }
        Ok(Self(digest))
    }
}

/// Compares in constant time.
impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Digest {}

impl Hash for Digest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}
