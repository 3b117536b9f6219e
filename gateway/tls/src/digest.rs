//! Digests of settings, by which two of them are compared without keeping the
//! contents of the files they name.

use sha2::{Digest as _, Sha256};

/// SHA-256 over a list of fields. Each field is preceded by its length, so that
/// no two lists have the same input.
#[derive(Default)]
pub(crate) struct Digest(Sha256);

impl Digest {
    pub(crate) fn field(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
        self
    }

    /// A list of fields, which is itself one field.
    pub(crate) fn list<T: AsRef<[u8]>>(&mut self, items: impl IntoIterator<Item = T>) -> &mut Self {
        let mut inner = Self::default();
        for item in items {
            inner.field(item.as_ref());
        }
        let inner = inner.finish();
        self.field(&inner)
    }

    pub(crate) fn finish(&mut self) -> [u8; 32] {
        std::mem::take(&mut self.0).finalize().into()
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The SHA-256 of `bytes` as 64 lower-case hexadecimal digits.
pub(crate) fn fingerprint(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lists: &[&[&str]]) -> [u8; 32] {
        let mut digest = Digest::default();
        for list in lists {
            digest.list(list.iter());
        }
        digest.finish()
    }

    #[test]
    fn the_borders_of_fields_and_lists_count() {
        assert_eq!(of(&[&["ab", "c"]]), of(&[&["ab", "c"]]));
        assert_ne!(of(&[&["ab", "c"]]), of(&[&["a", "bc"]]));
        assert_ne!(of(&[&["a"], &["b"]]), of(&[&["a", "b"], &[]]));
    }

    #[test]
    fn a_fingerprint_is_sha_256_in_hexadecimal() {
        assert_eq!(
            fingerprint(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
