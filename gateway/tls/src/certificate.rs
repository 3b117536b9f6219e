//! A certificate chain with its private key, from files.
//!
//! [`Certificate::load`] refuses what cannot be served at all. Whether the time
//! is right and which hosts are covered are questions of their own, because
//! their answers depend on when and for whom they are asked: a certificate that
//! has expired is an error when it is new, and better than none at a restart.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{Error as TlsError, InconsistentKeys};

use crate::chain::{self, ordinal};
use crate::date::utc;
use crate::digest::fingerprint;
use crate::error::{Error, Warning};
use crate::names::{HostPattern, Names};
use crate::parsed::{AltName, Parsed};
use crate::pem;
use crate::provider::provider;
use crate::staple::Staple;

/// Where a certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CertificateFiles {
    /// PEM: the server's certificate, then each one's issuer.
    pub cert: PathBuf,
    /// PEM: PKCS#8, PKCS#1 or SEC 1, not encrypted. It may be the same file.
    pub key: PathBuf,
    /// DER: a response of the issuer's OCSP responder, which is stapled to
    /// handshakes as it is.
    pub ocsp: Option<PathBuf>,
}

/// A chain and a key that fit each other.
#[derive(Debug)]
pub struct Certificate {
    key: Arc<CertifiedKey>,
    files: CertificateFiles,
    facts: Facts,
    names: Names,
    validity: Vec<Validity>,
    staple: Option<Staple>,
    warnings: Vec<Warning>,
}

/// What is known of the first certificate of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The DNS names and addresses that it covers.
    pub names: Vec<String>,
    /// As a string of RFC 4514.
    pub issuer: String,
    /// As a string of RFC 4514; often empty.
    pub subject: String,
    /// In lower-case hexadecimal digits.
    pub serial: String,
    /// SHA-256, in lower-case hexadecimal digits.
    pub fingerprint: String,
    /// `ECDSA P-256`, `RSA 2048`, `Ed25519`.
    pub key_type: String,
    /// Seconds since 1970.
    pub not_before: i64,
    /// Seconds since 1970.
    pub not_after: i64,
    /// How many certificates the file has, with the first.
    pub chain_length: usize,
}

/// The time in which one certificate of the chain is valid.
#[derive(Debug)]
struct Validity {
    subject: String,
    not_before: i64,
    not_after: i64,
}

impl Certificate {
    /// Reads the files. An error if one cannot be read, if the key does not fit,
    /// or if rustls cannot use it.
    pub fn load(files: &CertificateFiles) -> Result<Self, Error> {
        let cert = pem::read(&files.cert)?;
        let key = pem::read(&files.key)?;
        let mut certificate = Self::parse(files, &cert, &key)?;
        certificate.warnings.extend(readable_by_others(&files.key));
        Ok(certificate)
    }

    /// The same for a chain and a key in PEM that have been read. `files` is where
    /// they are kept.
    pub fn parse(files: &CertificateFiles, cert: &[u8], key: &[u8]) -> Result<Self, Error> {
        let provider = provider();
        let der = pem::certificates_in(&files.cert, cert)?;
        let chain = parse_chain(&files.cert, &der)?;
        let leaf = chain
            .first()
            .ok_or_else(|| Error::of_file(&files.cert, "there is no certificate in this file."))?;

        let signing_key = provider
            .key_provider
            .load_private_key(pem::private_key_in(&files.key, key)?)
            .map_err(|error| unusable_key(files, leaf, &error))?;
        check_key(files, &der, &signing_key)?;

        let mut warnings = chain::check(&files.cert, &chain, &provider);
        if leaf.must_staple() && files.ocsp.is_none() {
            warnings.push(must_staple(&files.cert));
        }

        let names = names(leaf);
        let facts = Facts {
            names: names.list(),
            issuer: leaf.issuer(),
            subject: leaf.subject(),
            serial: leaf.serial(),
            fingerprint: der.first().map(|der| fingerprint(der)).unwrap_or_default(),
            key_type: leaf.key_type(),
            not_before: leaf.not_before(),
            not_after: leaf.not_after(),
            chain_length: chain.len(),
        };
        let validity = chain
            .iter()
            .map(|one| Validity {
                subject: one.subject(),
                not_before: one.not_before(),
                not_after: one.not_after(),
            })
            .collect();
        let mut key = CertifiedKey::new(der, signing_key);
        let load = |file: &Path| Staple::load(file, &facts.serial);
        let staple = files.ocsp.as_deref().map(load).transpose()?;
        key.ocsp = staple.as_ref().map(|staple| staple.der.clone());
        Ok(Self {
            key: Arc::new(key),
            staple,
            files: files.clone(),
            facts,
            names,
            validity,
            warnings,
        })
    }

    /// An error if a certificate of the chain has expired at `now`, or is not
    /// valid yet. `now` is in seconds since 1970.
    pub fn check_time(&self, now: i64) -> Result<(), Error> {
        for (index, one) in self.validity.iter().enumerate() {
            let which = match index {
                0 => "the certificate".into(),
                _ => format!("the {} certificate (`{}`)", ordinal(index + 1), one.subject),
            };
            if now > one.not_after {
                return Err(Error::of_file(
                    &self.files.cert,
                    format_args!(
                        "{which} expired at {}. Renew it, and put the new certificate and its \
                         key in these files.",
                        utc(one.not_after)
                    ),
                ));
            }
            if now < one.not_before {
                return Err(Error::of_file(
                    &self.files.cert,
                    format_args!(
                        "{which} is not valid before {}, and now it is {}. Wait until then, or \
                         set this machine's clock if it is wrong.",
                        utc(one.not_before),
                        utc(now)
                    ),
                ));
            }
        }
        Ok(())
    }

    /// A warning if the stapled OCSP response has expired at `now`, in seconds
    /// since 1970.
    pub fn check_staple(&self, now: i64) -> Option<Warning> {
        let expiry = self.staple.as_ref()?.expiry(now)?;
        Some(Warning::of_file(self.files.ocsp.as_deref()?, expiry))
    }

    /// A warning for each pattern that the certificate does not cover.
    pub fn check_hosts(&self, hosts: &[HostPattern]) -> Vec<Warning> {
        let uncovered = hosts.iter().filter(|host| !self.names.covers_pattern(host));
        uncovered
            .map(|host| {
                let names = match self.facts.names.as_slice() {
                    [] => "it has no names at all".into(),
                    names => format!("its names are {}", names.join(", ")),
                };
                Warning::of_file(
                    &self.files.cert,
                    format_args!(
                        "the certificate does not cover `{host}`: {names}. Clients will refuse \
                         to connect; get a certificate with this name."
                    ),
                )
            })
            .collect()
    }

    /// Whether a client that asks for this host accepts the certificate's names.
    pub fn covers(&self, host: &str) -> bool {
        self.names.covers(host)
    }

    /// What is known of it.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// What deserves attention at any time: a broken chain, a key that others
    /// can read.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// What an authority calls it when asked when to renew it: the identifier of its
    /// issuer's key, and its serial number (RFC 9773, section 4.1). None if it does not
    /// say which key has signed it.
    pub fn renewal_id(&self) -> Option<String> {
        let leaf = Parsed::new(self.key.cert.first()?).ok()?;
        let text = |bytes: Vec<u8>| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let (issuer, serial) = (leaf.authority_key_id()?, leaf.serial_bytes()?);
        Some(format!("{}.{}", text(issuer), text(serial)))
    }

    /// Where it comes from.
    pub fn files(&self) -> &CertificateFiles {
        &self.files
    }

    /// Its form for rustls.
    pub fn key(&self) -> &Arc<CertifiedKey> {
        &self.key
    }
}

fn parse_chain(file: &Path, chain: &[CertificateDer<'_>]) -> Result<Vec<Parsed>, Error> {
    let parse = |(index, der): (usize, &CertificateDer<'_>)| {
        Parsed::new(der).map_err(|error| {
            let place = ordinal(index + 1);
            Error::of_file(
                file,
                format_args!("the {place} certificate cannot be understood: {error}."),
            )
        })
    };
    chain.iter().enumerate().map(parse).collect()
}

/// Why rustls does not take the key.
fn unusable_key(files: &CertificateFiles, leaf: &Parsed, error: &TlsError) -> Error {
    let kind = leaf.key_type();
    let is_short = kind
        .strip_prefix("RSA ")
        .and_then(|bits| bits.parse::<u32>().ok())
        .is_some_and(|bits| bits < 2048);
    let what = if is_short {
        format!(
            "the key has too few bits: the certificate is {kind}, and fewer than 2048 are not \
             secure. Get a certificate for a new key."
        )
    } else {
        format!(
            "the private key cannot be used: {error}. The certificate in {} is {kind}; RSA of \
             2048 to 8192 bits, ECDSA P-256, P-384, P-521 and Ed25519 are supported.",
            files.cert.display()
        )
    };
    Error::of_file(&files.key, what)
}

/// Whether the key belongs to the first certificate.
fn check_key(
    files: &CertificateFiles,
    chain: &[CertificateDer<'static>],
    key: &Arc<dyn SigningKey>,
) -> Result<(), Error> {
    let fits = |der: &CertificateDer<'static>| {
        CertifiedKey::new(vec![der.clone()], Arc::clone(key)).keys_match()
    };
    match chain.first().map(fits) {
        None | Some(Ok(()) | Err(TlsError::InconsistentKeys(InconsistentKeys::Unknown))) => Ok(()),
        Some(Err(TlsError::InconsistentKeys(_))) => {
            let owner = chain.iter().position(|der| fits(der).is_ok());
            Err(match owner {
                Some(index) => Error::of_file(
                    &files.cert,
                    format_args!(
                        "the key in {} belongs to the {} certificate of this file instead of the \
                         first. Put that certificate first, and its issuers after it.",
                        files.key.display(),
                        ordinal(index + 1)
                    ),
                ),
                None => Error::of_file(
                    &files.key,
                    format_args!(
                        "the key does not fit the certificate in {}. If only one of the two \
                         files was replaced, replace the other too.",
                        files.cert.display()
                    ),
                ),
            })
        }
        Some(Err(error)) => Err(Error::of_file(
            &files.cert,
            format_args!("the certificate cannot be used: {error}."),
        )),
    }
}

fn readable_by_others(key: &Path) -> Option<Warning> {
    let mode = std::fs::metadata(key).ok()?.permissions().mode();
    (mode & 0o007 != 0).then(|| {
        Warning::of_file(
            key,
            format_args!(
                "every user of this machine can access the private key (mode {:03o}). Use \
                 `chmod o= {}`.",
                mode & 0o777,
                key.display()
            ),
        )
    })
}

fn must_staple(cert: &Path) -> Warning {
    Warning::of_file(
        cert,
        "the certificate demands a stapled OCSP response (must-staple), and the gateway does not \
         fetch one: some clients will refuse to connect. Give a response in a file (`ocsp`), or \
         get a certificate without this demand.",
    )
}

fn names(leaf: &Parsed) -> Names {
    let mut names = Names::default();
    for name in leaf.alt_names() {
        match name {
            AltName::Dns(name) => names.dns.push(name),
            AltName::Address(address) => names.addresses.push(address),
            AltName::Email(_) | AltName::Uri(_) => {}
        }
    }
    names
}

#[cfg(test)]
mod tests;
