//! Keys of certificates, and requests to sign them.

use janua_tls::names::bare;
use rcgen::{
    CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384,
    PKCS_RSA_SHA256, RsaKeySize,
};

use crate::failure::Failure;
use crate::settings::KeyType;

/// A new key as PEM. One of RSA takes seconds, on another thread.
pub(crate) async fn generate(kind: KeyType) -> Result<String, Failure> {
    let generate = move || match kind {
        KeyType::P256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
        KeyType::P384 => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384),
        KeyType::Rsa2048 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
        KeyType::Rsa4096 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_4096),
    };
    let fail = |why: &dyn std::fmt::Display| {
        Failure::new("settings", format_args!("no key can be made: {why}"))
    };
    let key = tokio::task::spawn_blocking(generate).await;
    let key = key.map_err(|error| fail(&error))?;
    Ok(key.map_err(|error| fail(&error))?.serialize_pem())
}

/// A request to sign the key for a name, as DER (PKCS#10).
pub(crate) fn signing_request(key: &str, name: &str) -> Result<Vec<u8>, Failure> {
    let make = || {
        let key = KeyPair::from_pem(key)?;
        let mut params = CertificateParams::new(vec![bare(name).to_owned()])?;
        // The common name is deprecated, and too short for many names.
        params.distinguished_name = DistinguishedName::new();
        params.serialize_request(&key)
    };
    let request = make().map_err(|error| {
        Failure::new(
            "settings",
            format_args!("no certificate can be requested for `{name}`: {error}"),
        )
    })?;
    Ok(request.der().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_kind_signs_requests() {
        for kind in [KeyType::P256, KeyType::P384, KeyType::Rsa2048] {
            let key = generate(kind).await.unwrap();
            for name in ["a.example", "*.a.example", "192.0.2.1", "[2001:db8::1]"] {
                assert!(!signing_request(&key, name).unwrap().is_empty());
            }
        }
        assert_eq!(
            signing_request("damaged", "a.example").unwrap_err().kind,
            "settings"
        );
    }
}
