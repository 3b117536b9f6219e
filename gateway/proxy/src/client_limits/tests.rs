use super::*;

fn limits(connections: u32, connections_per_second: u32, requests: u32) -> Rc<ClientLimits> {
    Rc::new(ClientLimits {
        connections: NonZeroU32::new(connections),
        connections_per_second: NonZeroU32::new(connections_per_second),
        requests: NonZeroU32::new(requests),
        clients: Arc::new(Clients::new()),
    })
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The address with this number.
fn numbered(number: u32) -> IpAddr {
    std::net::Ipv4Addr::from(number).into()
}

#[test]
fn connections_of_a_client_are_counted_until_they_end() {
    let limits = limits(2, 0, 0);
    let (one, other) = (address("192.0.2.1"), address("192.0.2.2"));
    let mut held = vec![
        limits.connect(one, 0).unwrap(),
        limits.connect(one, 0).unwrap(),
    ];
    assert_eq!(limits.connect(one, 0).unwrap_err(), Excess::Connections);
    held.push(limits.connect(other, 0).unwrap());
    assert_eq!(limits.clients.len(), 2);
    held.remove(0);
    held.push(limits.connect(one, 0).unwrap());
    assert_eq!(limits.connect(one, 0).unwrap_err(), Excess::Connections);
    // Requests are not limited, and cost nothing.
    assert!(limits.begin_request(one, 0).unwrap().is_none());
    drop(held);
    assert_eq!(limits.clients.len(), 0, "nobody is left");
}

#[test]
fn requests_are_counted_apart_from_connections() {
    let limits = limits(1, 0, 2);
    let client = address("192.0.2.1");
    let connection = limits.connect(client, 0).unwrap();
    let first = limits.begin_request(client, 0).unwrap();
    let second = limits.begin_request(client, 0).unwrap();
    assert_eq!(
        limits.begin_request(client, 0).unwrap_err(),
        Excess::Requests
    );
    assert_eq!(limits.connect(client, 0).unwrap_err(), Excess::Connections);
    drop((connection, first));
    let third = limits.begin_request(client, 0).unwrap();
    assert_eq!(
        limits.begin_request(client, 0).unwrap_err(),
        Excess::Requests
    );
    drop((second, third));
    assert_eq!(limits.clients.len(), 0);
}

/// A reload gives the limits anew, and the table stays.
#[test]
fn a_changed_limit_knows_who_is_there() {
    let before = limits(5, 0, 0);
    let client = address("192.0.2.1");
    let held: Vec<_> = (0..3).map(|_| before.connect(client, 0).unwrap()).collect();
    let after = Rc::new(ClientLimits {
        connections: NonZeroU32::new(3),
        ..(*before).clone()
    });
    assert_eq!(after.connect(client, 0).unwrap_err(), Excess::Connections);
    drop(held);
    assert!(after.connect(client, 0).is_ok());
    assert_eq!(after.clients.len(), 0);
}

#[test]
fn new_connections_in_a_second() {
    for rate in [1, 3, 7, 1000] {
        let limits = limits(0, rate, 0);
        let client = address("192.0.2.1");
        let mut now_ms = 5_000;
        for number in 0..rate {
            assert!(limits.connect(client, now_ms).is_ok(), "{number} of {rate}");
        }
        let refused = limits.connect(client, now_ms).unwrap_err();
        assert_eq!(refused, Excess::ConnectionsPerSecond, "at a rate of {rate}");
        assert!(limits.connect(address("192.0.2.2"), now_ms).is_ok());
        // Afterwards they may come as the rate has it. What was refused does not count.
        let pause_ms = u64::from(1000_u32.div_ceil(rate));
        for _ in 0..10 {
            now_ms += pause_ms;
            assert!(limits.connect(client, now_ms).is_ok(), "at {now_ms}");
        }
        now_ms += 1000;
        for _ in 0..rate {
            assert!(limits.connect(client, now_ms).is_ok());
        }
        assert!(limits.connect(client, now_ms).is_err());
    }
}

/// A connection that is refused because there are too many does not use up the rate.
#[test]
fn only_what_is_accepted_counts() {
    let limits = limits(1, 2, 0);
    let client = address("192.0.2.1");
    let held = limits.connect(client, 0).unwrap();
    for _ in 0..10 {
        assert_eq!(limits.connect(client, 0).unwrap_err(), Excess::Connections);
    }
    drop(held);
    let held = limits.connect(client, 0).unwrap();
    drop(held);
    let refused = limits.connect(client, 0).unwrap_err();
    assert_eq!(refused, Excess::ConnectionsPerSecond);
}

#[test]
fn ipv6_clients_are_counted_by_their_network() {
    let limits = limits(1, 0, 0);
    let held = limits.connect(address("2001:db8:0:1::1"), 0).unwrap();
    assert!(
        limits
            .connect(address("2001:db8:0:1:ffff:ffff:ffff:ffff"), 0)
            .is_err()
    );
    let other = limits.connect(address("2001:db8:0:2::1"), 0);
    assert!(other.is_ok(), "another network");
    let v4 = limits.connect(address("192.0.2.1"), 0);
    assert!(v4.is_ok() && limits.connect(address("192.0.2.2"), 0).is_ok());
    drop((held, other, v4));
    assert_eq!(limits.clients.len(), 0);
}

#[test]
fn clients_that_have_left_are_forgotten() {
    let limits = limits(0, 10, 0);
    for number in 0..10_000 {
        let _ = limits.connect(numbered(number), 0).unwrap();
    }
    assert_eq!(limits.clients.len(), 10_000, "their rate is remembered");
    // Each shard forgets at its next new client.
    for number in 10_000..20_000 {
        let _ = limits.connect(numbered(number), 1001).unwrap();
    }
    assert_eq!(limits.clients.len(), 10_000);
}

#[test]
fn a_flood_of_addresses_takes_bounded_memory() {
    let limits = limits(0, 1, 0);
    let present = limits.connect(numbered(0), 0).unwrap();
    let flood = 2 * SHARDS * MOST_REMEMBERED;
    for number in 1..u32::try_from(flood).unwrap() {
        let _ = limits.connect(numbered(number), 0).unwrap();
    }
    let most = SHARDS * (MOST_REMEMBERED + 1);
    assert!(limits.clients.len() <= most, "{}", limits.clients.len());
    let refused = limits.connect(numbered(0), 0).unwrap_err();
    assert_eq!(
        refused,
        Excess::ConnectionsPerSecond,
        "who is there stays known"
    );
    drop(present);
}

/// Workers count the same clients.
#[test]
fn all_workers_count_together() {
    let clients = Arc::new(Clients::new());
    let work = || {
        let limits = Rc::new(ClientLimits {
            connections: NonZeroU32::new(4),
            connections_per_second: None,
            requests: NonZeroU32::new(4),
            clients: Arc::clone(&clients),
        });
        for _ in 0..10_000 {
            let shares = (
                limits
                    .connect(numbered(1), 0)
                    .expect("at most one of each worker"),
                limits
                    .begin_request(numbered(1), 0)
                    .expect("at most one of each worker"),
            );
            drop(shares);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(work);
        }
    });
    assert_eq!(clients.len(), 0);
}
