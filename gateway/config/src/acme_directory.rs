//! The directory of an authority: the URL where its ACME server begins.

use std::fmt;

use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::suggest;
use crate::webhook;

/// The directory of an authority (RFC 8555, section 7.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Directory {
    /// Let's Encrypt.
    LetsEncrypt,
    /// The test environment of Let's Encrypt, whose certificates no client trusts.
    LetsEncryptStaging,
    /// ZeroSSL.
    ZeroSsl,
    /// Another authority, by the `https` URL of its directory.
    Url(String),
}

impl Directory {
    /// The words for those that are known.
    const WORDS: [(&str, Self); 3] = [
        ("letsencrypt", Self::LetsEncrypt),
        ("letsencrypt-staging", Self::LetsEncryptStaging),
        ("zerossl", Self::ZeroSsl),
    ];

    /// The URL.
    pub fn url(&self) -> &str {
        match self {
            Self::LetsEncrypt => "https://acme-v02.api.letsencrypt.org/directory",
            Self::LetsEncryptStaging => "https://acme-staging-v02.api.letsencrypt.org/directory",
            Self::ZeroSsl => "https://acme.zerossl.com/v2/DV90",
            Self::Url(url) => url,
        }
    }

    /// Whether it belongs to a public authority, which certifies public names only.
    pub fn is_public(&self) -> bool {
        !matches!(self, Self::Url(_))
    }

    /// The directory with this word.
    pub(crate) fn known(word: &str) -> Option<Self> {
        let found = Self::WORDS.into_iter().find(|(known, _)| *known == word);
        found.map(|(_, directory)| directory)
    }
}

/// As it is written in the file.
impl fmt::Display for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Self::WORDS.iter().find(|(_, known)| known == self);
        f.write_str(known.map_or_else(|| self.url(), |(word, _)| word))
    }
}

impl Decode for Directory {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = decoder.text(node, &Self::kind())?;
        if let Some(known) = Self::known(text) {
            return Some(known);
        }
        if text.starts_with("https://") && webhook::is_url(text) {
            return Some(Self::Url(text.to_owned()));
        }
        let near = suggest::nearest(text, Self::WORDS.iter().map(|(word, _)| *word));
        let help = match near {
            _ if text.starts_with("http://") => {
                "ACME needs `https` (RFC 8555, section 6.1); `roots` names the certificate of an \
                 authority that the system does not trust"
                    .to_owned()
            }
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("write {}", Self::kind()),
        };
        let span = decoder.span(node);
        decoder.refuse(
            Diagnostic::error(
                span,
                format!("`{text}` is not the directory of an authority"),
            )
            .help(help),
        )
    }

    fn kind() -> String {
        "\"letsencrypt\", \"letsencrypt-staging\", \"zerossl\", or an `https` URL".to_owned()
    }
}
