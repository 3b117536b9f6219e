//! Prepares the head of a request for forwarding before any policy sees it: hop-by-hop
//! fields are removed (RFC 9110 §7.6.1), and the client's forwarding fields, such as
//! `X-Forwarded-For`, are replaced by the gateway's.

use janua_http::failure::Kind;
use janua_http::fields::{Known, is_proxy_address_field, list};
use janua_http::method;
use janua_http::{Failure, RequestHead, ResponseHead};

use crate::client::{Origin, Peer};

/// What the removed hop-by-hop fields stated, as far as the next hop needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hop {
    /// The protocol that the client requests by `Upgrade`.
    pub(crate) upgrade: Option<Vec<u8>>,
    /// The client accepts trailers (`TE: trailers`).
    pub(crate) takes_trailers: bool,
}

/// Cleans the head of a request. The fields `internal` are the gateway's own: only its
/// policies set them, and nobody else, not even a trusted proxy, which may have forwarded
/// what its client sent.
///
/// # Errors
/// The method is never forwarded.
pub(crate) fn clean(
    head: &mut RequestHead,
    peer: &Peer,
    origin: &Origin,
    internal: &[Box<str>],
) -> Result<Hop, Failure> {
    if method::is_refused(&head.method) {
        return Err(Kind::MethodRefused.into());
    }
    let hop = Hop {
        upgrade: upgrade(head),
        takes_trailers: takes_trailers(head),
    };
    let listed = listed(head);
    let trusted = origin.is_trusted;
    head.fields.retain(|known, name, _| match known {
        Known::Expect => false,
        // Only trusted proxies may set these.
        Known::Forwarded | Known::XForwardedHost | Known::XForwardedProto | Known::XRealIp => {
            trusted
        }
        _ if known.is_hop_by_hop() => false,
        // Applications behind CGI cannot distinguish `X_Real_IP` from `X-Real-IP`.
        Known::Other => {
            !name.contains(&b'_')
                && !name.eq_ignore_ascii_case(b"http2-settings")
                && (trusted || !is_proxy_address_field(name))
                && !listed
                    .iter()
                    .any(|listed| listed.eq_ignore_ascii_case(name))
                && !internal
                    .iter()
                    .any(|internal| internal.as_bytes().eq_ignore_ascii_case(name))
        }
        _ => true,
    });
    forwarded(head, peer, origin);
    Ok(hop)
}

/// Removes the fields of a response that concern only the upstream's connection (RFC 9110
/// §7.6.1).
pub(crate) fn clean_response(head: &mut ResponseHead) {
    let options = head.fields.known(Known::Connection).flat_map(list);
    let listed: Vec<Vec<u8>> = options
        .filter(|option| {
            Known::of(option) == Known::Other && !option.eq_ignore_ascii_case(b"close")
        })
        .map(<[u8]>::to_vec)
        .collect();
    let drops_length = head.status == 204 || head.status < 200;
    head.fields.retain(|known, name, _| match known {
        Known::ContentLength => !drops_length,
        Known::Other => !listed
            .iter()
            .any(|listed| listed.eq_ignore_ascii_case(name)),
        _ => !known.is_hop_by_hop(),
    });
}

/// The protocols in `Upgrade`, unless `h2c` is among them: its requests would bypass the
/// gateway's routes and policies. A request with a body may upgrade too: the new protocol
/// begins after the body (RFC 9110 §7.8).
fn upgrade(head: &RequestHead) -> Option<Vec<u8>> {
    if !head.upgrade {
        return None;
    }
    let protocols = head.fields.known(Known::Upgrade).next()?;
    let is_h2c = list(protocols).any(|protocol| protocol.eq_ignore_ascii_case(b"h2c"));
    (!is_h2c).then(|| protocols.to_vec())
}

fn takes_trailers(head: &RequestHead) -> bool {
    let mut codings = head.fields.known(Known::Te).flat_map(list);
    codings.any(|coding| coding.eq_ignore_ascii_case(b"trailers"))
}

/// The fields that `Connection` lists. A client cannot have the gateway's own fields
/// removed in this way, because they are set afterwards.
fn listed(head: &RequestHead) -> Vec<Vec<u8>> {
    let options = head.fields.known(Known::Connection).flat_map(list);
    options
        .filter(|option| Known::of(option) == Known::Other)
        .filter(|option| !option.eq_ignore_ascii_case(b"close"))
        .map(<[u8]>::to_vec)
        .collect()
}

fn forwarded(head: &mut RequestHead, peer: &Peer, origin: &Origin) {
    let fields = &mut head.fields;
    let address = peer.text.as_bytes();
    if fields.known(Known::XForwardedFor).next().is_some() {
        let name = Known::XForwardedFor.name();
        let mut value = Vec::new();
        fields.joined(name, b", ", &mut value);
        value.extend_from_slice(b", ");
        value.extend_from_slice(address);
        fields.set(name, &value);
    } else {
        fields.append_known(Known::XForwardedFor, address);
    }
    let scheme = origin.scheme().as_bytes();
    if origin.is_trusted {
        // The trusted proxy's own lines may be there.
        let client = origin.client.map(|client| client.to_string());
        let client = client.as_ref().map_or(address, |client| client.as_bytes());
        fields.set(Known::XRealIp.name(), client);
        fields.set(Known::XForwardedProto.name(), scheme);
    } else {
        fields.append_known(Known::XRealIp, address);
        fields.append_known(Known::XForwardedProto, scheme);
    }
    if fields.known(Known::XForwardedHost).next().is_none() {
        fields.append_value_of(Known::Host, Known::XForwardedHost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use janua_http::head::Limits;

    const STRANGER: Origin = Origin {
        client: None,
        is_trusted: false,
        is_https: false,
    };

    fn cleaned(fields: &str, origin: &Origin) -> (RequestHead, Hop) {
        let mut head = RequestHead::default();
        let text = format!("GET / HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n");
        let limits = Limits {
            bytes: 4096,
            fields: 32,
        };
        head.parse(text.as_bytes(), limits).unwrap().unwrap();
        let peer = Peer::new("192.0.2.9:1".parse().unwrap());
        let internal = [Box::from("x-internal-key")];
        let hop = clean(&mut head, &peer, origin, &internal).unwrap();
        (head, hop)
    }

    #[test]
    fn nobody_sets_an_internal_field() {
        let trusted = Origin {
            is_trusted: true,
            ..STRANGER
        };
        for origin in [STRANGER, trusted] {
            let lines = "X-Internal-Key: 1\r\nx_internal_key: 2\r\nX-Internal-Keys: 3\r\n";
            let (head, _) = cleaned(lines, &origin);
            for (name, is_there) in [
                ("x-internal-key", false),
                ("x_internal_key", false),
                ("x-internal-keys", true),
            ] {
                let value = head.fields.get(name.as_bytes());
                assert_eq!(value.is_some(), is_there, "{name}");
            }
        }
    }

    #[test]
    fn a_stranger_says_nothing_about_itself() {
        let (head, _) = cleaned(
            "X-Forwarded-For: 1.1.1.1\r\nX-Real-IP: 1.1.1.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n\
             Forwarded: for=1.1.1.1\r\nX_Real_IP: 1.1.1.1\r\n",
            &STRANGER,
        );
        assert_eq!(
            head.fields.get(b"x-forwarded-for"),
            Some(&b"1.1.1.1, 192.0.2.9"[..])
        );
        assert_eq!(head.fields.get(b"x-real-ip"), Some(&b"192.0.2.9"[..]));
        assert_eq!(head.fields.get(b"x-forwarded-proto"), Some(&b"http"[..]));
        assert_eq!(
            head.fields.get(b"x-forwarded-host"),
            Some(&b"a.example"[..])
        );
        assert_eq!(head.fields.get(b"forwarded"), None);
        assert_eq!(head.fields.get(b"x_real_ip"), None);
    }

    #[test]
    fn a_stranger_names_no_other_address() {
        let names = [
            "X-Forwarded-Port",
            "X-Forwarded-Prefix",
            "X-Original-URL",
            "x-rewrite-url",
        ];
        let lines: String = names.iter().map(|name| format!("{name}: /x\r\n")).collect();
        let trusted = Origin {
            is_trusted: true,
            ..STRANGER
        };
        for (origin, is_there) in [(STRANGER, false), (trusted, true)] {
            let (head, _) = cleaned(&lines, &origin);
            for name in names {
                assert_eq!(
                    head.fields.get(name.as_bytes()).is_some(),
                    is_there,
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn a_trusted_proxy_is_believed() {
        let origin = Origin {
            client: "1.1.1.1".parse().ok(),
            is_trusted: true,
            is_https: true,
        };
        let (head, _) = cleaned(
            "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: b.example\r\n",
            &origin,
        );
        assert_eq!(head.fields.get(b"x-real-ip"), Some(&b"1.1.1.1"[..]));
        assert_eq!(head.fields.get(b"x-forwarded-proto"), Some(&b"https"[..]));
        assert_eq!(
            head.fields.get(b"x-forwarded-host"),
            Some(&b"b.example"[..])
        );
    }

    #[test]
    fn what_is_of_the_connection_goes() {
        let (head, hop) = cleaned(
            "Connection: close, X-Drop, X-Forwarded-For\r\nX-Drop: 1\r\nKeep-Alive: timeout=5\r\nTE: trailers, gzip\r\n\
             Proxy-Connection: x\r\nExpect: 100-continue\r\nX-Keep: 1\r\n",
            &STRANGER,
        );
        for gone in [
            "connection",
            "x-drop",
            "keep-alive",
            "te",
            "proxy-connection",
            "expect",
        ] {
            assert_eq!(head.fields.get(gone.as_bytes()), None, "{gone}");
        }
        assert_eq!(head.fields.get(b"x-keep"), Some(&b"1"[..]));
        assert_eq!(head.fields.get(b"x-forwarded-for"), Some(&b"192.0.2.9"[..]));
        assert_eq!(
            hop,
            Hop {
                upgrade: None,
                takes_trailers: true
            }
        );
    }

    #[test]
    fn upgrades() {
        for (fields, expected) in [
            (
                "Connection: Upgrade\r\nUpgrade: websocket\r\n",
                Some("websocket"),
            ),
            (
                "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n",
                None,
            ),
            (
                "Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n",
                Some("tcp"),
            ),
            (
                "Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 3\r\n",
                Some("tcp"),
            ),
            ("Upgrade: websocket\r\n", None),
        ] {
            let (head, hop) = cleaned(fields, &STRANGER);
            assert_eq!(
                hop.upgrade.as_deref(),
                expected.map(str::as_bytes),
                "{fields}"
            );
            assert_eq!(head.fields.get(b"upgrade"), None);
            assert_eq!(head.fields.get(b"http2-settings"), None);
        }
    }
}
