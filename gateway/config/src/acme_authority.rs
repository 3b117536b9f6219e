//! An authority: whose directory it has, what the gateway agrees to, and how it
//! proves that it controls a name.

use std::path::PathBuf;

use crate::acme_directory::Directory;
use crate::acme_dns::AcmeDns;
use crate::acme_eab::Eab;
use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::list::NonEmpty;
use crate::macros::{table, words};
use crate::names::AuthorityName;
use crate::span::Spanned;
use crate::tree::{ToTree, Tree};

table! {
    /// An authority that issues certificates by ACME (RFC 8555).
    pub struct Authority("a table of an authority") {
        /// The address that the authority may write to about the account.
        email: Option<Spanned<String>> = optional("none");
        /// The authority: `"letsencrypt"`, `"letsencrypt-staging"` for tests (no client
        /// trusts its certificates), `"zerossl"`, or the `https` URL of another one's
        /// directory (RFC 8555, section 7.1.1).
        directory: Spanned<Directory> = default("\"letsencrypt\"");
        /// The directory where an order is tried first after it has failed, so that
        /// repeated failures do not use up the limits of the authority itself.
        test_directory: Option<Spanned<Directory>> = optional("`\"letsencrypt-staging\"` if `directory` is `\"letsencrypt\"`, otherwise none");
        /// Must be `true`: you have read the terms of service of the authority, and agree
        /// to them.
        accept_terms: Spanned<TermsAccepted> = required;
        /// How the gateway may prove that it controls a name. `"tls-alpn-01"` (RFC 8737):
        /// the authority connects to port 443. `"http-01"` (RFC 8555, section 8.3): it
        /// connects to port 80. `"dns-01"` (section 8.4): it asks the DNS, which needs
        /// `dns`, and is the only one for hosts such as `*.example.com`.
        challenges: NonEmpty<Spanned<Challenge>> = default("[\"tls-alpn-01\", \"http-01\"]");
        /// How the records of `dns-01` are published.
        dns: Option<Spanned<AcmeDns>> = optional("none");
        /// The profile of the certificates, one of those that the authority lists in its
        /// directory: `"shortlived"`.
        profile: Option<Spanned<String>> = optional("as the authority decides");
        /// The type of the certificates' keys.
        key_type: KeyType = default("\"p256\"");
        /// The account that the authority knows you by (external account binding, RFC 8555,
        /// section 7.3.4). ZeroSSL requires it.
        eab: Option<Eab> = optional("none");
        /// The certificates that are trusted on connections to the authority, as PEM,
        /// relative to this file.
        roots: Option<Spanned<PathBuf>> = optional("those of the system");
        /// The names of further authorities (`[acme.<name>]`), which are tried in this order
        /// when an order fails. Their own fallbacks are not followed.
        fallback: Vec<Spanned<AuthorityName>> = default("[]");
    }
    check values
}

impl Authority {
    /// The directory where an order is tried first after it has failed.
    pub fn test_directory(&self) -> Option<&Directory> {
        match (&self.test_directory, &self.directory.value) {
            (Some(test), _) => Some(&test.value),
            (None, Directory::LetsEncrypt) => Some(&Directory::LetsEncryptStaging),
            (None, _) => None,
        }
    }

    /// Whether a challenge may be used.
    pub fn has_challenge(&self, challenge: Challenge) -> bool {
        self.challenges.iter().any(|it| it.value == challenge)
    }
}

words! {
    /// A way to prove the control of a name.
    pub enum Challenge {
        /// By a certificate in a handshake, RFC 8737.
        TlsAlpn01 = "tls-alpn-01",
        /// By a response over HTTP, RFC 8555, section 8.3.
        Http01 = "http-01",
        /// By a record in the DNS, RFC 8555, section 8.4.
        Dns01 = "dns-01",
    }
    refused {
        "tls-sni-01": "no authority offers it any more; its successor is \"tls-alpn-01\"",
        "tls-sni-02": "no authority offers it any more; its successor is \"tls-alpn-01\"",
    }
}

words! {
    /// The type of a certificate's key.
    pub enum KeyType {
        /// ECDSA with the curve P-256.
        P256 = "p256",
        /// ECDSA with the curve P-384.
        P384 = "p384",
        /// RSA with 2048 bits.
        Rsa2048 = "rsa2048",
        /// RSA with 4096 bits.
        Rsa4096 = "rsa4096",
    }
}

/// The consent of the operator to the terms of service of an authority, without
/// which nothing is ordered (RFC 8555, section 7.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TermsAccepted;

impl Decode for TermsAccepted {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        if bool::decode(node, decoder)? {
            return Some(Self);
        }
        let span = decoder.span(node);
        decoder.refuse(
            Diagnostic::error(
                span,
                "the authority issues certificates only to those who agree to its terms of service",
            )
            .help("read them, and write `accept_terms = true` if you agree"),
        )
    }

    fn kind() -> String {
        "`true`, which says that you agree to the authority's terms of service".to_owned()
    }
}

impl ToTree for TermsAccepted {
    fn to_tree(&self) -> Tree {
        true.to_tree()
    }
}

/// Checks the values of single fields. What they are to each other is checked
/// once the whole configuration is read.
fn values(authority: &Authority, decoder: &mut Decoder<'_>) {
    if let Some(email) = &authority.email
        && let Some(help) = wrong_email(email)
    {
        decoder.push(
            Diagnostic::error(email.span, format!("`{email}` is not an e-mail address")).help(help),
        );
    }
    if let Some(profile) = &authority.profile
        && (profile.is_empty() || !profile.bytes().all(|b| b.is_ascii_graphic()))
    {
        decoder.push(
            Diagnostic::error(
                profile.span,
                "the profile is empty, or has other than visible ASCII characters",
            )
            .help("write a name that the authority lists in its directory: \"shortlived\""),
        );
    }
    distinct(authority.challenges.iter(), |it| it.as_str(), decoder);
    distinct(authority.fallback.iter(), |it| it.as_str(), decoder);
}

/// What to write instead of what is not one e-mail address.
fn wrong_email(email: &str) -> Option<&'static str> {
    // The address becomes a URL `mailto:…`, which RFC 8555, section 7.3, allows
    // neither several addresses in, nor header fields.
    let is_plain = |part: &str| {
        let special = |c: char| c.is_whitespace() || c.is_control() || ",;:?<>".contains(c);
        !part.is_empty() && !part.contains(special)
    };
    match email.split_once('@') {
        _ if email.starts_with("mailto:") => Some("write the address alone, without `mailto:`"),
        Some((name, host)) if is_plain(name) && is_plain(host) && !host.contains('@') => None,
        _ => Some("write one address: \"ops@example.com\""),
    }
}

/// Refuses words that occur twice in a list.
fn distinct<'a, T: 'a>(
    items: impl Iterator<Item = &'a Spanned<T>>,
    word: fn(&T) -> &str,
    decoder: &mut Decoder<'_>,
) {
    let mut seen: Vec<&Spanned<T>> = Vec::new();
    for item in items {
        let text = word(&item.value);
        match seen.iter().find(|first| word(&first.value) == text) {
            Some(first) => decoder.push(
                Diagnostic::error(item.span, format!("\"{text}\" is given twice"))
                    .note(first.span, "first here")
                    .help("leave one of them out"),
            ),
            None => seen.push(item),
        }
    }
}
