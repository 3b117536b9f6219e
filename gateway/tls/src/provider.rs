//! The one provider of cryptography in the whole binary: aws-lc-rs.
//!
//! It was chosen over ring for its post-quantum key exchange and because rustls
//! recommends it. `X25519MLKEM768`, a hybrid of an elliptic curve and a lattice, is
//! preferred over all others, so that traffic recorded today stays secret from
//! a future quantum computer; a client that does not know it is served with
//! X25519 or a NIST curve.

use std::sync::{Arc, OnceLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs};

/// The provider, which all configurations share.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    let made = || Arc::new(aws_lc_rs::default_provider());
    Arc::clone(PROVIDER.get_or_init(made))
}

/// Makes the provider the default of the process, for libraries that ask rustls
/// for it (HTTP clients). Call it once, before any of them is used; a second
/// call changes nothing.
pub fn install() {
    // It is refused only if there is a default already.
    let _ = CryptoProvider::clone(&provider()).install_default();
}

#[cfg(test)]
mod tests {
    use rustls::NamedGroup;

    use super::*;

    #[test]
    fn the_post_quantum_group_is_preferred() {
        let groups = &provider().kx_groups;
        assert_eq!(groups[0].name(), NamedGroup::X25519MLKEM768);
        assert_eq!(groups[1].name(), NamedGroup::X25519);
    }

    #[test]
    fn the_installed_default_is_the_provider_and_a_second_call_is_harmless() {
        install();
        install();
        let default = CryptoProvider::get_default().unwrap();
        assert_eq!(default.kx_groups[0].name(), provider().kx_groups[0].name());
    }
}
