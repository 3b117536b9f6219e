//! Certificates, keys and revocation lists from PEM files (RFC 7468).

use std::path::Path;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use crate::error::Error;

/// The bytes of a file.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(file).map_err(|error| Error::of_io(file, "read", &error))
}

/// All certificates of a file, in its order; there is at least one.
pub(crate) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    certificates_in(file, &read(file)?)
}

/// The same of a file that has been read: `file` is for messages.
pub(crate) fn certificates_in(
    file: &Path,
    bytes: &[u8],
) -> Result<Vec<CertificateDer<'static>>, Error> {
    sections(file, bytes, "certificate", "x509")
}

/// All certificate revocation lists of a file; there is at least one.
pub(crate) fn revocation_lists(
    file: &Path,
) -> Result<Vec<CertificateRevocationListDer<'static>>, Error> {
    sections(file, &read(file)?, "certificate revocation list", "crl")
}

/// The first private key of a file that has been read: PKCS#8, or the older forms
/// of RSA (PKCS#1) and elliptic curves (SEC 1). `file` is for messages.
pub(crate) fn private_key_in(file: &Path, bytes: &[u8]) -> Result<PrivateKeyDer<'static>, Error> {
    if is_encrypted(bytes) {
        return Err(Error::of_file(
            file,
            "the private key is encrypted, and the gateway has nobody to ask for the \
             passphrase. Write it out without one: `openssl pkey -in KEY -out NEW`, and make \
             the file readable by the gateway's user alone.",
        ));
    }
    let mut keys: Vec<PrivateKeyDer<'static>> = sections(file, bytes, "private key", "pkey")?;
    // There is at least one.
    Ok(keys.swap_remove(0))
}

/// All sections of one kind; an error if there is none. `tool` is the command
/// of `openssl` that converts them.
fn sections<T: PemObject>(
    file: &Path,
    bytes: &[u8],
    kind: &str,
    tool: &str,
) -> Result<Vec<T>, Error> {
    let found: Vec<T> = T::pem_slice_iter(bytes)
        .collect::<Result<_, _>>()
        .map_err(|error| malformed(file, &error))?;
    if !found.is_empty() {
        return Ok(found);
    }
    let labels = labels(bytes);
    let instead = if !labels.is_empty() {
        format!("it holds {} instead", labels.join(", "))
    } else if bytes.first() == Some(&0x30) {
        format!("it looks like DER; convert it with `openssl {tool} -inform der -in FILE -out NEW`")
    } else if bytes.is_empty() {
        "it is empty".into()
    } else {
        "it is not a PEM file, which has lines such as `-----BEGIN CERTIFICATE-----`".into()
    };
    Err(Error::of_file(
        file,
        format_args!("there is no {kind} in this file: {instead}."),
    ))
}

fn malformed(file: &Path, error: &pem::Error) -> Error {
    let what = match error {
        pem::Error::MissingSectionEnd { end_marker } => format!(
            "a section has no end; the line `-----END {}-----` is missing. The file may have been \
             cut off while it was copied.",
            String::from_utf8_lossy(end_marker)
        ),
        pem::Error::IllegalSectionStart { line } => format!(
            "the line `{}` does not begin a section.",
            String::from_utf8_lossy(line).trim_end()
        ),
        pem::Error::Base64Decode(_) => {
            "a section is not valid base64. The file may have been damaged while it was copied."
                .into()
        }
        other => format!("{other}."),
    };
    Error::of_file(file, format_args!("not a valid PEM file: {what}"))
}

fn is_encrypted(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----")
        || text.contains("Proc-Type: 4,ENCRYPTED")
}

/// What the sections of a PEM file call themselves, each once.
fn labels(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut labels: Vec<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("-----BEGIN ")?.strip_suffix("-----"))
        .map(|label| format!("`{label}`"))
        .collect();
    labels.dedup();
    labels
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::testing::{Authority, Scratch};

    fn error_of(content: &[u8], read: fn(&Path) -> Option<Error>) -> String {
        let scratch = Scratch::new();
        let file = scratch.write("file.pem", content);
        let error = read(&file).unwrap().to_string();
        let prefix = format!("{}: ", file.display());
        error.strip_prefix(&prefix).unwrap().to_owned()
    }

    fn no_chain(file: &Path) -> Option<Error> {
        certificates(file).err()
    }

    fn no_key(file: &Path) -> Option<Error> {
        private_key_in(file, &read(file).unwrap()).err()
    }

    #[test]
    fn what_a_file_holds_instead_is_said() {
        let issued = Authority::new("Test CA").issue(&["a.example"]);
        assert_eq!(
            error_of(issued.key_pem.as_bytes(), no_chain),
            "there is no certificate in this file: it holds `PRIVATE KEY` instead."
        );
        assert_eq!(
            error_of(issued.chain_pem.as_bytes(), no_key),
            "there is no private key in this file: it holds `CERTIFICATE` instead."
        );
        assert_eq!(
            error_of(&issued.chain[0], no_chain),
            "there is no certificate in this file: it looks like DER; convert it with \
             `openssl x509 -inform der -in FILE -out NEW`."
        );
        assert_eq!(
            error_of(b"", no_key),
            "there is no private key in this file: it is empty."
        );
        assert!(error_of(b"hello", no_chain).contains("it is not a PEM file"));
    }

    #[test]
    fn damage_is_said() {
        let issued = Authority::new("Test CA").issue(&["a.example"]);
        let cut = &issued.chain_pem.as_bytes()[..200];
        assert!(error_of(cut, no_chain).contains("`-----END CERTIFICATE-----` is missing"));
        let spoilt = issued.key_pem.replace("MIG", "M!G");
        assert!(error_of(spoilt.as_bytes(), no_key).contains("not valid base64"));
    }

    #[test]
    fn an_encrypted_key_is_named_as_such() {
        let key =
            b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        assert!(error_of(key, no_key).starts_with("the private key is encrypted"));
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = certificates(&PathBuf::from("/nowhere/a.crt")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "/nowhere/a.crt: cannot be read: there is no such file."
        );
    }
}
