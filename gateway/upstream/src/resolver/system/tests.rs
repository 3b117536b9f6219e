use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A as A4, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::{Hosts, TokioResolver};
use tokio::net::UdpSocket;
use tokio::task::LocalSet;

use super::{Current, Found, System, service};
use crate::names::{Family, Outcome, Question};
use crate::resolver::Lookup as _;

const A: u16 = 1;
const AAAA: u16 = 28;

/// The records of a name server on loopback: addresses and their TTL in
/// seconds.
type Zone = Rc<RefCell<Vec<(IpAddr, u32)>>>;

/// The names that a name server was asked for.
type Asked = Rc<RefCell<Vec<String>>>;

/// Answers every query from the zone; with "no such name" if the zone is empty.
async fn name_server(socket: UdpSocket, zone: Zone, asked: Asked) {
    let mut query = [0; 512];
    while let Ok((len, from)) = socket.recv_from(&mut query).await {
        asked.borrow_mut().push(name_of(&query[..len]));
        let answer = answer(&query[..len], &zone.borrow());
        socket.send_to(&answer, from).await.unwrap();
    }
}

/// The name in a query (RFC 1035, section 4.1.2).
fn name_of(query: &[u8]) -> String {
    let mut name = String::new();
    let mut rest = &query[12..];
    while rest[0] > 0 {
        let (label, after) = rest[1..].split_at(usize::from(rest[0]));
        name += &format!("{}.", String::from_utf8_lossy(label));
        rest = after;
    }
    name
}

/// A response (RFC 1035, section 4.1): the query's header and question, and a
/// record for each address of the queried family.
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

/// A resolver with this hosts file, this name server and this search domain.
fn system(hosts: &str, server: SocketAddr, search: Option<&str>) -> System {
    let mut udp = ConnectionConfig::udp();
    udp.port = server.port();
    let server = NameServerConfig::new(server.ip(), true, vec![udp]);
    let search = search.iter().map(|name| Name::from_ascii(name).unwrap());
    let config = ResolverConfig::from_parts(None, search.collect(), vec![server]);
    let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    let mut known = Hosts::default();
    known.read_hosts_conf(hosts.as_bytes()).unwrap();
    let system = System::new("/nowhere/hosts".into(), Vec::new());
    let current = Current::new(system.times(), known, builder).unwrap();
    *system.current.borrow_mut() = Some(current);
    system
}

async fn loopback() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// The name of a container as `docker compose` makes it is queried with the
/// search domain and without it.
#[tokio::test]
async fn names_with_an_underscore_are_looked_up_in_the_search_domain_too() {
    let zone = Zone::default();
    let asked = Asked::default();
    let (socket, server) = loopback().await;
    let system = system("", server, Some("stack.test."));
    let tasks = LocalSet::new();
    tasks.spawn_local(name_server(socket, Rc::clone(&zone), Rc::clone(&asked)));
    let test = async {
        assert!(system.lookup("app_backend").await.is_err());
        let mut names = std::mem::take(&mut *asked.borrow_mut());
        names.sort();
        names.dedup();
        assert_eq!(names, ["app_backend.", "app_backend.stack.test."]);

        let address: IpAddr = "192.0.2.7".parse().unwrap();
        *zone.borrow_mut() = vec![(address, 70)];
        let found = system.lookup("app_backend").await.unwrap();
        assert_eq!(found.addresses, [address]);
        assert!(
            asked
                .borrow()
                .iter()
                .all(|it| it == "app_backend.stack.test.")
        );
    };
    tasks.run_until(test).await;
}

/// A name in the hosts file causes no query.
#[tokio::test]
async fn the_hosts_file_comes_first() {
    let hosts =
        "127.0.0.1 localhost\n127.0.0.7 other app_backend\n::7 App_Backend # both families\n";
    let asked = Asked::default();
    let (socket, server) = loopback().await;
    let system = system(hosts, server, Some("stack.test."));
    let tasks = LocalSet::new();
    tasks.spawn_local(name_server(socket, Zone::default(), Rc::clone(&asked)));
    let test = async {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        for (name, expected) in [
            ("app_backend", vec![ip("127.0.0.7"), ip("::7")]),
            ("app_backend.", vec![ip("127.0.0.7"), ip("::7")]),
            ("other", vec![ip("127.0.0.7")]),
            ("localhost", vec![ip("127.0.0.1"), ip("::1")]),
        ] {
            let found = system.lookup(name).await.unwrap();
            assert_eq!(found.addresses, expected, "{name}");
        }
        assert!(asked.borrow().is_empty(), "{asked:?}");
        assert!(system.lookup("unknown").await.is_err());
        assert!(!asked.borrow().is_empty());
    };
    tasks.run_until(test).await;
}

#[tokio::test]
async fn a_server_s_answers_come_with_both_families_their_ttl_and_no_cache() {
    let (socket, server) = loopback().await;
    let system = system("", server, None);
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let zone = Zone::default();
    let tasks = LocalSet::new();
    tasks.spawn_local(name_server(socket, Rc::clone(&zone), Asked::default()));
    let test = async {
        let look = || system.lookup("backend.test.");
        let missing = look().await.unwrap_err();
        assert!(missing.contains("no records found"), "{missing}");

        // A new name is found at once, and so is a changed address.
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

/// A name server that answers SRV and address queries by the name and type that they ask for;
/// with a server failure for what is not listed.
async fn scripted(socket: UdpSocket, script: Rc<RefCell<Vec<Scripted>>>) {
    let mut query = [0; 512];
    while let Ok((len, from)) = socket.recv_from(&mut query).await {
        let query = Message::from_vec(&query[..len]).unwrap();
        let asked = query.queries[0].clone();
        let mut response = Message::response(query.metadata.id, query.metadata.op_code);
        response.queries.push(asked.clone());
        let name = asked.name.to_lowercase().to_ascii();
        {
            let script = script.borrow();
            let mut replies = script.iter();
            let reply = replies.find(|(of, kind, _)| *of == name && *kind == asked.query_type);
            match reply.map(|(_, _, reply)| reply) {
                Some(Reply::Records(records)) => {
                    let records = records.iter().cloned();
                    let each = records.map(|data| Record::from_rdata(asked.name.clone(), 70, data));
                    response.answers.extend(each);
                }
                Some(Reply::Absent) => response.metadata.response_code = ResponseCode::NXDomain,
                None => response.metadata.response_code = ResponseCode::ServFail,
            }
        }
        socket
            .send_to(&response.to_vec().unwrap(), from)
            .await
            .unwrap();
    }
}

/// A name, a type, and what is answered.
type Scripted = (&'static str, RecordType, Reply);

enum Reply {
    Records(Vec<RData>),
    Absent,
}

fn a(ip: [u8; 4]) -> RData {
    RData::A(A4::from(Ipv4Addr::from(ip)))
}

fn srv(priority: u16, weight: u16, port: u16, target: &str) -> RData {
    RData::SRV(SRV::new(
        priority,
        weight,
        port,
        Name::from_ascii(target).unwrap(),
    ))
}

async fn asking(script: Vec<(&'static str, RecordType, Reply)>, question: Question) -> Outcome {
    let (socket, server) = loopback().await;
    let system = system("127.0.0.7 known\n::7 known\n", server, None);
    let tasks = LocalSet::new();
    tasks.spawn_local(scripted(socket, Rc::new(RefCell::new(script))));
    tasks.run_until(system.ask(&question)).await
}

fn addresses_of(host: &str, family: Family) -> Question {
    Question::Addresses {
        host: host.to_owned(),
        port: 80,
        family,
    }
}

fn ips(text: &str) -> Found {
    Found::Addresses(
        text.split_whitespace()
            .map(|ip| ip.parse().unwrap())
            .collect(),
    )
}

#[tokio::test]
async fn a_family_without_an_answer_does_not_hide_the_other() {
    let v4 = || {
        (
            "pods.test.",
            RecordType::A,
            Reply::Records(vec![a([192, 0, 2, 7])]),
        )
    };
    let none = |kind| ("pods.test.", kind, Reply::Records(Vec::new()));
    let question = || addresses_of("pods.test.", Family::Any);
    let found = asking(vec![v4(), none(RecordType::AAAA)], question()).await;
    assert!(
        matches!(&found, Outcome::Answer(found, _) if *found == ips("192.0.2.7")),
        "{found:?}"
    );
    // A server failure for the other family.
    let found = asking(vec![v4()], question()).await;
    assert!(
        matches!(&found, Outcome::Partial(found, _, Family::Ipv6, _) if *found == ips("192.0.2.7")),
        "{found:?}"
    );
    // It does not matter if that family is not wanted.
    let found = asking(vec![v4()], addresses_of("pods.test.", Family::Ipv4)).await;
    assert!(
        matches!(&found, Outcome::Answer(found, _) if *found == ips("192.0.2.7")),
        "{found:?}"
    );
    let found = asking(
        vec![none(RecordType::A), none(RecordType::AAAA)],
        question(),
    )
    .await;
    assert!(matches!(found, Outcome::Gone(_)), "{found:?}");
    let absent = |kind| ("pods.test.", kind, Reply::Absent);
    let found = asking(
        vec![absent(RecordType::A), absent(RecordType::AAAA)],
        question(),
    )
    .await;
    assert!(matches!(found, Outcome::Gone(_)), "{found:?}");
    for script in [
        vec![],
        vec![none(RecordType::A)],
        vec![absent(RecordType::AAAA)],
    ] {
        let found = asking(script, question()).await;
        assert!(matches!(found, Outcome::Failed(_)), "{found:?}");
    }
    for (family, expected) in [
        (Family::Any, "127.0.0.7 ::7"),
        (Family::Ipv4, "127.0.0.7"),
        (Family::Ipv6, "::7"),
    ] {
        let found = asking(vec![], addresses_of("known", family)).await;
        assert!(
            matches!(&found, Outcome::Answer(found, _) if *found == ips(expected)),
            "{found:?}"
        );
    }
}

#[tokio::test]
async fn services_have_targets_and_the_root_is_none() {
    let question = || Question::Services {
        name: "_http._tcp.test.".to_owned(),
    };
    let records = |records| vec![("_http._tcp.test.", RecordType::SRV, Reply::Records(records))];
    let two = vec![srv(10, 5, 8080, "One.test."), srv(20, 0, 80, "two.test.")];
    let Outcome::Answer(Found::Services(found), _) = asking(records(two), question()).await else {
        panic!("there are services");
    };
    let found = found
        .iter()
        .map(|it| (it.priority, it.weight, it.port, it.target.as_str()));
    let expected = [(10, 5, 8080, "one.test"), (20, 0, 80, "two.test")];
    assert_eq!(found.collect::<Vec<_>>(), expected);
    let root = vec![srv(0, 0, 0, ".")];
    let found = asking(records(root), question()).await;
    assert!(matches!(found, Outcome::Gone(_)), "{found:?}");
    let found = asking(records(Vec::new()), question()).await;
    assert!(matches!(found, Outcome::Gone(_)), "{found:?}");
    let found = asking(Vec::new(), question()).await;
    assert!(matches!(found, Outcome::Failed(_)), "{found:?}");
}

/// In the DNS a name may have any bytes, but the name of an endpoint is told to it as its `Host`.
#[test]
fn only_names_of_hosts_are_targets() {
    let of = |labels: &[&[u8]], port| {
        let target = Name::from_labels(labels.iter().copied()).unwrap();
        service(&SRV::new(0, 1, port, target)).map(|service| service.target)
    };
    let name = of(&[b"App_1-a", b"test"], 80);
    assert_eq!(name.as_deref(), Some("app_1-a.test"));
    for (labels, port) in [
        (&[&b"app"[..], b"test"][..], 0),
        (&[], 80),
        (&[b"a b"], 80),
        (&[b"a\r\nx: y"], 80),
        (&[b"a/b"], 80),
        (&[b"a@b"], 80),
        (&[b"a:80"], 80),
        (&[b"a.b", b"test"], 80),
        (&[b"\xff"], 80),
    ] {
        assert_eq!(of(labels, port), None, "{labels:?}");
    }
}
