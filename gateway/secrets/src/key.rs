//! One key of a secret.

use std::fmt;

use aws_lc_rs::signature::{ParsedPublicKey, RsaPublicKeyComponents};
use zeroize::Zeroizing;

use crate::algorithm::{Algorithm, Scheme};
use crate::content::Unusable;

/// Bytes that are overwritten when they are dropped.
pub(crate) type SecretBytes = Zeroizing<Vec<u8>>;

/// The sizes of RSA keys, in bits. Smaller ones are not safe (RFC 7518 §3.3); larger ones
/// would let whoever publishes a key make each check expensive.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The length of the shortest symmetric key, in bytes. Nobody guesses one of this length if it
/// is random.
pub(crate) const SHORTEST: usize = 16;

/// The type of a key, which decides with which algorithms it works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyType {
    Symmetric,
    Rsa,
    P256,
    P384,
    P521,
    Ed25519,
}

/// A key with what its file says about it.
pub(crate) struct Key {
    /// Its identifier (`kid`).
    pub(crate) id: Option<Box<str>>,
    /// The only algorithm that it works with, if its file states one.
    pub(crate) algorithm: Option<Algorithm>,
    pub(crate) purposes: Purposes,
    pub(crate) material: Material,
}

/// What a key may be used for. A file of raw bytes does not say, so its key may be used for
/// everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Purposes {
    pub(crate) verify: bool,
    pub(crate) sign: bool,
    pub(crate) seal: bool,
}

pub(crate) enum Material {
    /// The shortest key that an HMAC takes depends on where it comes from.
    Symmetric { bytes: SecretBytes, is_jwk: bool },
    Public {
        key_type: KeyType,
        bits: usize,
        /// The key for each algorithm that it works with.
        parsed: Box<[(Algorithm, ParsedPublicKey)]>,
    },
}

impl Purposes {
    pub(crate) const ALL: Self = Self {
        verify: true,
        sign: true,
        seal: true,
    };
}

impl Key {
    /// A key of raw bytes.
    pub(crate) fn raw(bytes: SecretBytes) -> Self {
        Self {
            id: None,
            algorithm: None,
            purposes: Purposes::ALL,
            material: Material::Symmetric {
                bytes,
                is_jwk: false,
            },
        }
    }

    /// A public key about which nothing else is known.
    pub(crate) fn public(material: Material) -> Self {
        Self {
            id: None,
            algorithm: None,
            purposes: Purposes::ALL,
            material,
        }
    }

    pub(crate) fn key_type(&self) -> KeyType {
        match &self.material {
            Material::Symmetric { .. } => KeyType::Symmetric,
            Material::Public { key_type, .. } => *key_type,
        }
    }

    /// Whether it works with an algorithm.
    pub(crate) fn fits(&self, algorithm: Algorithm) -> bool {
        let is_stated = self.algorithm.is_none_or(|stated| stated == algorithm);
        is_stated && self.key_type() == algorithm.key_type() && self.is_long_enough(algorithm)
    }

    /// The bytes, if it is a symmetric key.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        match &self.material {
            Material::Symmetric { bytes, .. } => Some(bytes),
            Material::Public { .. } => None,
        }
    }

    /// Whether it is long enough for an HMAC. A key of a JWK Set is for JOSE, where it must
    /// be as long as the hash (RFC 7518 §3.2). Other secrets are often those of webhooks,
    /// whose senders do not keep to that: 16 bytes, which nobody guesses if they are random,
    /// are the least.
    fn is_long_enough(&self, algorithm: Algorithm) -> bool {
        match (&self.material, algorithm.scheme()) {
            (Material::Symmetric { bytes, is_jwk }, Scheme::Hmac(hmac)) => {
                bytes.len()
                    >= if *is_jwk {
                        hmac.digest_algorithm().output_len()
                    } else {
                        SHORTEST
                    }
            }
            _ => true,
        }
    }
}

impl Material {
    /// An RSA key from its modulus and its exponent.
    pub(crate) fn rsa(
        modulus: &[u8],
        exponent: &[u8],
        only: Option<Algorithm>,
    ) -> Result<Self, Unusable> {
        let (n, e) = (without_zeros(modulus), without_zeros(exponent));
        let unused = n.first().map_or(0, |first| first.leading_zeros() as usize);
        let bits = (n.len() * 8).saturating_sub(unused);
        if !RSA_BITS.contains(&bits) {
            return Err(Unusable::new(format!(
                "an RSA key has {} to {} bits, and this one has {bits}",
                RSA_BITS.start(),
                RSA_BITS.end()
            )));
        }
        // With 1 everything is its own signature; an even one belongs to no key.
        if matches!(e, [] | [0..=2]) || e.last().is_some_and(|last| last % 2 == 0) {
            return Err(Unusable::new(
                "the exponent of an RSA key is odd and at least 3",
            ));
        }
        let components = RsaPublicKeyComponents { n, e };
        Self::parse(KeyType::Rsa, bits, only, |scheme| match scheme {
            Scheme::Rsa(parameters) => components.to_parsed_public_key(parameters).ok(),
            _ => None,
        })
    }

    /// A point of a curve: uncompressed (SEC 1 §2.3.3), or 32 bytes for Ed25519.
    pub(crate) fn point(
        curve: KeyType,
        point: &[u8],
        only: Option<Algorithm>,
    ) -> Result<Self, Unusable> {
        if point.len() != curve.point_len() {
            return Err(Unusable::new(
                "a coordinate of the point has a wrong length",
            ));
        }
        Self::parse(curve, curve.bits(), only, |scheme| match scheme {
            Scheme::Point(_, algorithm) => ParsedPublicKey::new(algorithm, point).ok(),
            _ => None,
        })
    }

    fn parse(
        key_type: KeyType,
        bits: usize,
        only: Option<Algorithm>,
        parse: impl Fn(Scheme) -> Option<ParsedPublicKey>,
    ) -> Result<Self, Unusable> {
        let fitting = Algorithm::ALL.into_iter().filter(|algorithm| {
            algorithm.key_type() == key_type && only.is_none_or(|only| only == *algorithm)
        });
        let parsed = fitting.map(|algorithm| Some((algorithm, parse(algorithm.scheme())?)));
        let parsed = parsed
            .collect::<Option<Box<[_]>>>()
            .ok_or_else(|| Unusable::new("the numbers of the key are not valid"))?;
        Ok(Self::Public {
            key_type,
            bits,
            parsed,
        })
    }
}

impl KeyType {
    fn bits(self) -> usize {
        match self {
            Self::P384 => 384,
            Self::P521 => 521,
            _ => 256,
        }
    }

    /// The length of a coordinate, in bytes.
    pub(crate) fn coordinate_len(self) -> usize {
        self.bits().div_ceil(8)
    }

    fn point_len(self) -> usize {
        match self {
            Self::Ed25519 => 32,
            _ => 1 + 2 * self.coordinate_len(),
        }
    }
}

/// The type in the words of a person.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.material {
            Material::Symmetric { bytes, .. } => write!(f, "symmetric, {} bytes", bytes.len()),
            Material::Public { key_type, bits, .. } => match key_type {
                KeyType::Rsa => write!(f, "RSA, {bits} bits"),
                KeyType::Ed25519 => f.write_str("Ed25519"),
                _ => write!(f, "P-{bits}"),
            },
        }
    }
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}
