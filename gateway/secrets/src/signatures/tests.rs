use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::*;
use crate::{Content, Kind, Secrets};

/// Tokens of the RFCs (RFC 7515 appendix A, RFC 7520 §4, RFC 8037 appendix A), and of
/// PyJWT.
const VECTORS: [&str; 2] = [
    include_str!("../../fixtures/rfc.json"),
    include_str!("../../fixtures/tokens.json"),
];

struct Vector {
    name: String,
    algorithm: Algorithm,
    jwk: Value,
    pem: Option<String>,
    message: Vec<u8>,
    signature: Vec<u8>,
}

fn vectors() -> Vec<Vector> {
    let rows = VECTORS
        .iter()
        .flat_map(|file| serde_json::from_str::<Vec<Value>>(file).unwrap());
    rows.map(|row| {
        let text = |name: &str| row[name].as_str().unwrap();
        let (message, signature) = text("token").rsplit_once('.').unwrap();
        Vector {
            name: text("name").to_owned(),
            algorithm: Algorithm::named(text("algorithm")).unwrap(),
            jwk: row["jwk"].clone(),
            pem: row["pem"].as_str().map(str::to_owned),
            message: message.as_bytes().to_vec(),
            signature: URL_SAFE_NO_PAD.decode(signature).unwrap(),
        }
    })
    .collect()
}

fn secret(kind: Kind, file: &[u8]) -> std::sync::Arc<Secret> {
    let content = Content::read(kind, vec![Zeroizing::new(file.to_vec())]).unwrap();
    let table = Secrets::new([("s".to_owned(), content)], &Secrets::default());
    table.get("s").unwrap().clone()
}

fn set(keys: &[&Value]) -> std::sync::Arc<Secret> {
    secret(Kind::KeySet, json!({ "keys": keys }).to_string().as_bytes())
}

#[test]
fn tokens_of_the_rfcs_and_of_another_implementation_are_valid() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 9 + 13);
    for it in &vectors {
        let secret = set(&[&it.jwk]);
        let id = it.jwk["kid"].as_str();
        let verify = |id| secret.verify(it.algorithm, id, &it.message, &it.signature);
        assert_eq!(verify(id), Ok(Validity::Valid), "{}", it.name);
        assert_eq!(verify(None), Ok(Validity::Valid), "{}", it.name);
        if let Some(pem) = &it.pem {
            let secret = secret_of(pem);
            let valid = secret.verify(it.algorithm, id, &it.message, &it.signature);
            assert_eq!(valid, Ok(Validity::Valid), "{} in PEM", it.name);
        }
    }
}

fn secret_of(pem: &str) -> std::sync::Arc<Secret> {
    secret(Kind::Pem, pem.as_bytes())
}

#[test]
fn what_was_changed_is_not_valid() {
    for it in vectors() {
        let secret = set(&[&it.jwk]);
        let verify = |message: &[u8], signature: &[u8]| {
            secret.verify(it.algorithm, None, message, signature)
        };
        let invalid = Ok(Validity::Invalid);
        let name = &it.name;
        let mut message = it.message.clone();
        message[3] ^= 1;
        assert_eq!(verify(&message, &it.signature), invalid, "{name}");
        message[3] ^= 1;
        message.push(b'=');
        assert_eq!(verify(&message, &it.signature), invalid, "{name}");
        assert_eq!(verify(b"", &it.signature), invalid, "{name}");

        let signature = &it.signature;
        let length = signature.len();
        for at in [0, length / 2 - 1, length / 2, length - 1] {
            for bit in [0, 7] {
                let mut forged = signature.clone();
                forged[at] ^= 1 << bit;
                assert_eq!(verify(&it.message, &forged), invalid, "{name}: {at}.{bit}");
            }
        }
        let half = &signature[..length / 2];
        let zeros = vec![0; length];
        let mut ones = vec![0; length];
        ones[length / 2 - 1] = 1;
        ones[length - 1] = 1;
        let longer = [signature.as_slice(), &[0]].concat();
        let padded = [&[0], signature.as_slice()].concat();
        let r_is_zero = [&vec![0; length / 2], &signature[length / 2..]].concat();
        let s_is_zero = [half, &vec![0; length / 2]].concat();
        let all_ones = vec![0xff; length];
        for forged in [
            &[][..],
            &signature[..length - 1],
            &signature[1..],
            half,
            &zeros,
            &ones,
            &all_ones,
            &longer,
            &padded,
            &r_is_zero,
            &s_is_zero,
            &der(half, &signature[length / 2..]),
        ] {
            assert_eq!(verify(&it.message, forged), invalid, "{name}: {forged:?}");
        }
    }
}

/// r and s in DER, as OpenSSL and X.509 write them, which JOSE does not.
fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let number = [&[0], number].concat();
        [&[2, u8::try_from(number.len() % 128).unwrap()], &number[..]].concat()
    };
    let both = [integer(r), integer(s)].concat();
    [&[0x30, u8::try_from(both.len() % 128).unwrap()], &both[..]].concat()
}

#[test]
fn a_key_works_with_the_algorithms_of_its_type_only() {
    for it in vectors() {
        let stated = it.jwk["alg"].as_str();
        let secret = set(&[&it.jwk]);
        for other in Algorithm::ALL {
            let result = secret.verify(other, None, &it.message, &it.signature);
            let is_same_type = other.key_type() == it.algorithm.key_type();
            let is_stated = stated.is_none_or(|stated| stated == other.name());
            let is_long_enough = secret.content().keys[0].fits(other);
            let expected = match is_same_type && is_stated && is_long_enough {
                true if other == it.algorithm => Ok(Validity::Valid),
                true => Ok(Validity::Invalid),
                false => Err(WrongKey),
            };
            assert_eq!(result, expected, "{} as {}", it.name, other.name());
        }
    }
}

/// The classic: a token signed by HMAC with the text of the public key as its secret.
#[test]
fn a_public_key_is_no_secret_for_an_hmac() {
    let vectors = vectors();
    let it = vectors.iter().find(|it| it.pem.is_some()).unwrap();
    let pem = it.pem.as_deref().unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, pem.as_bytes());
    let forged = hmac::sign(&key, &it.message);
    for secret in [secret_of(pem), set(&[&it.jwk])] {
        let result = secret.verify(Algorithm::Hs256, None, &it.message, forged.as_ref());
        assert_eq!(result, Err(WrongKey));
        assert_eq!(secret.sign(Algorithm::Hs256, &it.message), Err(WrongKey));
    }
}

#[test]
fn the_key_is_found_by_its_identifier() {
    let vectors = vectors();
    let named = |name: &str| vectors.iter().find(|it| it.name == name).unwrap();
    let (one, two) = (named("PyJWT ES256"), named("PyJWT ES384"));
    let secret = set(&[&one.jwk, &two.jwk]);
    let verify = |it: &Vector, id| secret.verify(it.algorithm, id, &it.message, &it.signature);
    assert_eq!(verify(one, Some("ES256")), Ok(Validity::Valid));
    assert_eq!(verify(two, Some("ES384")), Ok(Validity::Valid));
    assert_eq!(verify(one, Some("ES384")), Err(WrongKey));
    for unknown in ["", "es256", "ES512"] {
        assert_eq!(verify(one, Some(unknown)), Ok(Validity::UnknownKey));
    }

    // A key without an identifier may be the one that the message means.
    let mut anonymous = one.jwk.clone();
    anonymous.as_object_mut().unwrap().remove("kid");
    let secret = set(&[&anonymous, &two.jwk]);
    let verify = |it: &Vector, id| secret.verify(it.algorithm, id, &it.message, &it.signature);
    assert_eq!(verify(one, Some("unknown")), Ok(Validity::Valid));
    assert_eq!(verify(one, Some("ES384")), Err(WrongKey));
}

#[test]
fn at_most_sixteen_keys_are_tried() {
    let keys: Vec<Vec<u8>> = (b'a'..b'u').map(|n| vec![n; 32]).collect();
    let files = keys.iter().map(|key| Zeroizing::new(key.clone())).collect();
    let content = Content::read(Kind::Raw, files).unwrap();
    let table = Secrets::new([("s".to_owned(), content)], &Secrets::default());
    let secret = table.get("s").unwrap();
    let valid = keys.iter().filter(|key| {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), b"m");
        secret.verify(Algorithm::Hs256, None, b"m", tag.as_ref()) == Ok(Validity::Valid)
    });
    assert_eq!(valid.count(), 16);
}

#[test]
fn the_first_key_signs_and_all_verify() {
    let files = [[1; 32], [2; 32]].map(|key| Zeroizing::new(key.to_vec()));
    let both = Content::read(Kind::Raw, files.to_vec()).unwrap();
    let old = Content::read(Kind::Raw, files[1..].to_vec()).unwrap();
    let contents = [("both".to_owned(), both), ("old".to_owned(), old)];
    let table = Secrets::new(contents, &Secrets::default());
    let (both, old) = (table.get("both").unwrap(), table.get("old").unwrap());
    for name in ["HS1", "HS256", "HS384", "HS512"] {
        let algorithm = Algorithm::named(name).unwrap();
        let by_old = old.sign(algorithm, b"m").unwrap();
        let by_new = both.sign(algorithm, b"m").unwrap();
        let verify = |secret: &Secret, tag: &[u8]| secret.verify(algorithm, None, b"m", tag);
        assert_eq!(verify(both, &by_old), Ok(Validity::Valid));
        assert_eq!(verify(both, &by_new), Ok(Validity::Valid));
        assert_eq!(verify(old, &by_new), Ok(Validity::Invalid));
    }
    assert_eq!(old.sign(Algorithm::Rs256, b"m"), Err(WrongKey));
}

/// RFC 2202 §3, test case 1, whose key has 20 bytes; RFC 4231 §4.3 has a key of 4.
#[test]
fn an_hmac_takes_no_short_key() {
    let tag = secret(Kind::Raw, &[0x0b; 20]).sign(Algorithm::Hs1, b"Hi There");
    let expected = [
        0xb6, 0x17, 0x31, 0x86, 0x55, 0x05, 0x72, 0x64, 0xe2, 0x8b, 0xc0, 0xb6, 0xfb, 0x37, 0x8c,
        0x8e, 0xf1, 0x46, 0xbe, 0x00,
    ];
    assert_eq!(tag.as_deref(), Ok(&expected[..]));

    let can_sign =
        |secret: &Secret, name| secret.sign(Algorithm::named(name).unwrap(), b"").is_ok();
    assert!(!can_sign(&secret(Kind::Raw, b"Jefe"), "HS256"));
    assert!(!can_sign(&secret(Kind::Raw, &[1; 15]), "HS256"));
    assert!(can_sign(&secret(Kind::Raw, &[1; 16]), "HS512"));

    // In JOSE the key is at least as long as the hash.
    let jwk = json!({ "kty": "oct", "k": URL_SAFE_NO_PAD.encode([1; 32]) });
    assert!(can_sign(&set(&[&jwk]), "HS256"));
    assert!(!can_sign(&set(&[&jwk]), "HS384"));
}
