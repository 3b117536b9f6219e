//! `[secrets.<name>]`: secrets that policies use by their names, without seeing them.

use std::path::PathBuf;

use crate::decode::{Decode, Decoder, Node, TableReader};
use crate::diagnostic::Diagnostic;
use crate::list::OneOrMany;
use crate::macros::table;
use crate::names::{Definition, Kind, UpstreamName};
use crate::reference::{FieldDoc, Presence};
use crate::span::{Span, Spanned};

table! {
    /// A secret, under a name that the configurations and grants of policies use.
    pub struct NamedSecret("a table with the source of a secret") {
        /// Where it comes from.
        source: SecretSource = flatten;
    }
    refused {
        "value": "a secret does not belong in the configuration: write `file`, `env` or `credential`",
    }
}

impl Definition for NamedSecret {
    const KIND: Kind = Kind::Secret;
    /// Names with a colon are those that the gateway makes for secrets without a name.
    const REFUSED: &[char] = &[':'];
    const REFUSED_BECAUSE: &str = "the gateway makes names with a colon for secrets that stand in the configuration of a policy";
}

/// Where a secret comes from, and what it consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// Files of any bytes, relative to the working directory.
    File(OneOrMany<Spanned<PathBuf>>),
    /// The environment variables with these names.
    Env(OneOrMany<Spanned<String>>),
    /// Credentials of systemd.
    Credential(OneOrMany<Spanned<CredentialName>>),
    /// A file of users.
    Htpasswd(Spanned<PathBuf>),
    /// Files of public keys and certificates.
    Pem(OneOrMany<Spanned<PathBuf>>),
    /// Files with JSON Web Key Sets.
    Jwks(OneOrMany<Spanned<PathBuf>>),
    /// A JSON Web Key Set that is fetched.
    JwksUrl {
        /// Its URL.
        url: Spanned<String>,
        /// The upstream that is asked, in place of the URL's host.
        upstream: Option<Spanned<UpstreamName>>,
        /// The authorities that are trusted.
        ca: Option<Spanned<PathBuf>>,
    },
}

/// The fields, of which a secret has one.
const FIELDS: [&str; 7] = [
    "file",
    "env",
    "credential",
    "htpasswd_file",
    "pem_file",
    "jwks_file",
    "jwks_url",
];

impl SecretSource {
    /// The files that it is read from.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let (many, one) = match self {
            Self::File(paths) | Self::Pem(paths) | Self::Jwks(paths) => (Some(paths), None),
            Self::Htpasswd(path) => (None, Some(path)),
            Self::Env(_) | Self::Credential(_) | Self::JwksUrl { .. } => (None, None),
        };
        let many = many.into_iter().flat_map(|paths| paths.iter());
        many.chain(one).map(|path| &path.value)
    }

    /// The position of what it is read from, by its number.
    pub fn span(&self, place: usize) -> Option<Span> {
        match self {
            Self::File(paths) | Self::Pem(paths) | Self::Jwks(paths) => {
                paths.get(place).map(|path| path.span)
            }
            Self::Env(names) => names.get(place).map(|name| name.span),
            Self::Credential(names) => names.get(place).map(|name| name.span),
            Self::Htpasswd(path) => Some(path.span),
            Self::JwksUrl { url, .. } => Some(url.span),
        }
    }

    /// Whether a key of a table could be the source of a secret that stands in place of a
    /// name.
    pub(crate) fn is_field(key: &str) -> bool {
        key != "jwks_url" && FIELDS.contains(&key)
    }

    /// A source that stands in place of a name, from its field and what it lists.
    pub(crate) fn inline(
        key: &str,
        texts: Vec<Spanned<String>>,
        directory: &std::path::Path,
    ) -> Option<Self> {
        let paths = |texts: Vec<Spanned<String>>| {
            let path = |text: Spanned<String>| Spanned::new(directory.join(&text.value), text.span);
            OneOrMany(texts.into_iter().map(path).collect())
        };
        Some(match key {
            "file" => Self::File(paths(texts)),
            "pem_file" => Self::Pem(paths(texts)),
            "jwks_file" => Self::Jwks(paths(texts)),
            "env" => Self::Env(OneOrMany(texts)),
            "credential" => {
                let name = |text: Spanned<String>| {
                    Some(Spanned::new(CredentialName::new(&text.value)?, text.span))
                };
                let names: Option<Vec<_>> = texts.into_iter().map(name).collect();
                Self::Credential(OneOrMany(names?))
            }
            "htpasswd_file" => Self::Htpasswd(match paths(texts).0.as_slice() {
                [path] => path.clone(),
                _ => return None,
            }),
            _ => return None,
        })
    }

    /// Reads the one source of a table.
    pub(crate) fn take(table: &mut TableReader<'_, '_, '_, '_>) -> Option<Self> {
        let file = table.optional("file")?.map(Self::File);
        let env = table.optional("env")?.map(Self::Env);
        let credential = table.optional("credential")?.map(Self::Credential);
        let htpasswd = table.optional("htpasswd_file")?.map(Self::Htpasswd);
        let pem = table.optional("pem_file")?.map(Self::Pem);
        let jwks = table.optional("jwks_file")?.map(Self::Jwks);
        let url: Option<Spanned<String>> = table.optional("jwks_url")?;
        let upstream: Option<Spanned<UpstreamName>> = table.optional("upstream")?;
        let ca: Option<Spanned<PathBuf>> = table.optional("ca")?;

        let mut written = FIELDS
            .iter()
            .filter_map(|name| Some((name, table.key_span(name)?)));
        let (first, second) = (written.next(), written.next());
        let how = "a secret has one source: `file`, `env`, `credential`, `htpasswd_file`, \
                   `pem_file`, `jwks_file` or `jwks_url`; several files are a list";
        match (first, second) {
            (None, _) => {
                return table
                    .decoder
                    .refuse(Diagnostic::error(table.span, "the secret has no source").help(how));
            }
            (Some((name, first)), Some((other, second))) => {
                return table.decoder.refuse(
                    Diagnostic::error(
                        second,
                        format!("there are two sources: `{name}` and `{other}`"),
                    )
                    .note(first, "the other one")
                    .help(how),
                );
            }
            (Some(_), None) => {}
        }
        for name in ["upstream", "ca"] {
            if let Some(span) = table.key_span(name).filter(|_| url.is_none()) {
                return table.decoder.refuse(
                    Diagnostic::error(span, format!("`{name}` belongs to a `jwks_url`"))
                        .help("leave it out: this secret is not fetched"),
                );
            }
        }
        if let (Some(upstream), Some(ca)) = (&upstream, &ca) {
            return table.decoder.refuse(
                Diagnostic::error(ca.span, "`ca` has no effect beside `upstream`")
                    .note(upstream.span, "the upstream is asked")
                    .help("the `tls.ca` of the upstream says whom to trust"),
            );
        }
        let url = url.map(|url| Self::JwksUrl { url, upstream, ca });
        file.or(env)
            .or(credential)
            .or(htpasswd)
            .or(pem)
            .or(jwks)
            .or(url)
    }

    /// The fields for the reference.
    pub(crate) fn describe_fields(path: &str, fields: &mut Vec<FieldDoc>) {
        let one_of = || Presence::optional("one of these sources");
        FieldDoc::add::<OneOrMany<PathBuf>>(
            fields,
            path,
            "file",
            one_of(),
            "A file with a key or a text, relative to this file. One line end at its end is not \
             part of it. Of a list, the first one signs and seals, and each checks and opens: so \
             a key is replaced without loss.",
        );
        FieldDoc::add::<OneOrMany<String>>(
            fields,
            path,
            "env",
            one_of(),
            "An environment variable with a key or a text, or a list as for `file`.",
        );
        FieldDoc::add::<OneOrMany<CredentialName>>(
            fields,
            path,
            "credential",
            one_of(),
            "A credential of systemd (`LoadCredential=`) with a key or a text, or a list as for \
             `file`.",
        );
        FieldDoc::add::<PathBuf>(
            fields,
            path,
            "htpasswd_file",
            one_of(),
            "A file of users, as `htpasswd -B` makes it: lines of `user:hash`.",
        );
        FieldDoc::add::<OneOrMany<PathBuf>>(
            fields,
            path,
            "pem_file",
            one_of(),
            "A file of public keys (`PUBLIC KEY`, `RSA PUBLIC KEY`) and certificates that \
             signatures are checked with, or a list of such files.",
        );
        FieldDoc::add::<OneOrMany<PathBuf>>(
            fields,
            path,
            "jwks_file",
            one_of(),
            "A JSON Web Key Set (RFC 7517), or a list of them. Keys that cannot be used are \
             skipped with a warning.",
        );
        FieldDoc::add::<String>(
            fields,
            path,
            "jwks_url",
            one_of(),
            "Where a JSON Web Key Set is fetched. Not supported by this version.",
        );
        FieldDoc::add::<UpstreamName>(
            fields,
            path,
            "upstream",
            Presence::optional("the host of the URL is asked"),
            "The upstream that is asked for `jwks_url`.",
        );
        FieldDoc::add::<PathBuf>(
            fields,
            path,
            "ca",
            Presence::optional("the authorities of the system"),
            "The authorities that are trusted for `jwks_url`.",
        );
    }
}

/// The name of a credential: that of a file in the directory of the credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialName(String);

impl CredentialName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn new(text: &str) -> Option<Self> {
        let is_name = !matches!(text, "" | "." | "..") && !text.contains(['/', '\0']);
        is_name.then(|| Self(text.to_owned()))
    }
}

impl Decode for CredentialName {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = decoder.text(node, &Self::kind())?;
        let span = decoder.span(node);
        CredentialName::new(text).or_else(|| {
            decoder.refuse(
                Diagnostic::error(span, format!("`{text}` is not the name of a credential"))
                    .help("write the name that `LoadCredential=` gives it in the unit of systemd"),
            )
        })
    }

    fn kind() -> String {
        "the name of a credential".to_owned()
    }
}
