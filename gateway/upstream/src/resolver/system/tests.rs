use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use tokio::net::UdpSocket;
use tokio::task::LocalSet;

use super::{System, finish, times};
use crate::resolver::Lookup as _;

const A: u16 = 1;
const AAAA: u16 = 28;

/// What a name server on loopback answers with: addresses and their TTL in
/// seconds.
type Zone = Rc<RefCell<Vec<(IpAddr, u32)>>>;

/// Answers every question out of the zone; "no such name" if it is empty.
async fn name_server(socket: UdpSocket, zone: Zone) {
    let mut query = [0; 512];
    while let Ok((len, from)) = socket.recv_from(&mut query).await {
        let answer = answer(&query[..len], &zone.borrow());
        socket.send_to(&answer, from).await.unwrap();
    }
}

/// A message of RFC 1035, section 4.1: the query's head and question, and a
/// record for each address of the family asked for.
fn answer(query: &[u8], zone: &[(IpAddr, u32)]) -> Vec<u8> {
    let name_end = 12 + query[12..].iter().position(|&b| b == 0).unwrap();
    let question = &query[12..name_end + 5];
    let kind = u16::from_be_bytes([query[name_end + 1], query[name_end + 2]]);
    let records: Vec<_> = zone
        .iter()
        .filter(|(ip, _)| (if ip.is_ipv4() { A } else { AAAA }) == kind)
        .collect();
    let refused: u8 = if zone.is_empty() { 3 } else { 0 };
    let mut out = query[..2].to_vec();
    out.extend([0x81, 0x80 | refused, 0, 1, 0]);
    out.push(u8::try_from(records.len()).unwrap());
    out.extend([0; 4]);
    out.extend(question);
    for (ip, ttl) in records {
        out.extend([0xc0, 12]);
        out.extend(kind.to_be_bytes());
        out.extend([0, 1]);
        out.extend(ttl.to_be_bytes());
        let bytes = match ip {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        out.extend(u16::try_from(bytes.len()).unwrap().to_be_bytes());
        out.extend(bytes);
    }
    out
}

fn asking(server: SocketAddr) -> System {
    let mut udp = ConnectionConfig::udp();
    udp.port = server.port();
    let server = NameServerConfig::new(server.ip(), true, vec![udp]);
    let config = ResolverConfig::from_name_servers(vec![server]);
    let provider = TokioRuntimeProvider::default();
    let resolver = finish(TokioResolver::builder_with_config(config, provider)).unwrap();
    System {
        current: RefCell::new(Some((times(), resolver))),
    }
}

#[tokio::test]
async fn a_server_s_answers_come_with_both_families_their_ttl_and_no_cache() {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let system = asking(socket.local_addr().unwrap());
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let zone = Zone::default();
    let tasks = LocalSet::new();
    tasks.spawn_local(name_server(socket, Rc::clone(&zone)));
    let test = async {
        let look = || system.lookup("backend.test.");
        let missing = look().await.unwrap_err();
        assert!(missing.contains("no records found"), "{missing}");

        // The name is found as soon as it is there, and the new address as
        // soon as it has changed.
        *zone.borrow_mut() = vec![(ip("2001:db8::7"), 900), (ip("192.0.2.7"), 70)];
        let both = look().await.unwrap();
        assert_eq!(both.addresses, [ip("192.0.2.7"), ip("2001:db8::7")]);
        let ttl = Duration::from_secs(65)..=Duration::from_secs(70);
        assert!(ttl.contains(&both.ttl), "{:?}", both.ttl);

        *zone.borrow_mut() = vec![(ip("192.0.2.8"), 70)];
        let moved = look().await.unwrap();
        assert_eq!(moved.addresses, [ip("192.0.2.8")]);
    };
    tasks.run_until(test).await;
}
