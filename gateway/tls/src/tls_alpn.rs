//! The certificate that proves control of a name to an authority: the challenge
//! TLS-ALPN-01 (RFC 8737).

use std::sync::Arc;

use rcgen::{CertificateParams, CustomExtension, DnType, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use crate::error::Error;
use crate::names::bare;
use crate::provider::provider;

/// The protocol that the authority asks for, and nobody else (RFC 8737, section 3).
pub const PROTOCOL: &[u8] = b"acme-tls/1";

/// What the handshake of the authority is performed with. `name` is the host or the
/// address to prove, and `digest` the SHA-256 of the key authorization.
pub fn server_config(name: &str, digest: &[u8; 32]) -> Result<Arc<ServerConfig>, Error> {
    let fail = |why: &dyn std::fmt::Display| {
        Error::new(format!(
            "The certificate for the challenge TLS-ALPN-01 of {name} cannot be made: {why}."
        ))
    };
    let mut params =
        CertificateParams::new(vec![bare(name).to_owned()]).map_err(|error| fail(&error))?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "ACME challenge");
    params
        .custom_extensions
        .push(CustomExtension::new_acme_identifier(digest));
    let key = KeyPair::generate().map_err(|error| fail(&error))?;
    let certificate = params.self_signed(&key).map_err(|error| fail(&error))?;
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let provider = provider();
    let key = provider.key_provider.load_private_key(key);
    let key = key.map_err(|error| fail(&error))?;
    // rustls would compare key and certificate, which it cannot read: the extension of
    // the challenge is critical.
    let shown = CertifiedKey::new(vec![certificate.der().clone()], key);
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| fail(&error))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn for_names_and_for_addresses() {
        for name in ["a.example", "192.0.2.1", "[2001:db8::1]"] {
            let config = server_config(name, &[7; 32]).unwrap();
            assert_eq!(config.alpn_protocols, [PROTOCOL]);
        }
        let error = server_config("ä.example", &[7; 32]).unwrap_err();
        assert!(error.to_string().contains("ä.example"), "{error}");
    }
}
