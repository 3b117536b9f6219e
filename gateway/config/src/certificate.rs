//! `certificate` of a site: what it proves its name with.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::de::{DeTable, DeValue};

use crate::acme_certificate::AcmeCertificate;
use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::list::{NonEmpty, OneOrMany};
use crate::macros::table;
use crate::reference::FieldDoc;
use crate::span::{Span, Spanned};
use crate::suggest;
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
    /// One that an authority issues, by ACME.
    Acme(AcmeCertificate),
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

/// What to write for a certificate.
const EACH: &str = "write \"auto\" for one by ACME, `{ cert = \"a.crt\", key = \"a.key\" }` for files, \
                    or \"self-signed\" for development";

impl Decode for Certificate {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let span = decoder.span(node);
        match node.get_ref() {
            DeValue::String(word) => match &**word {
                "self-signed" => Some(Self::SelfSigned),
                // All defaults, at the position of the word.
                "auto" => decoder.default("{}", span).map(Self::Acme),
                other => decoder.refuse(
                    Diagnostic::error(span, format!("`{other}` is not a certificate")).help(EACH),
                ),
            },
            DeValue::Table(table) if is_acme(table, span, decoder)? => {
                AcmeCertificate::decode(node, decoder).map(Self::Acme)
            }
            DeValue::Array(items) if items.iter().any(is_acme_item) => decoder.refuse(
                Diagnostic::error(span, "a certificate by ACME is not in a list")
                    .help("write it alone; only files are listed, for keys of different types"),
            ),
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
            "\"auto\", {}, \"self-signed\", {}, or a list of the latter",
            AcmeCertificate::kind(),
            CertificateFiles::kind()
        )
    }

    fn describe(path: &str, fields: &mut Vec<FieldDoc>) {
        AcmeCertificate::describe(path, fields);
        CertificateFiles::describe(&format!("{path}[]"), fields);
    }
}

/// The fields of a certificate by ACME.
const ACME: [&str; 2] = ["acme", "on_demand"];
/// The fields of a certificate from files.
const FILES: [&str; 3] = ["cert", "key", "ocsp"];

/// Whether a table is that of a certificate by ACME. Refuses one that is both, and
/// one that is empty.
fn is_acme(table: &DeTable<'_>, span: Span, decoder: &mut Decoder<'_>) -> Option<bool> {
    let one_of = |fields: &[&str]| {
        let mut fields = fields.iter();
        fields.find_map(|field| table.get_key_value(*field).map(|(key, _)| key))
    };
    match (one_of(&ACME), one_of(&FILES)) {
        (Some(acme), Some(file)) => {
            let (acme, file) = (decoder.span(acme), decoder.span(file));
            decoder.refuse(
                Diagnostic::error(acme, "the certificate is from an authority and from files")
                    .note(file, "the files")
                    .help("keep one of them"),
            )
        }
        (Some(_), None) => Some(true),
        (None, Some(_)) => Some(false),
        (None, None) if table.is_empty() => decoder
            .refuse(Diagnostic::error(span, "the table does not say which certificate").help(EACH)),
        (None, None) => {
            let is_misspelt = |key: &str| suggest::nearest(key, ACME).is_some();
            Some(table.keys().any(|key| is_misspelt(key.get_ref())))
        }
    }
}

fn is_acme_item(item: &Node<'_>) -> bool {
    match item.get_ref() {
        DeValue::String(word) => &**word == "auto",
        DeValue::Table(table) => ACME.iter().any(|field| table.contains_key(*field)),
        _ => false,
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
            Self::Acme(certificate) => match (&certificate.acme, &certificate.on_demand) {
                (None, None) => Tree::Value("auto".to_owned()),
                _ => certificate.to_tree(),
            },
        }
    }
}
