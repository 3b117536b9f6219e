//! Networks of peers: those whose statements about a client are trusted.

use ipnet::IpNet;

use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;

/// A network of peers: `10.0.0.0/8`. A single address is a network of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(pub IpNet);

impl Decode for Network {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = decoder.text(node, &Self::kind())?;
        let network = text
            .parse()
            .or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from));
        let span = decoder.span(node);
        match network {
            Ok(network) if network.addr() != network.network() => decoder.refuse(
                Diagnostic::error(span, format!("`{text}` has bits past its prefix length"))
                    .help(format!("write \"{}\"", network.trunc())),
            ),
            Ok(network) => Some(Self(network)),
            Err(_) => decoder.refuse(
                Diagnostic::error(span, format!("`{text}` is not an IP address or network"))
                    .help("write an address or a network: \"10.0.0.1\", \"10.0.0.0/8\""),
            ),
        }
    }

    fn kind() -> String {
        "an IP address or network".to_owned()
    }
}
