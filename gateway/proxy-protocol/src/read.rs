//! Reading a header, in which the load balancer names the client.

use std::net::SocketAddr;

use ppp::{v1, v2};

/// The beginning of a header of version 1.
const V1_SIGNATURE: &[u8] = b"PROXY ";
/// The most bytes of a header of version 1, with CRLF.
pub const V1_MAX: usize = 107;
/// The beginning of a header of version 2.
const V2_SIGNATURE: &[u8] = v2::PROTOCOL_PREFIX;
/// The bytes of a header of version 2 up to the length of what follows, inclusive.
const V2_START: usize = 16;
/// The most bytes that follow: addresses and TLVs. The specification advises 520; certificates
/// in TLVs take more.
const V2_MAX_REST: usize = 4096;
/// The most bytes of a header of version 2.
pub const V2_MAX: usize = V2_START + V2_MAX_REST;

/// The bytes are not a header of the PROXY protocol; the description is for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

/// Parses a header at the front of `received`. Returns its size in bytes, and the address of
/// the client: none if the load balancer speaks for itself (`LOCAL`, `UNKNOWN`), as health
/// checks do. `Ok(None)` if the header is incomplete; all bytes are part of it then.
///
/// # Errors
/// There is no header, or it is malformed. That is said as soon as it is certain, and no
/// further bytes change it.
pub fn parse(received: &[u8]) -> Result<Option<(usize, Option<SocketAddr>)>, Malformed> {
    if begins(received, V2_SIGNATURE) {
        parse_v2(received)
    } else if begins(received, V1_SIGNATURE) {
        parse_v1(received)
    } else {
        Err(Malformed("it does not begin with one"))
    }
}

/// True if `received` begins with the signature, as far as both go.
fn begins(received: &[u8], signature: &[u8]) -> bool {
    let mut pairs = received.iter().zip(signature);
    pairs.all(|(received, expected)| received == expected)
}

fn parse_v2(received: &[u8]) -> Result<Option<(usize, Option<SocketAddr>)>, Malformed> {
    let Some(start) = received.first_chunk::<V2_START>() else {
        return Ok(None);
    };
    let rest = start.last_chunk().copied().map_or(0, u16::from_be_bytes);
    if usize::from(rest) > V2_MAX_REST {
        return Err(Malformed("it is longer than 4 KiB"));
    }
    let size = V2_START + usize::from(rest);
    let Some(header) = received.get(..size) else {
        return Ok(None);
    };
    let parsed =
        v2::Header::try_from(header).map_err(|_| Malformed("a field of version 2 is not valid"))?;
    let client = match parsed.addresses {
        _ if parsed.command == v2::Command::Local => None,
        v2::Addresses::IPv4(ip) => Some((ip.source_address, ip.source_port).into()),
        v2::Addresses::IPv6(ip) => Some((ip.source_address, ip.source_port).into()),
        v2::Addresses::Unix(_) | v2::Addresses::Unspecified => None,
    };
    Ok(Some((size, client)))
}

fn parse_v1(received: &[u8]) -> Result<Option<(usize, Option<SocketAddr>)>, Malformed> {
    let front = received.get(..V1_MAX).unwrap_or(received);
    let Some(size) = front
        .iter()
        .position(|&byte| byte == b'\n')
        .map(|end| end + 1)
    else {
        return match received.len() {
            0..V1_MAX => Ok(None),
            _ => Err(Malformed("its line is longer than 107 bytes")),
        };
    };
    let line = front.get(..size).unwrap_or_default();
    const BAD: Malformed = Malformed("its line is not valid");
    let parsed = v1::Header::try_from(line).map_err(|_| BAD)?;
    let has_client = !matches!(parsed.addresses, v1::Addresses::Unknown);
    // The crate takes LF after a space for the end of a line, and `+1` for a port.
    if !line.ends_with(b"\r\n") || (has_client && line.contains(&b'+')) {
        return Err(BAD);
    }
    let client = match parsed.addresses {
        v1::Addresses::Tcp4(ip) => Some((ip.source_address, ip.source_port).into()),
        v1::Addresses::Tcp6(ip) => Some((ip.source_address, ip.source_port).into()),
        v1::Addresses::Unknown => None,
    };
    Ok(Some((size, client)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let mut header = V2_SIGNATURE.to_vec();
        header.extend([0x20 | command, family]);
        header.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        header.extend(body);
        header
    }

    #[test]
    fn addresses_of_both_versions() {
        let v4 = [192, 0, 2, 1, 127, 0, 0, 1, 0x10, 0, 0x20, 0xfb];
        let mut v6 = vec![0; 36];
        let address: std::net::Ipv6Addr = "2001:db8::1".parse().unwrap();
        v6[..16].copy_from_slice(&address.octets());
        v6[32..34].copy_from_slice(&4096_u16.to_be_bytes());
        let mut with_tlv = v4.to_vec();
        with_tlv.extend([0x04, 0, 2, 1, 2]);
        let table: [(Vec<u8>, Option<&str>); 8] = [
            (
                b"PROXY TCP4 192.0.2.1 127.0.0.1 4096 8443\r\n".to_vec(),
                Some("192.0.2.1:4096"),
            ),
            (
                b"PROXY TCP6 2001:db8::1 ::1 4096 8443\r\n".to_vec(),
                Some("[2001:db8::1]:4096"),
            ),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (v2(1, 0x11, &v4), Some("192.0.2.1:4096")),
            (v2(1, 0x11, &with_tlv), Some("192.0.2.1:4096")),
            (v2(1, 0x21, &v6), Some("[2001:db8::1]:4096")),
            (v2(0, 0x00, &[]), None),
            (v2(0, 0x11, &v4), None),
        ];
        for (header, expected) in table {
            let expected = expected.map(|address| address.parse().unwrap());
            let whole = [&*header, b"GET / HTTP/1.1\r\n"].concat();
            assert_eq!(parse(&whole), Ok(Some((header.len(), expected))));
            for cut in 0..header.len() {
                assert_eq!(parse(&header[..cut]), Ok(None), "{header:?} to {cut}");
            }
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let long = [b"PROXY TCP4 ".to_vec(), vec![b'1'; 200]].concat();
        let bad: [(Vec<u8>, &str); 12] = [
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), "begin"),
            (b"PROXy".to_vec(), "begin"),
            (b"PROXY TCP4 1.2.3.4\r\nmore".to_vec(), "not valid"),
            (
                b"PROXY TCP4 1.2.3.4 1.2.3.4 1 99999\r\n".to_vec(),
                "not valid",
            ),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\nGET".to_vec(), "not valid"),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \n".to_vec(), "not valid"),
            (b"PROXY UNKNOWN \n".to_vec(), "not valid"),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n".to_vec(), "not valid"),
            (b"PROXY TCP6 ::1 ::1 1 +2\r\n".to_vec(), "not valid"),
            (long, "107 bytes"),
            (v2(1, 0x11, &[1, 2, 3]), "not valid"),
            (v2(1, 0x11, &[0; 5000]), "4 KiB"),
        ];
        for (header, words) in bad {
            match parse(&header) {
                Err(Malformed(found)) => assert!(found.contains(words), "{found}"),
                other => panic!("{other:?} of {header:?}"),
            }
        }
    }
}
