//! The inputs: properties of a request or response that a configuration refers to by a word. They
//! are inputs of policies, and the words are those that policies have in their configurations.
//!
//! In text they stand in braces (`template.rs`); where the gateway tells requests apart by one of
//! them, as in `by` and `hash`, the word stands alone.

use std::fmt;

use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::header::is_token;
use crate::input_advice::{Form, Refusal, unknown};
use crate::names::{Kind, Reference};
use crate::span::Spanned;

/// A property of an exchange, by the word that it has in the configurations of policies.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Input {
    /// An input without an argument.
    Plain(PlainInput),
    /// A field of the request, in lower case: `header:x-tenant`. Lines are joined with `", "`.
    Header(String),
    /// A cookie: `cookie:session`. Absent if there are several that differ.
    Cookie(String),
    /// The first query parameter of this name, decoded: `query:page`.
    QueryParameter(String),
    /// The same as it was sent: `raw_query:page`.
    RawQueryParameter(String),
    /// A variable that a policy has set: `variable:auth.user`.
    Variable(String),
    /// The network of the client, by the lengths of its prefixes: `client_network:24/48`.
    ClientNetwork {
        /// The bits of an IPv4 network, at most 32.
        ipv4: u8,
        /// The bits of an IPv6 network, at most 128.
        ipv6: u8,
    },
    /// A field of the response, in lower case: `response_header:x-version`.
    ResponseHeader(String),
}

/// Defines the inputs without an argument.
macro_rules! plain {
    ($($(#[doc = $doc:literal])* $Input:ident = $word:literal,)*) => {
        /// An input without an argument.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum PlainInput {
            $($(#[doc = $doc])* $Input,)*
        }

        impl PlainInput {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$Input),*];

            /// Its word.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$Input => $word,)*
                }
            }
        }
    };
}

plain! {
    /// The source of the response: `upstream`, `files`, `cache`, `policy` or `gateway`.
    AnsweredBy = "answered_by",
    /// The client's address behind trusted proxies.
    ClientIp = "client_ip",
    /// The extension of the last segment of the path.
    Extension = "extension",
    /// The host, without its port, as policies have edited it.
    Host = "host",
    /// `1.0`, `1.1` or `2`.
    HttpVersion = "http_version",
    /// The method.
    Method = "method",
    /// The time in Unix seconds.
    Now = "now",
    /// The host as the client asked for it.
    OriginalHost = "original_host",
    /// The normalised path as the client asked for it.
    OriginalPath = "original_path",
    /// The query as the client sent it.
    OriginalQuery = "original_query",
    /// The normalised path, as policies have edited it.
    Path = "path",
    /// The address of the connection's peer.
    PeerIp = "peer_ip",
    /// The query, as policies have edited it.
    Query = "query",
    /// The path exactly as it was sent.
    RawPath = "raw_path",
    /// The identifier of the request.
    RequestId = "request_id",
    /// The label of the route.
    Route = "route",
    /// `http` or `https`.
    Scheme = "scheme",
    /// The label of the site.
    Site = "site",
    /// The status of the response.
    Status = "status",
    /// The cipher suite.
    TlsCipher = "tls_cipher",
    /// The client's certificate, in base64.
    TlsClientCertificate = "tls_client_certificate",
    /// The DNS names of the client's certificate.
    TlsClientDnsNames = "tls_client_dns_names",
    /// The email addresses of the client's certificate.
    TlsClientEmails = "tls_client_emails",
    /// The fingerprint of the client's certificate.
    TlsClientFingerprint = "tls_client_fingerprint",
    /// The serial number of the client's certificate.
    TlsClientSerial = "tls_client_serial",
    /// The end of the validity of the client's certificate.
    TlsClientNotAfter = "tls_client_not_after",
    /// The beginning of the validity of the client's certificate.
    TlsClientNotBefore = "tls_client_not_before",
    /// The issuer of the client's certificate.
    TlsClientIssuer = "tls_client_issuer",
    /// The subject of the client's certificate.
    TlsClientSubject = "tls_client_subject",
    /// The URIs of the client's certificate.
    TlsClientUris = "tls_client_uris",
    /// The server name that the client has indicated.
    TlsServerName = "tls_server_name",
    /// The version of TLS.
    TlsVersion = "tls_version",
}

/// The lengths of `client_network` without an argument: one IPv4 address, or the smallest
/// network that an IPv6 site gets.
const CLIENT_NETWORK: Input = Input::ClientNetwork { ipv4: 32, ipv6: 64 };

/// Words with a name after a colon.
pub(crate) const NAMED: [&str; 6] = [
    "cookie",
    "header",
    "query",
    "raw_query",
    "response_header",
    "variable",
];

impl Input {
    /// The input with this word.
    ///
    /// # Errors
    /// There is none. The advice names a similar one, written in this form.
    pub(crate) fn named(word: &str, form: Form) -> Result<Self, Refusal> {
        if let Some((kind, of)) = word.split_once(':') {
            return Self::with_argument(word, kind, of, form);
        }
        if word == "client_network" {
            return Ok(CLIENT_NETWORK);
        }
        let mut known = PlainInput::ALL.iter();
        let input = known.find(|input| input.as_str() == word);
        input.map_or_else(|| Err(unknown(word, form)), |input| Ok(Self::Plain(*input)))
    }

    fn with_argument(word: &str, kind: &str, of: &str, form: Form) -> Result<Self, Refusal> {
        let name = || match of.is_empty() || of.chars().any(char::is_control) {
            false => Ok(of.to_owned()),
            true => Err((
                format!("{} needs a name after the colon", form.shown(word)),
                format!("write a name: {}", form.shown(&format!("{kind}:example"))),
            )),
        };
        let field = || {
            let name = name()?;
            match is_token(&name) {
                true => Ok(name.to_ascii_lowercase()),
                false => Err((
                    format!("`{name}` is not the name of a header field"),
                    format!(
                        "a name has letters, digits and `-`: {}",
                        form.shown(&format!("{kind}:x-tenant"))
                    ),
                )),
            }
        };
        let cookie = || {
            let name = name()?;
            match name.contains(['=', ';', ' ']) {
                false => Ok(name),
                true => Err((
                    format!("`{name}` is not the name of a cookie"),
                    format!("write its name alone: {}", form.shown("cookie:session")),
                )),
            }
        };
        Ok(match kind {
            "header" => Self::Header(field()?),
            "response_header" => Self::ResponseHeader(field()?),
            "cookie" => Self::Cookie(cookie()?),
            "query" => Self::QueryParameter(name()?),
            "raw_query" => Self::RawQueryParameter(name()?),
            "variable" => Self::Variable(variable(of, form)?),
            "client_network" => network(of, form)?,
            _ => return Err(unknown(word, form)),
        })
    }

    /// Whether it is a path.
    pub(crate) fn is_path(&self) -> bool {
        matches!(
            self,
            Self::Plain(PlainInput::Path | PlainInput::OriginalPath)
        )
    }

    /// Whether it is a query.
    pub(crate) fn is_query(&self) -> bool {
        matches!(
            self,
            Self::Plain(PlainInput::Query | PlainInput::OriginalQuery)
        )
    }

    /// Whether it is the host of the request.
    pub(crate) fn is_host(&self) -> bool {
        matches!(
            self,
            Self::Plain(PlainInput::Host | PlainInput::OriginalHost)
        )
    }

    /// Whether it is known only once there is a response.
    #[must_use]
    pub fn is_of_response(&self) -> bool {
        matches!(
            self,
            Self::ResponseHeader(_) | Self::Plain(PlainInput::Status | PlainInput::AnsweredBy)
        )
    }
}

impl fmt::Display for Input {
    /// As it is written in the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(input) => f.write_str(input.as_str()),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
            Self::QueryParameter(name) => write!(f, "query:{name}"),
            Self::RawQueryParameter(name) => write!(f, "raw_query:{name}"),
            Self::Variable(name) => write!(f, "variable:{name}"),
            Self::ClientNetwork { ipv4, ipv6 } => write!(f, "client_network:{ipv4}/{ipv6}"),
            Self::ResponseHeader(name) => write!(f, "response_header:{name}"),
        }
    }
}

/// An input that stands alone, by which the gateway tells requests apart.
impl Decode for Input {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = decoder.text(node, &Self::kind())?;
        let span = decoder.span(node);
        let input = match Self::named(text, Form::Alone) {
            Ok(input) => input,
            Err((message, help)) => {
                return decoder.refuse(Diagnostic::error(span, message).help(help));
            }
        };
        if input.is_of_response() {
            let message = format!("`{input}` is not known before there is a response");
            return decoder.refuse(
                Diagnostic::error(span, message)
                    .help("write an input of the request such as `header:x-user`"),
            );
        }
        if let Self::Variable(name) = &input
            && let Some((policy, _)) = name.split_once('.')
        {
            let policy = Spanned::new(policy.to_owned(), span);
            let reference = Reference::new(Kind::Policy, policy);
            decoder.references.push(reference);
        }
        Some(input)
    }

    fn kind() -> String {
        "an input such as \"header:x-user\"".to_owned()
    }
}

/// The name of a variable, with that of its policy.
fn variable(name: &str, form: Form) -> Result<String, Refusal> {
    match name.split_once('.') {
        Some((policy, of)) if !policy.is_empty() && !of.is_empty() => Ok(name.to_owned()),
        _ => Err((
            format!("`{name}` is not the name of a variable"),
            format!(
                "write the policy's name in front: {}",
                form.shown("variable:auth.user")
            ),
        )),
    }
}

/// The lengths of the prefixes of IPv4 and IPv6: `24/48`.
fn network(lengths: &str, form: Form) -> Result<Input, Refusal> {
    let length = |text: &str, most: u8| text.parse().ok().filter(|length| *length <= most);
    let lengths = lengths.split_once('/');
    let lengths = lengths.and_then(|(v4, v6)| Some((length(v4, 32)?, length(v6, 128)?)));
    let Some((ipv4, ipv6)) = lengths else {
        return Err((
            "`client_network` has the lengths of two prefixes".to_owned(),
            format!(
                "write those of IPv4 and IPv6: {}",
                form.shown("client_network:24/48")
            ),
        ));
    };
    Ok(Input::ClientNetwork { ipv4, ipv6 })
}

#[cfg(test)]
mod tests;
