//! `eab` of an authority: external account binding, by which an authority knows
//! whose account is created (RFC 8555, section 7.3.4).

use std::path::PathBuf;

use crate::decode::{Decoder, TableReader};
use crate::diagnostic::Diagnostic;
use crate::macros::table;
use crate::reference::{FieldDoc, Presence};
use crate::secret;
use crate::span::Spanned;

table! {
    /// The account that an authority knows the operator by.
    pub struct Eab("a table such as `{ id = \"…\", key_file = \"eab.key\" }`") {
        /// The identifier of the key, as the authority gives it.
        id: Spanned<String> = required;
        /// The key, which is used once, when the gateway creates its account.
        key: EabKey = flatten;
    }
    refused {
        "key": "a secret does not belong in the configuration: write `key_file` or `key_env`",
    }
    check identifier
}

fn identifier(eab: &Eab, decoder: &mut Decoder<'_>) {
    if eab.id.trim().is_empty() {
        decoder.push(
            Diagnostic::error(eab.id.span, "the identifier is empty")
                .help("write the identifier of the key, as the authority gives it"),
        );
    }
}

/// The source of the key: `key_file` or `key_env`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EabKey {
    /// A file, relative to the working directory.
    File(Spanned<PathBuf>),
    /// The environment variable with this name.
    Env(Spanned<String>),
}

impl EabKey {
    /// The key as base64url without padding. Variables are looked up by `env`.
    ///
    /// # Errors
    /// If the reference cannot be resolved, or the content is not base64url. The
    /// messages contain no content.
    pub fn resolve(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<String, Diagnostic> {
        let (span, content) = match self {
            Self::File(path) => (path.span, secret::file(path)),
            Self::Env(name) => (name.span, secret::variable(name, env)),
        };
        let content = content.map_err(|why| Diagnostic::error(span, why))?;
        let key = content.trim().trim_end_matches('=');
        let is_base64url = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        // One character more than a multiple of four encodes nothing.
        if key.is_empty() || key.len() % 4 == 1 || !key.bytes().all(is_base64url) {
            return Err(
                Diagnostic::error(span, "the key is not base64url (RFC 4648, section 5)")
                    .help("copy the key of the external account as the authority shows it"),
            );
        }
        Ok(key.to_owned())
    }

    /// Reads the key's source from a table.
    pub(crate) fn take(table: &mut TableReader<'_, '_, '_, '_>) -> Option<Self> {
        let file = table.optional("key_file")?.map(Self::File);
        let env = table.optional("key_env")?.map(Self::Env);
        match (table.key_span("key_file"), table.key_span("key_env")) {
            (Some(first), Some(second)) => table.decoder.refuse(
                Diagnostic::error(second, "there are two keys: `key_file` and `key_env`")
                    .note(first, "the other one")
                    .help("keep one of them"),
            ),
            // It is refused with the reason.
            (None, None) if table.key_span("key").is_some() => None,
            (None, None) => table.decoder.refuse(
                Diagnostic::error(table.span, "the key is missing")
                    .help("add `key_file`, the file that it is in, or `key_env`"),
            ),
            _ => file.or(env),
        }
    }

    /// The fields that refer to the key, for the reference.
    pub(crate) fn describe_fields(path: &str, fields: &mut Vec<FieldDoc>) {
        let one_of = || Presence::optional("one of `key_file`, `key_env`");
        FieldDoc::add::<PathBuf>(
            fields,
            path,
            "key_file",
            one_of(),
            "The file that the key is in, as base64url, relative to this file.",
        );
        FieldDoc::add::<String>(
            fields,
            path,
            "key_env",
            one_of(),
            "The environment variable that the key is in, as base64url.",
        );
    }
}
