//! Compiles the inputs that the configuration refers to. They are inputs of policies, and have the
//! same values wherever they stand.

use janua_config::{self as config, PlainInput};
use janua_wasm::{Input, PrefixLengths};

pub(super) fn input(input: &config::Input) -> Input {
    match input {
        config::Input::Plain(input) => plain(*input),
        config::Input::Header(name) => Input::Header(name.as_str().into()),
        config::Input::Cookie(name) => Input::Cookie(name.as_str().into()),
        config::Input::QueryParameter(name) => Input::QueryParameter(name.as_str().into()),
        config::Input::RawQueryParameter(name) => Input::RawQueryParameter(name.as_str().into()),
        config::Input::Variable(name) => Input::Variable(name.as_str().into()),
        config::Input::ClientNetwork { ipv4, ipv6 } => Input::ClientNetwork(PrefixLengths {
            ipv4: *ipv4,
            ipv6: *ipv6,
        }),
        config::Input::ResponseHeader(name) => Input::ResponseHeader(name.as_str().into()),
    }
}

fn plain(input: PlainInput) -> Input {
    match input {
        PlainInput::AnsweredBy => Input::AnsweredBy,
        PlainInput::ClientIp => Input::ClientIp,
        PlainInput::Extension => Input::Extension,
        PlainInput::Host => Input::Host,
        PlainInput::HttpVersion => Input::HttpVersion,
        PlainInput::Method => Input::Method,
        PlainInput::Now => Input::Now,
        PlainInput::OriginalHost => Input::OriginalHost,
        PlainInput::OriginalPath => Input::OriginalPath,
        PlainInput::OriginalQuery => Input::OriginalQuery,
        PlainInput::Path => Input::Path,
        PlainInput::PeerIp => Input::PeerIp,
        PlainInput::Query => Input::Query,
        PlainInput::RawPath => Input::RawPath,
        PlainInput::RequestId => Input::RequestId,
        PlainInput::Route => Input::Route,
        PlainInput::Scheme => Input::Scheme,
        PlainInput::Site => Input::Site,
        PlainInput::Status => Input::Status,
        PlainInput::TlsCipher => Input::TlsCipher,
        PlainInput::TlsClientCertificate => Input::TlsClientCertificate,
        PlainInput::TlsClientDnsNames => Input::TlsClientDnsNames,
        PlainInput::TlsClientEmails => Input::TlsClientEmails,
        PlainInput::TlsClientFingerprint => Input::TlsClientFingerprint,
        PlainInput::TlsClientSerial => Input::TlsClientSerial,
        PlainInput::TlsClientNotAfter => Input::TlsClientNotAfter,
        PlainInput::TlsClientNotBefore => Input::TlsClientNotBefore,
        PlainInput::TlsClientIssuer => Input::TlsClientIssuer,
        PlainInput::TlsClientSubject => Input::TlsClientSubject,
        PlainInput::TlsClientUris => Input::TlsClientUris,
        PlainInput::TlsServerName => Input::TlsServerName,
        PlainInput::TlsVersion => Input::TlsVersion,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A word of the configuration has the value of the input that has its name in the contract,
    /// where hyphens stand for the underscores.
    #[test]
    fn the_words_are_those_of_the_contract() {
        for plain in PlainInput::ALL {
            let name = input(&config::Input::Plain(*plain)).to_string();
            assert_eq!(name, plain.as_str().replace('_', "-"));
        }
        let name = || "x".to_owned();
        for (here, there) in [
            (config::Input::Header(name()), "header(x)"),
            (config::Input::Cookie(name()), "cookie(x)"),
            (config::Input::QueryParameter(name()), "query-parameter(x)"),
            (
                config::Input::RawQueryParameter(name()),
                "raw-query-parameter(x)",
            ),
            (config::Input::Variable(name()), "variable(x)"),
            (config::Input::ResponseHeader(name()), "response-header(x)"),
            (
                config::Input::ClientNetwork { ipv4: 24, ipv6: 48 },
                "client-network(24, 48)",
            ),
        ] {
            assert_eq!(input(&here).to_string(), there);
        }
    }
}
