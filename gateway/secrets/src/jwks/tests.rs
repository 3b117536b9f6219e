use serde_json::{Value, json};

use super::*;

const POINT_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const POINT_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";

fn good() -> Value {
    json!({ "kty": "EC", "crv": "P-256", "x": POINT_X, "y": POINT_Y, "kid": "good" })
}

fn with(changes: Value) -> Value {
    let mut key = good();
    let fields = changes.as_object().unwrap().clone();
    key.as_object_mut().unwrap().extend(fields);
    key
}

fn parse_keys(keys: &[Value]) -> Result<KeySet, Unusable> {
    parse(json!({ "keys": keys }).to_string().as_bytes())
}

#[test]
fn keys_of_no_use_are_skipped_with_the_reason() {
    let zeros = "A".repeat(43);
    let oct = |bytes: usize, alg: &str| {
        let k = URL_SAFE_NO_PAD.encode(vec![7; bytes]);
        json!({ "kty": "oct", "k": k, "alg": alg })
    };
    let rsa = |bytes: usize| {
        let n = URL_SAFE_NO_PAD.encode([vec![0, 0], vec![0x81; bytes]].concat());
        json!({ "kty": "RSA", "n": n, "e": "AQAB" })
    };
    let exponent = |e: &str| {
        let mut key = rsa(256);
        key["e"] = e.into();
        key
    };
    for (key, why) in [
        (json!({}), "the type \"\" is not supported"),
        (
            with(json!({ "kty": "AKP" })),
            "the type \"AKP\" is not supported",
        ),
        (
            with(json!({ "crv": "secp256k1" })),
            "the curve \"secp256k1\" is not",
        ),
        (
            with(json!({ "crv": "P-384" })),
            "a coordinate of the point has a wrong",
        ),
        (with(json!({ "x": null })), "it has no `x`"),
        (with(json!({ "y": "a=" })), "its `y` is not base64url"),
        (
            with(json!({ "y": zeros })),
            "the numbers of the key are not valid",
        ),
        (
            with(json!({ "x": "AA" })),
            "a coordinate of the point has a wrong",
        ),
        (
            with(json!({ "alg": "ES256K" })),
            "the algorithm \"ES256K\" is not supported",
        ),
        (
            with(json!({ "alg": "none" })),
            "the algorithm \"none\" is not supported",
        ),
        (
            with(json!({ "alg": "ES384" })),
            "its algorithm, ES384, is none of its type",
        ),
        (
            with(json!({ "alg": "HS256" })),
            "its algorithm, HS256, is none of its type",
        ),
        (with(json!({ "use": "enc" })), "it is not for signatures"),
        (
            with(json!({ "key_ops": ["deriveKey"] })),
            "it is not for signatures",
        ),
        (
            json!({ "kty": "OKP", "crv": "X25519", "x": POINT_X }),
            "the curve \"X25519\"",
        ),
        (
            json!({ "kty": "OKP", "crv": "Ed25519", "x": "AA" }),
            "a coordinate",
        ),
        (json!({ "kty": "oct" }), "it has no `k`"),
        (
            oct(15, "HS256"),
            "a symmetric key has at least 16 bytes, and this one has 15",
        ),
        (oct(31, "HS256"), "it is too short for HS256"),
        (oct(47, "HS384"), "it is too short for HS384"),
        (exponent("AQ"), "the exponent of an RSA key is odd"),
        (exponent("AAI"), "the exponent of an RSA key is odd"),
        (exponent("BA"), "the exponent of an RSA key is odd"),
        (exponent(""), "the exponent of an RSA key is odd"),
        (
            rsa(255),
            "an RSA key has 2048 to 8192 bits, and this one has 2040",
        ),
        (
            rsa(1025),
            "an RSA key has 2048 to 8192 bits, and this one has 8200",
        ),
    ] {
        let set = parse_keys(&[key.clone(), good()]).unwrap();
        assert_eq!(set.keys.len(), 1, "{key}");
        let skipped = set.skipped.first().unwrap();
        assert!(skipped.contains(why), "{key}: {skipped}");
        let error = parse_keys(&[key]).map(|_| ()).unwrap_err().to_string();
        assert!(
            error.starts_with("it has no key that can be used: "),
            "{error}"
        );
    }
}

#[test]
fn what_a_key_is_for() {
    let purposes = |verify, sign, seal| Purposes { verify, sign, seal };
    for (key, expected) in [
        (json!({}), Purposes::ALL),
        (json!({ "use": "sig" }), purposes(true, true, false)),
        (
            json!({ "key_ops": ["verify"] }),
            purposes(true, false, false),
        ),
        (json!({ "key_ops": ["sign"] }), purposes(false, true, false)),
        (json!({ "use": "enc" }), purposes(false, false, true)),
        (
            json!({ "key_ops": ["encrypt", "decrypt"] }),
            purposes(false, false, true),
        ),
    ] {
        let mut key = key;
        key["kty"] = "oct".into();
        key["k"] = "A".repeat(43).into();
        let set = parse_keys(&[key.clone()]).unwrap();
        assert_eq!(set.keys[0].purposes, expected, "{key}");
    }
}

#[test]
fn what_is_no_set_is_refused_without_quoting_it() {
    for file in [
        "",
        "hunter2",
        "\"hunter2\"",
        "[]",
        "{}",
        "{\"keys\": {\"k\": \"hunter2\"}}",
        "{\"keys\": [{\"kty\": 2, \"k\": \"hunter2\"}]}",
        "{\"keys\": [{\"kty\": \"oct\", \"key_ops\": \"hunter2\"}]}",
        "{\"keys\": []} hunter2",
    ] {
        let error = parse(file.as_bytes()).map(|_| ()).unwrap_err().to_string();
        assert!(error.starts_with("it is not a JWK Set"), "{file}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    let empty = parse(b"{\"keys\": []}").map(|_| ()).unwrap_err();
    assert_eq!(empty.to_string(), "it has no key that can be used");
}

#[test]
fn private_numbers_are_not_needed_and_not_read() {
    let key = with(json!({ "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI" }));
    assert_eq!(parse_keys(&[key]).unwrap().keys.len(), 1);
}
