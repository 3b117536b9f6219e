//! JSON Web Key Sets (RFC 7517, RFC 7518 §6, RFC 8037 §2).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use crate::algorithm::Algorithm;
use crate::content::Unusable;
use crate::key::{Key, KeyType, Material, Purposes, SHORTEST};

/// The keys of a set.
pub(crate) struct KeySet {
    pub(crate) keys: Vec<Key>,
    /// Those of no use, and why: a set may have keys that only others understand
    /// (RFC 7517 §5).
    pub(crate) skipped: Vec<String>,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Jwk>,
}

/// A key as it is written. The numbers of private keys are not read: nothing here signs
/// with them.
#[derive(Deserialize)]
struct Jwk {
    kty: Option<String>,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    #[serde(default, deserialize_with = "secret_text")]
    k: Option<Zeroizing<String>>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

fn secret_text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Zeroizing<String>>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    Ok(text.map(Zeroizing::new))
}

/// Reads a set. It is an error if none of its keys is of use.
pub(crate) fn parse(file: &[u8]) -> Result<KeySet, Unusable> {
    let document: Document = serde_json::from_slice(file).map_err(|error| {
        // The message of the parser may quote the file.
        Unusable::new(format!(
            "it is not a JWK Set, {{\"keys\": […]}} (line {}, column {})",
            error.line(),
            error.column()
        ))
    })?;
    let mut set = KeySet {
        keys: Vec::new(),
        skipped: Vec::new(),
    };
    for (number, jwk) in (1..).zip(&document.keys) {
        match key(jwk) {
            Ok(key) => set.keys.push(key),
            Err(why) => {
                let id = jwk.kid.as_deref().map(|id| format!(" ({id:?})"));
                let id = id.unwrap_or_default();
                set.skipped.push(format!("key {number}{id}: {why}"));
            }
        }
    }
    if set.keys.is_empty() {
        let why = set.skipped.first().map(|why| format!(": {why}"));
        return Err(Unusable::new(format!(
            "it has no key that can be used{}",
            why.unwrap_or_default()
        )));
    }
    Ok(set)
}

fn key(jwk: &Jwk) -> Result<Key, Unusable> {
    let algorithm = match &jwk.alg {
        None => None,
        Some(name) => Some(
            Algorithm::named(name)
                .ok_or_else(|| Unusable::new(format!("the algorithm {name:?} is not supported")))?,
        ),
    };
    let curve = jwk.crv.as_deref().unwrap_or_default();
    let material = match jwk.kty.as_deref().unwrap_or_default() {
        "oct" => symmetric(jwk)?,
        "RSA" => {
            let (n, e) = (number(jwk.n.as_ref(), "n")?, number(jwk.e.as_ref(), "e")?);
            Material::rsa(&n, &e, algorithm)?
        }
        "EC" => {
            let curve = match curve {
                "P-256" => KeyType::P256,
                "P-384" => KeyType::P384,
                "P-521" => KeyType::P521,
                _ => {
                    return Err(Unusable::new(format!(
                        "the curve {curve:?} is not supported"
                    )));
                }
            };
            // Each coordinate has its full length (RFC 7518 §6.2.1.2): else two wrong ones
            // could make one right point.
            let (x, y) = (number(jwk.x.as_ref(), "x")?, number(jwk.y.as_ref(), "y")?);
            if x.len() != curve.coordinate_len() {
                return Err(Unusable::new(
                    "a coordinate of the point has a wrong length",
                ));
            }
            let point = [&[4], x.as_slice(), y.as_slice()].concat();
            Material::point(curve, &point, algorithm)?
        }
        "OKP" if curve == "Ed25519" => {
            Material::point(KeyType::Ed25519, &number(jwk.x.as_ref(), "x")?, algorithm)?
        }
        "OKP" => {
            return Err(Unusable::new(format!(
                "the curve {curve:?} is not supported"
            )));
        }
        other => {
            return Err(Unusable::new(format!(
                "the type {other:?} is not supported"
            )));
        }
    };
    let key = Key {
        id: jwk.kid.as_deref().map(Box::from),
        algorithm,
        purposes: purposes(jwk),
        material,
    };
    if !(key.purposes.verify || key.purposes.sign || key.purposes.seal) {
        return Err(Unusable::new("it is not for signatures (`use`, `key_ops`)"));
    }
    if let Some(stated) = algorithm {
        if stated.key_type() != key.key_type() {
            return Err(Unusable::new(format!(
                "its algorithm, {}, is none of its type",
                stated.name()
            )));
        }
        if !key.fits(stated) {
            return Err(Unusable::new(format!(
                "it is too short for {} (RFC 7518 §3.2)",
                stated.name()
            )));
        }
    }
    Ok(key)
}

fn symmetric(jwk: &Jwk) -> Result<Material, Unusable> {
    let text = jwk.k.as_ref().ok_or_else(|| missing("k"))?;
    let bytes = URL_SAFE_NO_PAD
        .decode(text.as_bytes())
        .map_err(|_| not_base64("k"))?;
    if bytes.len() < SHORTEST {
        return Err(Unusable::new(format!(
            "a symmetric key has at least {SHORTEST} bytes, and this one has {}",
            bytes.len()
        )));
    }
    Ok(Material::Symmetric {
        bytes: Zeroizing::new(bytes),
        is_jwk: true,
    })
}

/// What the set says that a key is for (RFC 7517 §4.2, §4.3).
fn purposes(jwk: &Jwk) -> Purposes {
    let by_use = match jwk.usage.as_deref() {
        None => Purposes::ALL,
        Some("sig") => Purposes {
            seal: false,
            ..Purposes::ALL
        },
        Some("enc") => Purposes {
            verify: false,
            sign: false,
            seal: jwk.k.is_some(),
        },
        Some(_) => Purposes {
            verify: false,
            sign: false,
            seal: false,
        },
    };
    let Some(operations) = &jwk.key_ops else {
        return by_use;
    };
    let has = |name: &str| operations.iter().any(|operation| operation == name);
    Purposes {
        verify: by_use.verify && has("verify"),
        sign: by_use.sign && has("sign"),
        seal: by_use.seal && jwk.k.is_some() && has("encrypt") && has("decrypt"),
    }
}

fn number(text: Option<&String>, name: &str) -> Result<Vec<u8>, Unusable> {
    URL_SAFE_NO_PAD
        .decode(text.ok_or_else(|| missing(name))?)
        .map_err(|_| not_base64(name))
}

fn missing(name: &str) -> Unusable {
    Unusable::new(format!("it has no `{name}`"))
}

fn not_base64(name: &str) -> Unusable {
    Unusable::new(format!("its `{name}` is not base64url without padding"))
}

#[cfg(test)]
mod tests;
