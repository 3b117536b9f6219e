//! What is kept in the store, and under which keys.
//!
//! ```text
//! DIRECTORY/accounts/EMAIL.json         the account at the authority with this directory
//! DIRECTORY/certificates/NAME.pem       the chain and its key
//! DIRECTORY/certificates/NAME.json      when it is to be renewed; may be lost
//! DIRECTORY/orders/NAME.json            an order in progress, with the key of its certificate
//! DIRECTORY/failures/NAME.json          how many orders have failed; may be lost
//! locks/DIRECTORY/NAME                  who works on it
//! ```

use janua_tls::{Certificate, CertificateFiles};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::failure::Failure;
use crate::schedule::Window;
use crate::store::Store;

/// The part of a key for the authority with this directory: its host, and what tells
/// two directories of one host apart.
pub(crate) fn directory_key(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    format!("{}-{}", safe(&host.replace(':', "_")), short_hash(path))
}

/// The part of a key for a host.
pub(crate) fn name_key(name: &str) -> String {
    match name.strip_prefix("*.") {
        Some(parent) => format!("wildcard_.{}", safe(parent)),
        None => safe(name),
    }
}

/// Characters that mean something to file systems are replaced; a name that could
/// then be mistaken for another is told apart by its hash.
fn safe(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._@".contains(c);
    let plain = text.len() <= 200 && !text.starts_with('.') && text.chars().all(is_plain);
    if plain && !text.is_empty() {
        return text.to_owned();
    }
    let kept: String = text.chars().filter(|&c| is_plain(c)).take(100).collect();
    format!("{}-{}", kept.trim_start_matches('.'), short_hash(text))
        .trim_start_matches('-')
        .to_owned()
}

fn short_hash(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

pub(crate) fn account_key(directory: &str, email: Option<&str>) -> String {
    let email = email.unwrap_or("no-email").to_ascii_lowercase();
    format!("{directory}/accounts/{}.json", safe(&email))
}

/// The lock of an account, which is held while it is made.
pub(crate) fn account_lock(directory: &str, email: Option<&str>) -> String {
    format!("locks/{}", account_key(directory, email))
}

pub(crate) fn certificate_key(directory: &str, name: &str) -> String {
    format!("{directory}/certificates/{}.pem", name_key(name))
}

fn renewal_key(directory: &str, name: &str) -> String {
    format!("{directory}/certificates/{}.json", name_key(name))
}

pub(crate) fn order_key(directory: &str, name: &str) -> String {
    format!("{directory}/orders/{}.json", name_key(name))
}

pub(crate) fn lock_key(directory: &str, name: &str) -> String {
    format!("locks/{directory}/{}", name_key(name))
}

/// When a certificate is to be renewed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Renewal {
    /// Of which certificate this is said.
    pub(crate) fingerprint: String,
    /// The chosen moment, in seconds since 1970.
    pub(crate) at: i64,
    /// The window of the authority that it lies in.
    pub(crate) window: Option<Window>,
    /// Where the authority explains its window.
    pub(crate) explanation: Option<String>,
}

/// An order in progress. It is written before the authority knows anything, so that
/// a gateway that is killed can finish it, and cleans up.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct PendingOrder {
    /// Its URL, once it is placed.
    pub(crate) url: Option<String>,
    /// The key of the certificate, as PEM.
    pub(crate) key: String,
    /// When it was begun, in seconds since 1970.
    pub(crate) begun: i64,
    /// The records in the DNS that have to be removed.
    pub(crate) records: Vec<PublishedRecord>,
}

/// A record that a service has put into the DNS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PublishedRecord {
    pub(crate) domain: String,
    pub(crate) name: String,
    pub(crate) value: String,
    /// What the service needs to find it again.
    pub(crate) record: Option<serde_json::Value>,
}

/// How many orders in a row have failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Failed {
    pub(crate) failures: u32,
    /// Until when the authority wants to be left alone, in seconds since 1970.
    pub(crate) until: Option<i64>,
}

fn failed_key(directory: &str, name: &str) -> String {
    format!("{directory}/failures/{}.json", name_key(name))
}

/// How many orders have failed, if any has.
pub(crate) fn failed(store: &dyn Store, directory: &str, name: &str) -> Option<Failed> {
    read(store, &failed_key(directory, name)).ok().flatten()
}

pub(crate) fn put_failed(
    store: &dyn Store,
    directory: &str,
    name: &str,
    failed: Option<&Failed>,
) -> Result<(), Failure> {
    let key = failed_key(directory, name);
    match failed {
        Some(failed) => write(store, &key, failed),
        None => store
            .remove(&key)
            .map_err(|error| Failure::storage(&store.place(&key), &error)),
    }
}

pub(crate) fn read<T: DeserializeOwned>(
    store: &dyn Store,
    key: &str,
) -> Result<Option<T>, Failure> {
    let fail = |error: &std::io::Error| Failure::storage(&store.place(key), error);
    let Some(bytes) = store.get(key).map_err(|error| fail(&error))? else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| fail(&error.into()))
}

pub(crate) fn write<T: Serialize>(store: &dyn Store, key: &str, value: &T) -> Result<(), Failure> {
    let written = serde_json::to_vec_pretty(value)
        .map_err(std::io::Error::from)
        .and_then(|bytes| store.put(key, &bytes));
    written.map_err(|error| Failure::storage(&store.place(key), &error))
}

/// The stored certificate for a name; none if there is none, or if it cannot be used,
/// which is logged.
pub(crate) fn certificate(store: &dyn Store, directory: &str, name: &str) -> Option<Certificate> {
    let key = certificate_key(directory, name);
    let place = store.place(&key);
    let pem = match store.get(&key) {
        Ok(pem) => pem?,
        Err(error) => {
            tracing::error!("the certificate in {place} cannot be read: {error}");
            return None;
        }
    };
    match parse(&place, &pem, &pem) {
        Ok(certificate) => Some(certificate),
        Err(error) => {
            tracing::error!("a stored certificate cannot be used, and is ordered anew: {error}");
            None
        }
    }
}

/// A certificate that is or will be kept at this place.
pub(crate) fn parse(
    place: &str,
    chain: &[u8],
    key: &[u8],
) -> Result<Certificate, janua_tls::Error> {
    let files = CertificateFiles {
        cert: place.into(),
        key: place.into(),
        ocsp: None,
    };
    Certificate::parse(&files, chain, key)
}

/// When this certificate is to be renewed, if that is known.
pub(crate) fn renewal(store: &dyn Store, directory: &str, name: &str) -> Option<Renewal> {
    read(store, &renewal_key(directory, name)).ok().flatten()
}

pub(crate) fn put_renewal(
    store: &dyn Store,
    directory: &str,
    name: &str,
    renewal: &Renewal,
) -> Result<(), Failure> {
    write(store, &renewal_key(directory, name), renewal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_readable_and_distinct() {
        let directory = directory_key("https://acme-v02.api.letsencrypt.org/directory");
        assert!(
            directory.starts_with("acme-v02.api.letsencrypt.org-"),
            "{directory}"
        );
        assert!(directory_key("https://a.example:8443/dir").starts_with("a.example_8443-"));
        assert_ne!(directory_key("https://a/x"), directory_key("https://a/y"));
        assert_eq!(name_key("a.example"), "a.example");
        assert_eq!(name_key("*.a.example"), "wildcard_.a.example");
        let address = name_key("[2001:db8::1]");
        assert!(address.starts_with("2001db81-"), "{address}");
        let long = "a.".repeat(120) + "example";
        assert!(name_key(&long).len() < 130);
        assert_ne!(name_key(&long), name_key(&format!("b.{long}")));
        for name in ["../x", "", ".", "a/b", "é"] {
            let key = name_key(name);
            assert!(
                !key.is_empty() && !key.starts_with('.') && !key.contains('/'),
                "{key}"
            );
        }
    }
}
