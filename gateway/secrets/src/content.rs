//! The content of a secret: its keys, or its users.

use std::fmt;

use zeroize::Zeroizing;

use crate::key::{Key, KeyType, Material, SecretBytes};
use crate::users::Users;
use crate::{jwks, pem};

/// The content of a secret. `Debug` says of which kind it is and no more.
pub struct Content {
    kind: Kind,
    pub(crate) keys: Vec<Key>,
    users: Option<Users>,
    skipped: Vec<String>,
    /// What it was read from, to tell whether it has changed.
    raw: Vec<SecretBytes>,
}

/// What a secret consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Texts or bytes; each is a key.
    Raw,
    /// Users with the hashes of their passwords.
    Users,
    /// Public keys and certificates.
    Pem,
    /// A JSON Web Key Set.
    KeySet,
}

/// What may be said about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFacts {
    /// Its identifier (`kid`).
    pub id: Option<String>,
    /// Its type, for example `RSA, 2048 bits`.
    pub key_type: String,
    /// The only algorithm that it works with, if its file states one.
    pub algorithm: Option<&'static str>,
}

/// Why something is not a secret of its kind. The message contains none of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable(String);

impl Content {
    /// Takes the content out of the files of one secret. The first one's keys come first.
    ///
    /// # Errors
    /// With the position of the file that is not of this kind.
    pub fn read(kind: Kind, files: Vec<Zeroizing<Vec<u8>>>) -> Result<Self, (usize, Unusable)> {
        let mut content = Self {
            kind,
            keys: Vec::new(),
            users: None,
            skipped: Vec::new(),
            raw: Vec::new(),
        };
        for (at, bytes) in files.iter().enumerate() {
            content.add(bytes).map_err(|why| (at, why))?;
        }
        content.raw = files;
        Ok(content)
    }

    fn add(&mut self, bytes: &SecretBytes) -> Result<(), Unusable> {
        match self.kind {
            Kind::Raw => {
                let bytes = without_line_end(bytes);
                if bytes.is_empty() {
                    return Err(Unusable::new("it is empty"));
                }
                if let Some(field) = field_for(bytes) {
                    return Err(Unusable::new(format!(
                        "it has keys of its own, which may be public: write `{field}` in place of `file`"
                    )));
                }
                self.keys.push(Key::raw(Zeroizing::new(bytes.to_vec())));
            }
            Kind::Users => self.users = Some(Users::parse(bytes)?),
            Kind::Pem => self.keys.extend(pem::keys(bytes)?),
            Kind::KeySet => {
                let set = jwks::parse(bytes)?;
                self.keys.extend(set.keys);
                self.skipped.extend(set.skipped);
            }
        }
        Ok(())
    }

    /// What it consists of.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What may be said about its keys.
    pub fn keys(&self) -> impl Iterator<Item = KeyFacts> {
        self.keys.iter().map(|key| KeyFacts {
            id: key.id.as_deref().map(str::to_owned),
            key_type: key.to_string(),
            algorithm: key.algorithm.map(crate::Algorithm::name),
        })
    }

    /// The number of its users.
    pub fn users(&self) -> usize {
        self.users.as_ref().map_or(0, Users::len)
    }

    /// Keys of a key set that this gateway cannot use, and why.
    pub fn skipped(&self) -> &[String] {
        &self.skipped
    }

    /// Whether others must not know it: more than public keys.
    pub(crate) fn is_confidential(&self) -> bool {
        let is_symmetric = |key: &Key| key.key_type() == KeyType::Symmetric;
        self.users.is_some() || self.keys.iter().any(is_symmetric)
    }

    /// Whether it was read from the same bytes.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.kind == other.kind && self.raw == other.raw
    }
}

/// The field of the configuration that is meant for such bytes, if they are no raw key. As one,
/// a public key would let everybody who has it sign with an HMAC (RFC 8725 §2.1).
fn field_for(bytes: &[u8]) -> Option<&'static str> {
    /// Nothing of it is kept.
    #[derive(serde::Deserialize)]
    struct Jwk {
        keys: Option<serde::de::IgnoredAny>,
        kty: Option<serde::de::IgnoredAny>,
    }
    let text = bytes.trim_ascii_start();
    if text.starts_with(b"-----BEGIN ") {
        return Some("pem_file");
    }
    let is_jwk = text.first() == Some(&b'{')
        && serde_json::from_slice(text)
            .is_ok_and(|jwk: Jwk| jwk.keys.is_some() || jwk.kty.is_some());
    is_jwk.then_some("jwks_file")
}

/// Without one line end, which editors and `echo` add.
fn without_line_end(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

impl Kind {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Users => "users",
            Self::Pem => "pem",
            Self::KeySet => "jwks",
        }
    }
}

impl Unusable {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unusable {}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Material")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(files: &[&[u8]]) -> Result<Content, (usize, Unusable)> {
        let files = files.iter().map(|file| Zeroizing::new(file.to_vec()));
        Content::read(Kind::Raw, files.collect())
    }

    #[test]
    fn one_line_end_is_not_part_of_a_secret() {
        for (file, expected) in [
            (&b"abc"[..], &b"abc"[..]),
            (b"abc\n", b"abc"),
            (b"abc\r\n", b"abc"),
            (b"abc\r", b"abc"),
            (b"abc\n\n", b"abc\n"),
            (b" abc \n", b" abc "),
            (b"a\0\xff", b"a\0\xff"),
        ] {
            let content = raw(&[file]).unwrap();
            assert_eq!(content.keys[0].bytes(), Some(expected));
        }
        for empty in [&b""[..], b"\n", b"\r\n"] {
            let (at, why) = raw(&[b"good", empty]).unwrap_err();
            assert_eq!((at, why.to_string()), (1, "it is empty".to_owned()));
        }
    }

    #[test]
    fn what_may_be_a_public_key_is_no_raw_key() {
        for (file, field) in [
            (&b"-----BEGIN PUBLIC KEY-----\nMCow"[..], "`pem_file`"),
            (b"\n -----BEGIN CERTIFICATE-----", "`pem_file`"),
            (br#"{"keys": []}"#, "`jwks_file`"),
            (br#" {"kty": "RSA", "n": "AQAB"}"#, "`jwks_file`"),
        ] {
            let (_, why) = raw(&[file]).unwrap_err();
            assert!(why.to_string().contains(field), "{why}");
        }
        for file in [
            &b"{\"key\": 1}"[..],
            b"{keys",
            b"[]",
            b"a -----BEGIN PUBLIC KEY-----",
        ] {
            assert!(raw(&[file]).is_ok());
        }
    }

    #[test]
    fn what_is_printed_says_nothing_of_the_content() {
        let content = raw(&[b"correct horse battery staple"]).unwrap();
        let printed = format!("{content:?} {:?}", content.keys().collect::<Vec<_>>());
        assert!(!printed.contains("horse"), "{printed}");
        assert!(printed.contains("symmetric, 28 bytes"), "{printed}");
    }
}
