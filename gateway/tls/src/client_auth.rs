//! Whether clients have to show a certificate, and whose are accepted.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use x509_cert::crl::CertificateList;
use x509_cert::der::Decode as _;

use crate::date::utc;
use crate::digest::Digest;
use crate::error::{Error, Warning};
use crate::parsed::seconds;
use crate::pem;
use crate::sessions::Scope;

/// What clients are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum ClientAuth {
    /// No certificate.
    #[default]
    None,
    /// A certificate may be shown. One that is not valid ends the handshake.
    Optional(ClientAuthority),
    /// Without a valid certificate there is no connection.
    Required(ClientAuthority),
}

/// Who issues the certificates of clients.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientAuthority {
    /// PEM: the roots that are trusted.
    pub ca: PathBuf,
    /// PEM: revocation lists. With them, each authority of a client's chain
    /// needs a list that has not expired; otherwise the client is refused.
    pub crl: Option<PathBuf>,
}

/// The form for rustls, and what sessions are bound to.
#[derive(Debug)]
pub(crate) struct Verification {
    pub(crate) verifier: Arc<dyn ClientCertVerifier>,
    pub(crate) scope: Scope,
}

impl ClientAuth {
    /// Reads the files.
    pub(crate) fn load(&self, provider: &Arc<CryptoProvider>) -> Result<Verification, Error> {
        let (authority, is_required) = match self {
            Self::None => {
                return Ok(Verification {
                    verifier: WebPkiClientVerifier::no_client_auth(),
                    scope: Digest::default().field(b"none").finish(),
                });
            }
            Self::Optional(authority) => (authority, false),
            Self::Required(authority) => (authority, true),
        };
        let files = Files::read(authority)?;
        let mut roots = RootCertStore::empty();
        for root in &files.roots {
            roots
                .add(root.clone())
                .map_err(|error| unusable(&authority.ca, &error))?;
        }
        let mut builder =
            WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(provider))
                .with_crls(files.revoked.iter().cloned())
                .enforce_revocation_expiration();
        if !is_required {
            builder = builder.allow_unauthenticated();
        }
        let verifier = builder.build().map_err(|error| {
            let file = authority.crl.as_ref().unwrap_or(&authority.ca);
            unusable(file, &error)
        })?;
        let mode: &[u8] = if is_required {
            b"required"
        } else {
            b"optional"
        };
        let scope = Digest::default()
            .field(mode)
            .list(&files.roots)
            .list(&files.revoked)
            .finish();
        Ok(Verification { verifier, scope })
    }

    /// Warnings about revocation lists that have expired at `now`, in seconds
    /// since 1970, or cannot be read.
    pub fn check_time(&self, now: i64) -> Vec<Warning> {
        let (Self::Optional(authority) | Self::Required(authority)) = self else {
            return Vec::new();
        };
        let Some(file) = &authority.crl else {
            return Vec::new();
        };
        match pem::revocation_lists(file) {
            Ok(lists) => expired(file, &lists, now),
            Err(error) => vec![Warning::new(error.to_string())],
        }
    }
}

/// The contents of the files of an authority.
struct Files {
    roots: Vec<CertificateDer<'static>>,
    revoked: Vec<CertificateRevocationListDer<'static>>,
}

impl Files {
    fn read(authority: &ClientAuthority) -> Result<Self, Error> {
        let revoked = authority.crl.as_deref().map(pem::revocation_lists);
        Ok(Self {
            roots: pem::certificates(&authority.ca)?,
            revoked: revoked.transpose()?.unwrap_or_default(),
        })
    }
}

fn unusable(file: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::of_file(
        file,
        format_args!("clients cannot be verified with this file: {error}."),
    )
}

fn expired(file: &Path, lists: &[CertificateRevocationListDer<'static>], now: i64) -> Vec<Warning> {
    let lists = lists
        .iter()
        .filter_map(|der| CertificateList::from_der(der).ok());
    lists
        .filter_map(|list| {
            let next_update = seconds(list.tbs_cert_list.next_update?);
            (next_update < now).then(|| {
                Warning::of_file(
                    file,
                    format_args!(
                        "the revocation list of `{}` expired at {}, so that all clients whose \
                         certificates it issued are refused. Put its next list in this file.",
                        list.tbs_cert_list.issuer,
                        utc(next_update)
                    ),
                )
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::provider;
    use crate::testing::{Authority, NOW, Scratch};

    fn scope(auth: &ClientAuth) -> Scope {
        auth.load(&provider()).unwrap().scope
    }

    #[test]
    fn the_scope_follows_mode_and_contents_and_not_the_path() {
        let scratch = Scratch::new();
        let (one, other) = (Authority::new("One"), Authority::new("Other"));
        let revoked = one.revocation_list(&[], NOW);
        let authority = |ca: PathBuf, crl: Option<PathBuf>| ClientAuthority { ca, crl };
        let first = authority(scratch.write("1.pem", one.pem().as_bytes()), None);
        let copy = authority(scratch.write("2.pem", one.pem().as_bytes()), None);
        let second = authority(scratch.write("3.pem", other.pem().as_bytes()), None);
        let listed = authority(
            first.ca.clone(),
            Some(scratch.write("crl.pem", revoked.as_bytes())),
        );

        let required = scope(&ClientAuth::Required(first.clone()));
        assert_eq!(required, scope(&ClientAuth::Required(copy)));
        let others = [
            scope(&ClientAuth::None),
            scope(&ClientAuth::Optional(first)),
            scope(&ClientAuth::Required(second)),
            scope(&ClientAuth::Required(listed)),
        ];
        assert!(!others.contains(&required));
    }

    #[test]
    fn an_expired_revocation_list_is_warned_of() {
        let scratch = Scratch::new();
        let authority = Authority::new("One");
        let list = authority.revocation_list(&[], NOW);
        let auth = ClientAuth::Required(ClientAuthority {
            ca: scratch.write("ca.pem", authority.pem().as_bytes()),
            crl: Some(scratch.write("crl.pem", list.as_bytes())),
        });
        assert_eq!(auth.check_time(NOW), []);
        let warnings = auth.check_time(NOW + 1);
        assert!(
            warnings[0]
                .to_string()
                .contains("the revocation list of `CN=One` expired at 2026-11-27 18:00 UTC"),
            "{warnings:?}"
        );
    }

    #[test]
    fn a_file_without_certificates_is_named() {
        let scratch = Scratch::new();
        let auth = ClientAuth::Required(ClientAuthority {
            ca: scratch.write("ca.pem", b""),
            crl: None,
        });
        let error = auth.load(&provider()).unwrap_err().to_string();
        assert!(
            error.ends_with("there is no certificate in this file: it is empty."),
            "{error}"
        );
    }
}
