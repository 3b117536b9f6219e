//! The header of the PROXY protocol: [`parse`] and [`write`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use janua_proxy_protocol::{Certificate, Malformed, Tls, V1_MAX, V2_MAX, Version, parse, write};

use super::cuts;

pub(crate) const WORDS: &[&str] = &[
    "PROXY TCP4 192.0.2.1 127.0.0.1 4096 8443\r\n",
    "PROXY TCP6 2001:db8::1 ::1 4096 8443\r\n",
    "PROXY UNKNOWN",
    "PROXY ",
    "\r\n",
    " 65535",
    "\r\n\r\n\0\r\nQUIT\n",
    "\x21\x11\0\x0c",
    "\x21\x21\0\x24",
    "\x20\0\0\0",
    "\x04\0\x02\x01\x02",
    "::ffff:192.0.2.1",
];

pub(crate) fn run(input: &[u8]) {
    let whole = parse(input);
    check_cuts(input, whole);
    if let Ok(Some((size, client))) = whole {
        assert!(size <= input.len(), "more than there is");
        let (header, rest) = input.split_at(size);
        assert_eq!(parse(header), whole, "what follows has an effect");
        match header.starts_with(b"PROXY ") {
            true => check_line(header, client),
            false => check_binary(header, client),
        }
        check_written(client, rest);
    }
    check_written(address(input, 0), input);
}

/// Whatever arrives first, the whole has one meaning: see `check_cuts` of heads.
fn check_cuts(input: &[u8], whole: Result<Option<(usize, Option<SocketAddr>)>, Malformed>) {
    for cut in cuts(input) {
        let front = parse(&input[..cut]);
        match (front, whole) {
            (Ok(None), Ok(Some((size, _)))) => assert!(cut < size, "incomplete at {cut}"),
            (Ok(None), _) => assert!(cut < V2_MAX, "no end at {cut}"),
            (Ok(Some(_)), _) => assert_eq!(front, whole, "complete at {cut}"),
            (Err(_), _) => assert_eq!(front, whole, "refused at {cut}"),
        }
    }
}

/// A line of version 1 is one: it ends with its first CRLF, and each of its words has one
/// spelling only, apart from addresses of IPv6.
fn check_line(header: &[u8], client: Option<SocketAddr>) {
    assert!(header.len() <= V1_MAX, "longer than a line may be");
    let line = header.strip_suffix(b"\r\n").expect("a line ends with CRLF");
    assert!(!line.contains(&b'\n'), "two lines");
    let text = str::from_utf8(line).expect("a line is text");
    let words: Vec<&str> = text.split(' ').collect();
    let Some(client) = client else {
        assert_eq!(words[1], "UNKNOWN", "no client");
        return;
    };
    let [_, family, source, destination, source_port, port] = *words else {
        panic!("{} words", words.len());
    };
    assert_eq!(family, if client.is_ipv4() { "TCP4" } else { "TCP6" });
    assert_eq!(source.parse(), Ok(client.ip()), "the client's address");
    assert_eq!(source_port, client.port().to_string(), "the client's port");
    let destination: IpAddr = destination.parse().expect("an address");
    assert_eq!(destination.is_ipv4(), client.is_ipv4(), "two families");
    let number: u16 = port.parse().expect("a port");
    assert_eq!(port, number.to_string(), "another spelling of a port");
}

/// A header of version 2 is as long as it says, and names the client where it says so.
fn check_binary(header: &[u8], client: Option<SocketAddr>) {
    let stated = usize::from(u16::from_be_bytes([header[14], header[15]]));
    assert_eq!(header.len(), 16 + stated, "the length that it states");
    let (command, family) = (header[12], header[13] >> 4);
    assert_eq!(command >> 4, 2, "version");
    let expected = match (command & 15, family) {
        (1, 1) => {
            let ip: [u8; 4] = header[16..20].try_into().unwrap();
            Some((Ipv4Addr::from(ip).into(), &header[24..26]))
        }
        (1, 2) => {
            let ip: [u8; 16] = header[16..32].try_into().unwrap();
            Some((Ipv6Addr::from(ip).into(), &header[48..50]))
        }
        _ => None,
    };
    let expected = expected
        .map(|(ip, port): (IpAddr, _)| SocketAddr::new(ip, u16::from_be_bytes([port[0], port[1]])));
    assert_eq!(client, expected, "the address at its place");
}

/// What the gateway writes, it reads as the same, and no byte of what follows.
fn check_written(client: Option<SocketAddr>, rest: &[u8]) {
    let text: String = rest
        .iter()
        .take(300)
        .map(|&byte| char::from(byte))
        .collect();
    let tls = Tls {
        version: "1.3",
        cipher_suite: "TLS13_AES_128_GCM_SHA256",
        protocol: (rest.len() % 3 == 1).then_some(b"http/1.1"),
        server_name: (!text.is_empty()).then_some(&text),
        certificate: (rest.len() % 2 == 1).then_some(Certificate {
            common_name: Some(&text),
            is_shown: rest.len().is_multiple_of(3),
        }),
    };
    let ends = client.zip(address(rest, 3));
    for version in [Version::V1, Version::V2] {
        for tls in [None, Some(&tls)] {
            let header = write(version, ends, tls);
            let sent = [&*header, rest].concat();
            let (size, read) = parse(&sent).expect("valid").expect("complete");
            assert_eq!(size, header.len(), "size of what was written");
            let same = |one: SocketAddr| (one.ip().to_canonical(), one.port());
            let written = ends.map(|(source, _)| source);
            assert_eq!(read.map(same), written.map(same), "address");
        }
    }
}

/// An address made of the input: one in three is of IPv4, one in three of IPv6.
fn address(input: &[u8], skipped: usize) -> Option<SocketAddr> {
    let input = input.get(skipped..)?;
    let (kind, rest) = input.split_first()?;
    let port = u16::from_be_bytes(*rest.first_chunk()?);
    let ip = match kind % 3 {
        0 => None,
        1 => rest.first_chunk::<4>().map(|&ip| Ipv4Addr::from(ip).into()),
        _ => rest
            .first_chunk::<16>()
            .map(|&ip| Ipv6Addr::from(ip).into()),
    };
    ip.map(|ip: IpAddr| SocketAddr::new(ip, port))
}
