//! The inputs of requests and responses that templates refer to, by the words of the policies.

use std::fmt;

use crate::suggest;

/// A property of an exchange, by the name that it has in the configurations of policies.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Input {
    /// An input without an argument.
    Plain(PlainInput),
    /// A field of the request, in lower case: `header:x-tenant`. Lines are joined with `", "`.
    Header(String),
    /// A cookie: `cookie:session`.
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
            const ALL: &[(&'static str, Self)] = &[$(($word, Self::$Input)),*];

            /// Its name.
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
    /// The host, without its port.
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
    /// The normalised path.
    Path = "path",
    /// The address of the connection's peer.
    PeerIp = "peer_ip",
    /// The query.
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
const NAMED: [&str; 6] = [
    "cookie",
    "header",
    "query",
    "raw_query",
    "response_header",
    "variable",
];

/// Words that policies know once an exchange has ended.
const AT_THE_END: [&str; 7] = [
    "attempts",
    "duration_ms",
    "failure",
    "first_byte_ms",
    "request_body_size",
    "response_body_size",
    "upstream",
];

/// An error message, and advice on what to write instead.
pub(crate) type Refusal = (String, String);

impl Input {
    /// The input with this name.
    ///
    /// # Errors
    /// There is none. The advice names a similar one.
    pub(crate) fn named(word: &str) -> Result<Self, Refusal> {
        if let Some((kind, of)) = word.split_once(':') {
            return Self::with_argument(word, kind, of);
        }
        if word == "client_network" {
            return Ok(CLIENT_NETWORK);
        }
        let known = PlainInput::ALL.iter().find(|(known, _)| *known == word);
        known.map_or_else(|| Err(unknown(word)), |(_, input)| Ok(Self::Plain(*input)))
    }

    fn with_argument(word: &str, kind: &str, of: &str) -> Result<Self, Refusal> {
        let name = || match of.is_empty() || of.chars().any(char::is_control) {
            false => Ok(of.to_owned()),
            true => Err((
                format!("`{{{word}}}` needs a name after the colon"),
                format!("write a name: `{{{kind}:example}}`"),
            )),
        };
        let field = || {
            let name = name()?;
            match crate::header::is_token(&name) {
                true => Ok(name.to_ascii_lowercase()),
                false => Err((
                    format!("`{name}` is not the name of a header field"),
                    "a name has letters, digits and `-`: `{header:x-tenant}`".to_owned(),
                )),
            }
        };
        Ok(match kind {
            "header" => Self::Header(field()?),
            "response_header" => Self::ResponseHeader(field()?),
            "cookie" => Self::Cookie(name()?),
            "query" => Self::QueryParameter(name()?),
            "raw_query" => Self::RawQueryParameter(name()?),
            "variable" => Self::Variable(variable(of)?),
            "client_network" => network(of)?,
            _ => return Err(unknown(word)),
        })
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

/// The name of a variable, with that of its policy.
fn variable(name: &str) -> Result<String, Refusal> {
    match name.split_once('.') {
        Some((policy, of)) if !policy.is_empty() && !of.is_empty() => Ok(name.to_owned()),
        _ => Err((
            format!("`{name}` is not the name of a variable"),
            "write the policy's name in front: `{variable:auth.user}`".to_owned(),
        )),
    }
}

/// The lengths of the prefixes of IPv4 and IPv6: `24/48`.
fn network(lengths: &str) -> Result<Input, Refusal> {
    let length = |text: &str, most: u8| text.parse().ok().filter(|length| *length <= most);
    let lengths = lengths.split_once('/');
    let lengths = lengths.and_then(|(v4, v6)| Some((length(v4, 32)?, length(v6, 128)?)));
    let Some((ipv4, ipv6)) = lengths else {
        return Err((
            "`client_network` has the lengths of two prefixes".to_owned(),
            "write those of IPv4 and IPv6: `{client_network:24/48}`".to_owned(),
        ));
    };
    Ok(Input::ClientNetwork { ipv4, ipv6 })
}

fn unknown(word: &str) -> Refusal {
    if AT_THE_END.contains(&word) {
        return (
            format!("`{{{word}}}` is known only once an exchange has ended"),
            "leave it out".to_owned(),
        );
    }
    let message = format!("`{{{word}}}` is not a part of the request");
    if let Some(own) = elsewhere(word.trim_start_matches("http.request.")) {
        return (message, format!("write `{own}`"));
    }
    let kind = word.split_once(':').map_or(word, |(kind, _)| kind);
    let plain = PlainInput::ALL.iter().map(|(known, _)| *known);
    let all: Vec<&str> = plain.chain(NAMED).chain(["client_network"]).collect();
    (message, suggest::one_of(kind, all, "the parts are"))
}

/// The equivalent of a variable of nginx or Caddy.
pub(crate) fn elsewhere(name: &str) -> Option<String> {
    let plain = match name {
        "scheme" => "{scheme}",
        "host" | "http_host" | "server_name" | "hostport" => "{host}",
        "uri" | "request_uri" => "{path}{query}",
        "document_uri" | "path" | "uri.path" => "{path}",
        "args" | "query_string" | "is_args" | "query" | "uri.query" => "{query}",
        "remote_addr" | "binary_remote_addr" | "realip_remote_addr" | "client_ip" => "{client_ip}",
        "remote_host" | "remote.host" => "{peer_ip}",
        "request_method" | "method" => "{method}",
        "request_id" | "uuid" => "{request_id}",
        "ssl_protocol" | "tls_version" => "{tls_version}",
        "ssl_cipher" | "tls_cipher" => "{tls_cipher}",
        "ssl_server_name" => "{tls_server_name}",
        "ssl_client_s_dn" => "{tls_client_subject}",
        _ => "",
    };
    if !plain.is_empty() {
        return Some(plain.to_owned());
    }
    let named = [
        ("arg_", "query"),
        ("http_", "header"),
        ("cookie_", "cookie"),
        ("sent_http_", "response_header"),
        ("query.", "query"),
        ("header.", "header"),
        ("cookie.", "cookie"),
        ("uri.query.", "query"),
    ];
    let (kind, of) = named
        .iter()
        .find_map(|(before, kind)| Some((*kind, name.strip_prefix(before)?)))?;
    let of = match kind.ends_with("header") {
        true => of.replace('_', "-").to_ascii_lowercase(),
        false => of.to_owned(),
    };
    (!of.is_empty()).then(|| format!("{{{kind}:{of}}}"))
}

#[cfg(test)]
mod tests {
    use super::{AT_THE_END, Input, NAMED, PlainInput};

    /// Templates of the configuration and those of policies have the same words.
    #[test]
    fn the_words_are_those_of_the_sdk() {
        let sdk = include_str!("../../../sdk/rust/src/template.rs");
        let (_, table) = sdk.split_once("const PLAIN").unwrap();
        let (table, _) = table.split_once("/// The input with this name").unwrap();
        let words = table.split('"').skip(1).step_by(2);
        let mut missing: Vec<&str> = words
            .filter(|word| {
                !NAMED.contains(word) && !AT_THE_END.contains(word) && Input::named(word).is_err()
            })
            .collect();
        missing.retain(|word| *word != "client_network");
        assert!(missing.is_empty(), "{missing:?}");
        for (word, _) in PlainInput::ALL {
            assert!(table.contains(&format!("(\"{word}\", ")), "{word}");
        }
        for word in NAMED {
            assert!(table.contains(&format!("(\"{word}\", ")), "{word}");
        }
    }

    #[test]
    fn a_name_is_written_as_it_is_read() {
        for word in [
            "client_ip",
            "header:x-a",
            "cookie:Session",
            "query:page",
            "raw_query:page",
            "variable:auth.user",
            "client_network:24/48",
            "response_header:x-version",
        ] {
            assert_eq!(Input::named(word).unwrap().to_string(), word);
        }
        let folded = Input::named("header:X-A").unwrap();
        assert_eq!(folded, Input::Header("x-a".to_owned()));
    }

    #[test]
    fn an_unknown_name_is_refused_with_what_to_write() {
        for (word, what, help) in [
            ("hots", "`{hots}` is not a part", "did you mean `host`?"),
            ("headers:x", "is not a part", "did you mean `header`?"),
            ("header:", "needs a name", "{header:example}"),
            ("header:a b", "not the name of a header field", "letters"),
            ("variable:user", "not the name of a variable", "auth.user"),
            ("client_network:33/1", "two prefixes", "24/48"),
            ("upstream", "once an exchange has ended", "leave it out"),
            ("http.request.header.X-A", "is not a part", "{header:x-a}"),
            ("uri", "is not a part", "write `{path}{query}`"),
            ("arg_page", "is not a part", "write `{query:page}`"),
        ] {
            let (said, helped) = Input::named(word).unwrap_err();
            assert!(
                said.contains(what) && helped.contains(help),
                "{word}: {said}; {helped}"
            );
        }
    }
}
