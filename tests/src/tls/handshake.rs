//! What a handshake established.

use rustls::{CommonState, HandshakeKind, ProtocolVersion};

/// What a handshake established, as one of its sides sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// `1.2` or `1.3`.
    pub version: String,
    /// The cipher suite by its IANA name.
    pub cipher_suite: String,
    /// Whether an earlier session was resumed.
    pub is_resumed: bool,
    /// The certificate of the other side as DER; none if it showed none.
    pub certificate: Option<Vec<u8>>,
    /// On the side of the server: the name that the client sent (SNI).
    pub server_name: Option<String>,
    /// The protocol of ALPN.
    pub protocol: Option<String>,
}

impl Handshake {
    pub(super) fn of(state: &CommonState, server_name: Option<&str>) -> Self {
        let suite = state.negotiated_cipher_suite();
        let suite = suite.and_then(|suite| suite.suite().as_str());
        let chain = state.peer_certificates();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            version: match state.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => "1.2",
                Some(ProtocolVersion::TLSv1_3) => "1.3",
                other => panic!("neither 1.2 nor 1.3: {other:?}"),
            }
            .to_owned(),
            cipher_suite: suite.unwrap_or_default().to_owned(),
            is_resumed: state.handshake_kind() == Some(HandshakeKind::Resumed),
            certificate: chain
                .and_then(|chain| chain.first())
                .map(|leaf| leaf.to_vec()),
            server_name: server_name.map(ToOwned::to_owned),
            protocol: state.alpn_protocol().map(text),
        }
    }
}
