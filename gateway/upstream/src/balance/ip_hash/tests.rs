use std::net::IpAddr;

use super::IpHash;

const CLIENTS: [&str; 17] = [
    "10.1.2.3",
    "10.1.2.250",
    "10.1.3.3",
    "192.0.2.1",
    "198.51.100.77",
    "203.0.113.9",
    "8.8.8.8",
    "127.0.0.1",
    "255.255.255.254",
    "0.0.0.1",
    "172.16.31.4",
    "100.64.0.1",
    "2001:db8::1",
    "2001:db8::2",
    "fe80::1234:5678:9abc:def0",
    "::1",
    "2a00:1450:4001:81b::200e",
];

fn chosen(weights: &[u64], usable: impl Fn(usize) -> bool) -> Vec<usize> {
    let hash = IpHash::new(weights.iter().copied().enumerate());
    CLIENTS
        .iter()
        .map(|client| hash.choose(client.parse().unwrap(), &usable).unwrap())
        .collect()
}

/// These are the choices of nginx 1.22.1 for upstreams with these weights.
#[test]
fn the_choices_are_those_of_nginx() {
    assert_eq!(
        chosen(&[1, 1, 1], |_| true),
        [1, 1, 2, 0, 0, 0, 2, 2, 0, 1, 0, 1, 2, 0, 2, 2, 0]
    );
    assert_eq!(
        chosen(&[3, 1, 2, 5], |_| true),
        [3, 3, 3, 3, 0, 3, 3, 1, 3, 3, 3, 3, 2, 2, 3, 2, 1]
    );
    assert_eq!(
        chosen(&[1; 17], |_| true),
        [11, 11, 12, 16, 1, 8, 14, 11, 15, 6, 16, 9, 16, 0, 11, 12, 1]
    );
}

/// The second of three, with the weights 1, 2 and 1, is `down`.
#[test]
fn so_are_those_past_an_endpoint_that_is_down() {
    assert_eq!(
        chosen(&[1, 2, 1], |index| index != 1),
        [0, 0, 2, 2, 0, 0, 2, 0, 2, 2, 0, 2, 0, 0, 2, 0, 0]
    );
}

#[test]
fn a_mapped_address_is_that_of_ipv4() {
    let hash = IpHash::new((0..17).map(|index| (index, 1)));
    let choose = |client: &str| hash.choose(client.parse::<IpAddr>().unwrap(), |_| true);
    assert_eq!(choose("::ffff:10.1.2.3"), choose("10.1.2.3"));
}

#[test]
fn it_gives_up_after_twenty_more_attempts() {
    let hash = IpHash::new((0..3).map(|index| (index, 1)));
    let asked = std::cell::Cell::new(0);
    let none = hash.choose("10.1.2.3".parse().unwrap(), |_| {
        asked.set(asked.get() + 1);
        false
    });
    assert_eq!((none, asked.get()), (None, 21));
    let empty = IpHash::new([(0, 0)].into_iter());
    assert_eq!(empty.choose("10.1.2.3".parse().unwrap(), |_| true), None);
}
