//! The algorithms of signatures, by their names in JOSE.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{self, RsaParameters, VerificationAlgorithm};

use crate::key::KeyType;

/// An algorithm of signatures (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-1, for old webhooks. Not part of JOSE.
    Hs1,
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256, and a salt of the hash's length.
    Ps256,
    /// RSASSA-PSS with SHA-384, and a salt of the hash's length.
    Ps384,
    /// RSASSA-PSS with SHA-512, and a salt of the hash's length.
    Ps512,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// ECDSA with P-384 and SHA-384.
    Es384,
    /// ECDSA with P-521 and SHA-512.
    Es512,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Hs1,
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
    ];

    /// The algorithm with this name. `Ed25519` is the newer name of `EdDSA` with that
    /// curve (RFC 9864 §2.2). `none` is no algorithm.
    pub fn named(name: &str) -> Option<Self> {
        if name == "Ed25519" {
            return Some(Self::EdDsa);
        }
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hs1 => "HS1",
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Whether two signatures of the same message differ.
    pub fn is_randomized(self) -> bool {
        match self {
            Self::Ps256 | Self::Ps384 | Self::Ps512 => true,
            Self::Es256 | Self::Es384 | Self::Es512 => true,
            Self::Hs1 | Self::Hs256 | Self::Hs384 | Self::Hs512 => false,
            Self::Rs256 | Self::Rs384 | Self::Rs512 | Self::EdDsa => false,
        }
    }

    /// How it works.
    pub(crate) fn scheme(self) -> Scheme {
        match self {
            Self::Hs1 => Scheme::Hmac(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
            Self::Hs256 => Scheme::Hmac(hmac::HMAC_SHA256),
            Self::Hs384 => Scheme::Hmac(hmac::HMAC_SHA384),
            Self::Hs512 => Scheme::Hmac(hmac::HMAC_SHA512),
            Self::Rs256 => Scheme::Rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
            Self::Rs384 => Scheme::Rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
            Self::Rs512 => Scheme::Rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
            Self::Ps256 => Scheme::Rsa(&signature::RSA_PSS_2048_8192_SHA256),
            Self::Ps384 => Scheme::Rsa(&signature::RSA_PSS_2048_8192_SHA384),
            Self::Ps512 => Scheme::Rsa(&signature::RSA_PSS_2048_8192_SHA512),
            Self::Es256 => Scheme::Point(KeyType::P256, &signature::ECDSA_P256_SHA256_FIXED),
            Self::Es384 => Scheme::Point(KeyType::P384, &signature::ECDSA_P384_SHA384_FIXED),
            Self::Es512 => Scheme::Point(KeyType::P521, &signature::ECDSA_P521_SHA512_FIXED),
            Self::EdDsa => Scheme::Point(KeyType::Ed25519, &signature::ED25519),
        }
    }

    /// The type of the keys that it works with.
    pub(crate) fn key_type(self) -> KeyType {
        match self.scheme() {
            Scheme::Hmac(_) => KeyType::Symmetric,
            Scheme::Rsa(_) => KeyType::Rsa,
            Scheme::Point(curve, _) => curve,
        }
    }
}

/// How an algorithm works.
pub(crate) enum Scheme {
    Hmac(hmac::Algorithm),
    Rsa(&'static RsaParameters),
    /// Public keys are points of this curve.
    Point(KeyType, &'static dyn VerificationAlgorithm),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn algorithms_are_known_by_their_exact_names() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::named(algorithm.name()), Some(algorithm));
        }
        assert_eq!(Algorithm::named("Ed25519"), Some(Algorithm::EdDsa));
        for name in ["none", "", "hs256", "ES256K", "HS256 ", "RS1", "Ed448"] {
            assert_eq!(Algorithm::named(name), None, "{name}");
        }
    }
}
