//! Seals small values with the keys of a secret (`wit/seal.wit`).
//!
//! A sealed value is, in base64url: a byte for the version of this form, a random nonce of
//! 96 bits, the encrypted value, and the tag of AES-256-GCM. The key is derived for the
//! policy and the purpose, so that a value of one is none for another, and so that each key
//! seals far fewer than the 2³² values for which random nonces are safe.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::key::Key;
use crate::table::Secret;

/// The longest value that is sealed, in bytes.
pub const MAX_PLAIN: usize = 4096;
/// The shortest key, in bytes.
const MIN_KEY: usize = 32;
/// The largest number of keys that are tried.
const MAX_TRIED: usize = 16;
const VERSION: u8 = 1;
const TAG_LEN: usize = 16;
const SALT: &[u8] = b"janua seal";

/// For whom and for what a value is sealed.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The configured name of the policy.
    pub policy: &'a str,
    /// What the policy says that it is for.
    pub purpose: &'a str,
}

/// Why a value cannot be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealError {
    /// The secret has no key of at least 32 bytes.
    WrongKey,
    /// The value is longer than [`MAX_PLAIN`].
    TooLarge,
    /// The system gives no random numbers.
    Unavailable,
}

impl Secret {
    /// Seals a value with the first key.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn seal(&self, scope: Scope<'_>, plain: &[u8]) -> Result<String, SealError> {
        let secret = self.sealing_keys().next().ok_or(SealError::WrongKey)?;
        if plain.len() > MAX_PLAIN {
            return Err(SealError::TooLarge);
        }
        let key = derived(secret, scope).ok_or(SealError::WrongKey)?;
        let nonce = random_nonce().ok_or(SealError::Unavailable)?;
        let mut sealed = plain.to_vec();
        let aad = Aad::from([VERSION]);
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed)
            .map_err(|_| SealError::WrongKey)?;
        let whole = [&[VERSION], &nonce[..], &sealed].concat();
        Ok(URL_SAFE_NO_PAD.encode(whole))
    }

    /// Opens a sealed value. `None` if none of the keys has sealed it in this scope.
    ///
    /// # Errors
    /// [`SealError::WrongKey`].
    pub fn open(&self, scope: Scope<'_>, sealed: &str) -> Result<Option<Vec<u8>>, SealError> {
        let mut keys = self.sealing_keys().take(MAX_TRIED).peekable();
        if keys.peek().is_none() {
            return Err(SealError::WrongKey);
        }
        Ok(parsed(sealed).and_then(|(nonce, sealed)| {
            keys.find_map(|secret| {
                let key = derived(secret, scope)?;
                let nonce = Nonce::assume_unique_for_key(nonce);
                let mut buffer = sealed.clone();
                let plain = key.open_in_place(nonce, Aad::from([VERSION]), &mut buffer);
                plain.ok().map(|plain| plain.to_vec())
            })
        }))
    }

    fn sealing_keys(&self) -> impl Iterator<Item = &[u8]> {
        let keys = self.content().keys.iter().filter(|key| key.purposes.seal);
        keys.filter_map(Key::bytes)
            .filter(|bytes| bytes.len() >= MIN_KEY)
    }
}

/// From the system itself: the generator of aws-lc takes longer to start in each thread than
/// a call of a policy may last.
fn random_nonce() -> Option<[u8; NONCE_LEN]> {
    let mut nonce = [0; NONCE_LEN];
    let flags = rustix::rand::GetRandomFlags::empty();
    // As few bytes as these are always delivered at once.
    let filled = rustix::rand::getrandom(&mut nonce, flags).ok()?;
    (filled == NONCE_LEN).then_some(nonce)
}

/// The nonce, and the encrypted value with its tag.
fn parsed(text: &str) -> Option<([u8; NONCE_LEN], Vec<u8>)> {
    // A longer text would be decoded in vain.
    let longest = (1 + NONCE_LEN + MAX_PLAIN + TAG_LEN) * 4;
    if text.len() > longest.div_ceil(3) {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (version, rest) = bytes.split_first()?;
    let (nonce, sealed) = rest.split_first_chunk()?;
    (*version == VERSION).then(|| (*nonce, sealed.to_vec()))
}

/// The key for one policy and one purpose. The name of the policy is preceded by its length,
/// so that no other name and purpose come to the same.
fn derived(secret: &[u8], scope: Scope<'_>) -> Option<LessSafeKey> {
    let length = (scope.policy.len() as u64).to_be_bytes();
    let info = [
        &length[..],
        scope.policy.as_bytes(),
        scope.purpose.as_bytes(),
    ];
    let extracted = Salt::new(HKDF_SHA256, SALT).extract(secret);
    let expanded = extracted.expand(&info, &AES_256_GCM).ok()?;
    Some(LessSafeKey::new(UnboundKey::from(expanded)))
}

#[cfg(test)]
mod tests;
