//! `certificate` of a site: what it proves its name with.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::de::DeValue;

use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::list::{NonEmpty, OneOrMany};
use crate::macros::table;
use crate::reference::FieldDoc;
use crate::span::Spanned;
use crate::tree::{ToTree, Tree};

/// The certificate of a site.
#[derive(Debug, Clone)]
pub enum Certificate {
    /// The gateway makes one for the site's hosts, which no client trusts by
    /// itself: for development.
    SelfSigned,
    /// Files. There are several for keys of different types, such as ECDSA and
    /// RSA; each client gets the first that it can verify.
    Files(NonEmpty<CertificateFiles>),
}

table! {
    /// The files of a certificate. They are opened when the snapshot is built.
    pub struct CertificateFiles("a table such as `{ cert = \"a.crt\", key = \"a.key\" }`") {
        /// The certificate, followed by those of its issuers except the root, as
        /// PEM. The path is relative to this file.
        cert: Spanned<PathBuf> = required;
        /// Its private key as PEM, relative to this file. Only the user of the
        /// process should be able to read it.
        key: Spanned<PathBuf> = required;
        /// An OCSP response for the certificate as DER, relative to this file,
        /// which clients get with it.
        ocsp: Option<Spanned<PathBuf>> = optional("none");
    }
    called "certificate" by label
}

impl CertificateFiles {
    fn label(&self) -> String {
        self.cert.display().to_string()
    }
}

/// What to write for files.
const FILES: &str = "write `{ cert = \"a.crt\", key = \"a.key\" }`";

impl Decode for Certificate {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let span = decoder.span(node);
        match node.get_ref() {
            DeValue::String(word) => match &**word {
                "self-signed" => Some(Self::SelfSigned),
                "auto" => decoder.refuse(
                    Diagnostic::error(
                        span,
                        "`auto` (certificates by ACME) is not supported by this version",
                    )
                    .help(format!("{FILES}, or \"self-signed\" for development")),
                ),
                other => decoder.refuse(
                    Diagnostic::error(span, format!("`{other}` is not a certificate"))
                        .help(format!("{FILES}, or \"self-signed\" for development")),
                ),
            },
            DeValue::Table(_) | DeValue::Array(_) => {
                let files = OneOrMany::<CertificateFiles>::decode(node, decoder)?.0;
                distinct(&files, decoder);
                Some(Self::Files(NonEmpty(files)))
            }
            _ => decoder.mismatch(node, &Self::kind()),
        }
    }

    fn kind() -> String {
        format!(
            "\"self-signed\", {}, or a list of them",
            CertificateFiles::kind()
        )
    }

    fn describe(path: &str, fields: &mut Vec<FieldDoc>) {
        CertificateFiles::describe(&format!("{path}[]"), fields);
    }
}

/// Refuses a certificate that is given twice: the second would never be chosen.
fn distinct(files: &[CertificateFiles], decoder: &mut Decoder<'_>) {
    let mut seen: BTreeMap<&PathBuf, &Spanned<PathBuf>> = BTreeMap::new();
    for CertificateFiles { cert, .. } in files {
        match seen.get(&cert.value) {
            Some(first) => decoder.push(
                Diagnostic::error(cert.span, "the certificate is given twice")
                    .note(first.span, "first here")
                    .help("leave one of them out"),
            ),
            None => drop(seen.insert(&cert.value, cert)),
        }
    }
}

impl ToTree for Certificate {
    fn to_tree(&self) -> Tree {
        match self {
            Self::SelfSigned => Tree::Value("self-signed".to_owned()),
            Self::Files(files) => files.to_tree(),
        }
    }
}
