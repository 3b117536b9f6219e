//! Compiles values of requests that the configuration names.

use janua_config::RequestInput;
use janua_wasm::Input;

/// The input of policies that is the same value.
pub(super) fn input(input: &RequestInput) -> Input {
    match input {
        RequestInput::Method => Input::Method,
        RequestInput::Host => Input::OriginalHost,
        RequestInput::Path => Input::Path,
        RequestInput::Query => Input::Query,
        RequestInput::ClientIp => Input::ClientIp,
        RequestInput::PeerIp => Input::PeerIp,
        RequestInput::TlsServerName => Input::TlsServerName,
        RequestInput::TlsClientSubject => Input::TlsClientSubject,
        RequestInput::TlsClientFingerprint => Input::TlsClientFingerprint,
        RequestInput::Header(name) => Input::Header(name.as_str().into()),
        RequestInput::Cookie(name) => Input::Cookie(name.as_str().into()),
        RequestInput::QueryParameter(name) => Input::QueryParameter(name.as_str().into()),
        RequestInput::Variable(name) => Input::Variable(name.as_str().into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A word means the same in the configuration and in the contract.
    #[test]
    fn the_words_are_those_of_the_contract() {
        let name = || "x".to_owned();
        for (here, there) in [
            (RequestInput::Method, "method"),
            (RequestInput::Host, "original-host"),
            (RequestInput::Path, "path"),
            (RequestInput::Query, "query"),
            (RequestInput::ClientIp, "client-ip"),
            (RequestInput::PeerIp, "peer-ip"),
            (RequestInput::TlsServerName, "tls-server-name"),
            (RequestInput::TlsClientSubject, "tls-client-subject"),
            (RequestInput::TlsClientFingerprint, "tls-client-fingerprint"),
            (RequestInput::Header(name()), "header(x)"),
            (RequestInput::Cookie(name()), "cookie(x)"),
            (RequestInput::QueryParameter(name()), "query-parameter(x)"),
            (RequestInput::Variable(name()), "variable(x)"),
        ] {
            assert_eq!(input(&here).to_string(), there, "{here}");
        }
    }
}
