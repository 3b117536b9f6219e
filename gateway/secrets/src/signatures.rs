//! Checks and makes signatures with the keys of a secret (`wit/signatures.wit`).

use aws_lc_rs::hmac;

use crate::algorithm::{Algorithm, Scheme};
use crate::key::{Key, Material};
use crate::table::Secret;

/// The largest number of keys that one check tries.
const MAX_TRIED: usize = 16;

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// The signature is valid.
    Valid,
    /// It is not.
    Invalid,
    /// The secret has no key with this identifier.
    UnknownKey,
}

/// The secret has no key for this algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongKey;

impl Secret {
    /// Whether a signature is valid. `key_id` is the identifier that the message states.
    /// Keys with that identifier are tried, or if there are none, those that have no
    /// identifier at all; without one, each key. Of these only the first 16 that fit the
    /// algorithm.
    ///
    /// # Errors
    /// None of the keys is for this algorithm.
    pub fn verify(
        &self,
        algorithm: Algorithm,
        key_id: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<Validity, WrongKey> {
        let keys = &self.content().keys;
        let has_id = |key: &&Key| key.id.as_deref() == key_id;
        let is_anonymous = |key: &&Key| key.id.is_none();
        let candidates: Vec<&Key> = match key_id {
            None => keys.iter().collect(),
            Some(_) if keys.iter().any(|key| has_id(&key)) => keys.iter().filter(has_id).collect(),
            Some(_) => keys.iter().filter(is_anonymous).collect(),
        };
        if candidates.is_empty() && !keys.is_empty() {
            return Ok(Validity::UnknownKey);
        }
        let mut fitting = candidates
            .into_iter()
            .filter(|key| key.purposes.verify && key.fits(algorithm))
            .take(MAX_TRIED)
            .peekable();
        if fitting.peek().is_none() {
            return Err(WrongKey);
        }
        match fitting.any(|key| key.verifies(algorithm, message, signature)) {
            true => Ok(Validity::Valid),
            false => Ok(Validity::Invalid),
        }
    }

    /// Signs a message by HMAC with the first key that fits.
    ///
    /// # Errors
    /// There is none, or the algorithm is no HMAC.
    pub fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, WrongKey> {
        let Scheme::Hmac(hmac) = algorithm.scheme() else {
            return Err(WrongKey);
        };
        let mut keys = self.content().keys.iter();
        let key = keys.find(|key| key.purposes.sign && key.fits(algorithm));
        let bytes = key.and_then(Key::bytes).ok_or(WrongKey)?;
        let tag = hmac::sign(&hmac::Key::new(hmac, bytes), message);
        Ok(tag.as_ref().to_vec())
    }
}

impl Key {
    fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match (&self.material, algorithm.scheme()) {
            (Material::Symmetric { bytes, .. }, Scheme::Hmac(hmac)) => {
                // Compares the whole in constant time.
                hmac::verify(&hmac::Key::new(hmac, bytes), message, signature).is_ok()
            }
            (Material::Public { parsed, .. }, _) => {
                let mut parsed = parsed.iter();
                let key = parsed.find(|(known, _)| *known == algorithm);
                key.is_some_and(|(_, key)| key.verify_sig(message, signature).is_ok())
            }
            (Material::Symmetric { .. }, _) => false,
        }
    }
}

#[cfg(test)]
mod tests;
