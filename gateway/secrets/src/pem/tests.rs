use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P384_SHA384, PublicKeyData};

use super::*;

fn block(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

#[test]
fn keys_and_certificates() {
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let certificate = CertificateParams::default().self_signed(&pair).unwrap();
    let text = [
        "Some words before\n".to_owned(),
        block("CERTIFICATE", certificate.der()),
        block("PUBLIC KEY", &pair.subject_public_key_info()),
    ]
    .concat();
    let found = keys(text.replace('\n', "\r\n").as_bytes()).unwrap();
    let types: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(types, ["P-384", "P-384"]);
}

/// PKCS#1, as `openssl rsa -RSAPublicKey_out` writes it.
#[test]
fn an_rsa_key_without_its_type() {
    let integer = |bytes: &[u8]| {
        let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
        [&[2, 0x82], &length[..], bytes].concat()
    };
    let rsa = |bits: usize| {
        let modulus = [vec![0], vec![0xc1; bits / 8]].concat();
        let inside = [integer(&modulus), vec![2, 3, 1, 0, 1]].concat();
        let length = u16::try_from(inside.len()).unwrap().to_be_bytes();
        block(
            "RSA PUBLIC KEY",
            &[&[0x30, 0x82], &length[..], &inside].concat(),
        )
    };
    let found = keys(rsa(2048).as_bytes()).unwrap();
    assert_eq!(found[0].to_string(), "RSA, 2048 bits");
    let error = keys(rsa(2040).as_bytes()).map(|_| ()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "block 1 (RSA PUBLIC KEY): an RSA key has 2048 to 8192 bits, and this one has 2040"
    );
}

#[test]
fn what_is_refused() {
    let rsa_pss = block(
        "PUBLIC KEY",
        &[
            0x30, 0x11, 0x30, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01,
            0x0a, 0x03, 0x02, 0x00, 0x00,
        ],
    );
    for (text, why) in [
        ("", "it has no `-----BEGIN PUBLIC KEY-----`"),
        ("hunter2", "it has no `-----BEGIN PUBLIC KEY-----`"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n", "a block has no end"),
        ("-----BEGIN PUBLIC KEY", "a block has no end"),
        (
            &block("PRIVATE KEY", b"hunter2"),
            "block 1 (PRIVATE KEY): only the public key",
        ),
        (
            &block("EC PRIVATE KEY", b"hunter2"),
            "block 1 (EC PRIVATE KEY): only the public",
        ),
        (
            &block("X509 CRL", b"hunter2"),
            "block 1 (X509 CRL): a block is a PUBLIC KEY",
        ),
        (
            &block("PUBLIC KEY", b"hunter2"),
            "block 1 (PUBLIC KEY): it is not a valid key",
        ),
        (
            &block("CERTIFICATE", b"hunter2"),
            "block 1 (CERTIFICATE): it is not a valid key",
        ),
        (
            &block("RSA PUBLIC KEY", b""),
            "block 1 (RSA PUBLIC KEY): it is not a valid key",
        ),
        (
            "-----BEGIN PUBLIC KEY-----\nhunter2!\n-----END PUBLIC KEY-----",
            "block 1 (PUBLIC KEY): it is not base64",
        ),
        (
            &rsa_pss,
            "block 1 (PUBLIC KEY): keys of the type 1.2.840.113549.1.1.10",
        ),
    ] {
        let error = keys(text.as_bytes()).map(|_| ()).unwrap_err().to_string();
        assert!(error.starts_with(why), "{text}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
