//! Public keys and certificates in PEM (RFC 7468).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_cert::Certificate;
use x509_cert::der::asn1::{ObjectIdentifier, UintRef};
use x509_cert::der::{Decode, Encode, Reader, SliceReader};
use x509_cert::spki::SubjectPublicKeyInfoRef;

use crate::content::Unusable;
use crate::key::{Key, KeyType, Material};

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const CURVES: [(ObjectIdentifier, KeyType); 3] = [
    (
        ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"),
        KeyType::P256,
    ),
    (ObjectIdentifier::new_unwrap("1.3.132.0.34"), KeyType::P384),
    (ObjectIdentifier::new_unwrap("1.3.132.0.35"), KeyType::P521),
];

/// All keys of a file. The operator has written it, so a key of no use is an error.
pub(crate) fn keys(file: &[u8]) -> Result<Vec<Key>, Unusable> {
    let text = std::str::from_utf8(file).map_err(|_| Unusable::new("it is no PEM file"))?;
    let mut keys = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let block = after
            .split_once("-----")
            .and_then(|(label, after)| {
                let (body, after) = after.split_once(&format!("-----END {label}-----"))?;
                Some((label, body, after))
            })
            .ok_or_else(|| Unusable::new("a block has no end"))?;
        let (label, body, after) = block;
        let number = keys.len() + 1;
        let material = block_key(label, body)
            .map_err(|why| Unusable::new(format!("block {number} ({label}): {why}")))?;
        keys.push(Key::public(material));
        rest = after;
    }
    match keys.is_empty() {
        true => Err(Unusable::new(
            "it has no `-----BEGIN PUBLIC KEY-----`, `RSA PUBLIC KEY` or `CERTIFICATE`",
        )),
        false => Ok(keys),
    }
}

fn block_key(label: &str, body: &str) -> Result<Material, Unusable> {
    if label.ends_with("PRIVATE KEY") {
        return Err(Unusable::new(
            "only the public key belongs here: make it with `openssl pkey -pubout`",
        ));
    }
    let body: String = body.split_ascii_whitespace().collect();
    let der = STANDARD
        .decode(body)
        .map_err(|_| Unusable::new("it is not base64"))?;
    match label {
        "PUBLIC KEY" => public_key(&der),
        "RSA PUBLIC KEY" => rsa(&der),
        "CERTIFICATE" => {
            let certificate = Certificate::from_der(&der).map_err(|_| not_valid())?;
            let info = &certificate.tbs_certificate.subject_public_key_info;
            public_key(&info.to_der().map_err(|_| not_valid())?)
        }
        _ => Err(Unusable::new(
            "a block is a PUBLIC KEY, an RSA PUBLIC KEY or a CERTIFICATE",
        )),
    }
}

/// A key with its type (RFC 5280 §4.1).
fn public_key(der: &[u8]) -> Result<Material, Unusable> {
    let info = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| not_valid())?;
    let bits = info.subject_public_key.as_bytes().ok_or_else(not_valid)?;
    match info.algorithm.oid {
        RSA => rsa(bits),
        ED25519 => Material::point(KeyType::Ed25519, bits, None),
        EC => {
            let curve = info.algorithm.parameters_oid().map_err(|_| not_valid())?;
            let known = CURVES.iter().find(|(known, _)| *known == curve);
            let (_, curve) = known.ok_or_else(|| {
                Unusable::new(format!(
                    "the curve {curve} is not supported: P-256, P-384 and P-521 are"
                ))
            })?;
            Material::point(*curve, bits, None)
        }
        other => Err(Unusable::new(format!(
            "keys of the type {other} are not supported: RSA, ECDSA and Ed25519 are"
        ))),
    }
}

/// An RSA key (RFC 8017 appendix A.1.1).
fn rsa(der: &[u8]) -> Result<Material, Unusable> {
    let numbers = SliceReader::new(der).and_then(|mut reader| {
        let numbers =
            reader.sequence(|inner| Ok((UintRef::decode(inner)?, UintRef::decode(inner)?)))?;
        reader.finish(numbers)
    });
    let (modulus, exponent) = numbers.map_err(|_| not_valid())?;
    Material::rsa(modulus.as_bytes(), exponent.as_bytes(), None)
}

fn not_valid() -> Unusable {
    Unusable::new("it is not a valid key or certificate")
}

#[cfg(test)]
mod tests;
