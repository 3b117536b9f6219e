//! `tls` of a site: which versions and cipher suites it speaks, and whether
//! clients need a certificate.

use std::path::PathBuf;

use crate::decode::Decoder;
use crate::diagnostic::Diagnostic;
use crate::list::OneOrMany;
use crate::listener_tls::distinct;
use crate::macros::{table, words};
use crate::span::Spanned;

table! {
    /// TLS as a site speaks it, on each of its listeners that has `tls`.
    pub struct SiteTls("a table such as `{ min_version = \"1.3\" }`") {
        /// The oldest version.
        min_version: Spanned<TlsVersion> = default("\"1.2\"");
        /// The newest version.
        max_version: Spanned<TlsVersion> = default("\"1.3\"");
        /// The cipher suites, in order of preference, by their names of IANA or
        /// OpenSSL; or a string as OpenSSL has it: `"HIGH:!aNULL:!MD5"`.
        ciphers: Option<OneOrMany<Spanned<String>>> = optional("all that this version has");
        /// The certificates that clients prove their identity with.
        client_auth: Option<ClientAuth> = optional("clients are not asked for one");
    }
    check whole
}

fn whole(tls: &SiteTls, decoder: &mut Decoder<'_>) {
    if (tls.min_version.value, tls.max_version.value) == (TlsVersion::V13, TlsVersion::V12) {
        let fault = Diagnostic::error(
            tls.max_version.span,
            "`max_version` is older than `min_version`",
        );
        decoder.push(
            fault
                .note(tls.min_version.span, "the oldest version")
                .help("leave `max_version` out for the newest"),
        );
    }
    distinct(tls.ciphers.iter().flat_map(|names| names.iter()), decoder);
}

words! {
    /// A version of TLS.
    pub enum TlsVersion {
        /// TLS 1.2, RFC 5246.
        V12 = "1.2",
        /// TLS 1.3, RFC 8446.
        V13 = "1.3",
    }
    refused {
        "1.0": "not supported, because RFC 8996 prohibits it",
        "1.1": "not supported, because RFC 8996 prohibits it",
        "TLSv1": "not supported, because RFC 8996 prohibits it",
        "TLSv1.1": "not supported, because RFC 8996 prohibits it",
        "TLSv1.2": "a version is written as its number",
        "TLSv1.3": "a version is written as its number",
        "tls1.2": "a version is written as its number",
        "tls1.3": "a version is written as its number",
    }
}

table! {
    /// Certificates of clients (mutual TLS).
    pub struct ClientAuth("a table such as `{ mode = \"required\", ca = \"clients.pem\" }`") {
        /// `"required"`: the handshake fails without a valid certificate.
        /// `"optional"`: a client may have none, and the policies see whether it
        /// has; an invalid one fails the handshake.
        mode: ClientAuthMode = default("\"required\"");
        /// The certificates of the authorities that issue them, as PEM, relative
        /// to this file. Those of the system are not trusted here.
        ca: Spanned<PathBuf> = required;
        /// Lists of revoked certificates, as PEM, relative to this file.
        crl: Option<Spanned<PathBuf>> = optional("none; no certificate is revoked");
    }
}

words! {
    /// Whether a client needs a certificate.
    pub enum ClientAuthMode {
        /// It needs one.
        Required = "required",
        /// It may have one.
        Optional = "optional",
    }
    refused {
        "on": "the word of nginx for \"required\"",
        "off": "leave `client_auth` out",
        "none": "leave `client_auth` out",
        "optional_no_ca": "a certificate is always verified",
        "request": "a certificate is always verified",
        "require": "a certificate is always verified",
        "verify_if_given": "the word of Caddy for \"optional\"",
        "require_and_verify": "the word of Caddy for \"required\"",
    }
}
