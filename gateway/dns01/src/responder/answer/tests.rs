use hickory_proto::op::Edns;
use proptest::prelude::*;

use super::*;
use crate::records::Zones;

const ZONE: &str = "acme.example.com.";
const APEX: &str = "_acme-challenge.a.example.";
/// The value of a challenge has 43 bytes.
const VALUE: &str = "LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_gmtoM";

fn known() -> Known {
    let known = Known::new(&Zones {
        zone: Some(ZONE.to_owned()),
        name_server: "gw.example.com".to_owned(),
    });
    let known = known.unwrap();
    known.set_apexes([APEX.to_owned()]);
    known.present("a.acme.example.com", VALUE).unwrap();
    known.present(APEX, VALUE).unwrap();
    known
}

fn query(name: &str, kind: RecordType) -> Message {
    let mut query = Message::query();
    query.metadata.recursion_desired = true;
    query.add_query(op::Query::query(Name::from_ascii(name).unwrap(), kind));
    query
}

fn with_edns(mut query: Message, version: u8, payload: u16) -> Message {
    let mut edns = Edns::new();
    edns.set_max_payload(payload)
        .set_version(version)
        .set_dnssec_ok(true);
    query.set_edns(edns);
    query
}

/// The response to a message, whose header is checked.
fn ask_in(room: Room, query: &Message) -> Message {
    let bytes = respond(&query.to_vec().unwrap(), room, &known()).unwrap();
    let response = Message::from_vec(&bytes).unwrap();
    assert_eq!(response.id, query.id);
    assert_eq!(response.message_type, MessageType::Response);
    assert!(!response.recursion_available);
    assert_eq!(response.edns.is_some(), query.edns.is_some());
    response
}

fn ask(name: &str, kind: RecordType) -> Message {
    ask_in(Room::Datagram, &query(name, kind))
}

fn lines(records: &[Record]) -> Vec<String> {
    records
        .iter()
        .map(|record| {
            // The serial number is of the time.
            let text = record.to_string();
            match text.split_once(" hostmaster.gw.example.com. ") {
                Some((before, after)) => {
                    let rest = after.split_once(' ').unwrap().1;
                    format!("{before} hostmaster.gw.example.com. SERIAL {rest}")
                }
                None => text,
            }
        })
        .collect()
}

fn soa(apex: &str, ttl: u32) -> String {
    let rest = "gw.example.com. hostmaster.gw.example.com. SERIAL 3600 600 86400 1";
    format!("{apex} {ttl} IN SOA {rest}")
}

#[test]
fn names_in_the_zones_are_answered() {
    use RecordType as T;
    let text = |name: &str| format!("{name} 1 IN TXT {VALUE}");
    let table = [
        (
            "a.acme.example.com.",
            T::TXT,
            vec![text("a.acme.example.com.")],
        ),
        // As it was asked, for resolvers that mix cases.
        (
            "A.aCMe.eXample.com.",
            T::TXT,
            vec![text("A.aCMe.eXample.com.")],
        ),
        (APEX, T::TXT, vec![text(APEX)]),
        (ZONE, T::SOA, vec![soa(ZONE, 300)]),
        (APEX, T::SOA, vec![soa(APEX, 300)]),
        (
            ZONE,
            T::NS,
            vec![format!("{ZONE} 300 IN NS gw.example.com.")],
        ),
        (
            APEX,
            T::NS,
            vec![format!("{APEX} 300 IN NS gw.example.com.")],
        ),
        (APEX, T::ANY, vec![format!("{APEX} 300 IN HINFO RFC8482 ")]),
        (
            "a.acme.example.com.",
            T::ANY,
            vec!["a.acme.example.com. 300 IN HINFO RFC8482 ".to_owned()],
        ),
    ];
    for (name, kind, expected) in table {
        let response = ask(name, kind);
        assert_eq!(response.response_code, ResponseCode::NoError);
        assert!(response.authoritative && response.recursion_desired);
        assert_eq!(lines(&response.answers), expected, "{name} {kind}");
        assert!(
            response.answers[0]
                .name
                .eq_case(&Name::from_ascii(name).unwrap())
        );
        assert!(response.authorities.is_empty() && response.additionals.is_empty());
    }
}

/// Never NXDOMAIN, which would be true for names below and for other types too.
#[test]
fn everything_else_in_the_zones_has_no_data() {
    use RecordType as T;
    let table = [
        ("b.acme.example.com.", T::TXT, ZONE),
        ("b.ACME.example.com.", T::ANY, "ACME.example.com."),
        ("x.y.z.acme.example.com.", T::A, ZONE),
        ("a.acme.example.com.", T::SOA, ZONE),
        ("a.acme.example.com.", T::NS, ZONE),
        ("a.acme.example.com.", T::AAAA, ZONE),
        (ZONE, T::TXT, ZONE),
        (APEX, T::DS, APEX),
        (APEX, T::from(65_280), APEX),
    ];
    for (name, kind, apex) in table {
        let response = ask(name, kind);
        assert_eq!(response.response_code, ResponseCode::NoError);
        assert!(response.authoritative);
        assert_eq!(
            lines(&response.answers),
            Vec::<String>::new(),
            "{name} {kind}"
        );
        assert_eq!(
            lines(&response.authorities),
            [soa(apex, 1)],
            "{name} {kind}"
        );
    }
}

#[test]
fn what_is_not_its_own_is_refused() {
    use RecordType as T;
    let table = [
        ("example.com.", T::TXT, ResponseCode::Refused),
        ("a.example.", T::SOA, ResponseCode::Refused),
        (".", T::NS, ResponseCode::Refused),
        (ZONE, T::AXFR, ResponseCode::Refused),
        (ZONE, T::IXFR, ResponseCode::Refused),
        (ZONE, T::OPT, ResponseCode::FormErr),
    ];
    for (name, kind, code) in table {
        let response = ask(name, kind);
        assert_eq!(response.response_code, code, "{name} {kind}");
        assert!(!response.authoritative);
        assert_eq!(response.queries.len(), 1);
        assert_eq!(response.all_sections().count(), 0);
    }
    let mut version = query("version.bind.", T::TXT);
    version.queries[0].set_query_class(DNSClass::CH);
    let response = ask_in(Room::Datagram, &version);
    assert_eq!(response.response_code, ResponseCode::Refused);
}

#[test]
fn other_messages_get_an_error_or_nothing() {
    let good = query(ZONE, RecordType::SOA);
    let code = |change: &dyn Fn(&mut Message)| {
        let mut message = good.clone();
        change(&mut message);
        let bytes = message.to_vec().unwrap();
        let response = respond(&bytes, Room::Datagram, &known())?;
        let response = Message::from_vec(&response).unwrap();
        assert_eq!(response.op_code, message.op_code);
        Some(response.response_code)
    };
    let opcode = |op_code| code(&|message| message.metadata.op_code = op_code);
    assert_eq!(opcode(OpCode::Notify), Some(ResponseCode::NotImp));
    assert_eq!(opcode(OpCode::Update), Some(ResponseCode::NotImp));
    assert_eq!(opcode(OpCode::Unknown(15)), Some(ResponseCode::NotImp));
    let none = code(&|message| message.queries.clear());
    assert_eq!(none, Some(ResponseCode::FormErr));
    let two = code(&|message| message.queries.push(message.queries[0].clone()));
    assert_eq!(two, Some(ResponseCode::FormErr));
    let response = code(&|message| message.metadata.message_type = MessageType::Response);
    assert_eq!(response, None);

    let bytes = good.to_vec().unwrap();
    assert_eq!(respond(&bytes[..11], Room::Datagram, &known()), None);
    for wrong in [&bytes[..bytes.len() - 1], &[&bytes[..], b"x"].concat()] {
        let response = respond(wrong, Room::Datagram, &known()).unwrap();
        let response = Message::from_vec(&response).unwrap();
        assert_eq!(response.response_code, ResponseCode::FormErr);
        assert_eq!(respond(wrong, Room::Truncated, &known()), None);
    }
}

#[test]
fn edns_is_answered_with_edns() {
    let good = with_edns(query(APEX, RecordType::TXT), 0, 4096);
    let edns = ask_in(Room::Datagram, &good).edns.unwrap();
    assert_eq!((edns.version(), edns.max_payload()), (0, 1232));
    assert!(edns.flags().dnssec_ok);

    let newer = with_edns(query(APEX, RecordType::TXT), 1, 4096);
    let response = ask_in(Room::Datagram, &newer);
    // BADVERS and BADSIG are both 16, and the codec reads the latter.
    assert_eq!(u16::from(response.response_code), 16);
    assert_eq!(response.edns.unwrap().version(), 0);
    assert!(response.answers.is_empty());

    // Two of them are one too many (RFC 6891, section 6.1.1).
    let mut bytes = good.to_vec().unwrap();
    bytes.extend_from_within(bytes.len() - 11..);
    bytes[11] = 2;
    let response = respond(&bytes, Room::Datagram, &known()).unwrap();
    let response = Message::from_vec(&response).unwrap();
    assert_eq!(response.response_code, ResponseCode::FormErr);
}

#[test]
fn what_does_not_fit_is_truncated() {
    let known = known();
    for n in 0..40 {
        known
            .present("a.acme.example.com", &format!("{n:043}"))
            .unwrap();
    }
    let plain = query("a.acme.example.com.", RecordType::TXT);
    for (query, room, limit) in [
        (plain.clone(), Room::Datagram, 512),
        (with_edns(plain.clone(), 0, 4096), Room::Datagram, 1232),
        (with_edns(plain.clone(), 0, 600), Room::Datagram, 600),
        (plain.clone(), Room::Truncated, 48),
        (plain, Room::Stream, 65_535),
    ] {
        let bytes = respond(&query.to_vec().unwrap(), room, &known).unwrap();
        assert!(bytes.len() <= limit, "{}", bytes.len());
        let response = Message::from_vec(&bytes).unwrap();
        assert_eq!(response.queries, query.queries);
        let whole = room == Room::Stream;
        assert_eq!(response.truncation, !whole);
        assert_eq!(response.answers.len(), if whole { 41 } else { 0 });
    }
}

/// What a response may be longer than the query: the SOA record, or one value.
const GROWTH: usize = 100;

fn kinds() -> impl Strategy<Value = u16> {
    prop_oneof![any::<u16>(), Just(16), Just(255), Just(6), Just(2)]
}

proptest! {
    #[test]
    fn random_bytes_cause_no_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for room in [Room::Datagram, Room::Truncated, Room::Stream] {
            let _ = respond(&bytes, room, &known());
        }
        if let Some(flags) = bytes.get_mut(2) {
            *flags |= 0x80;
        }
        for room in [Room::Datagram, Room::Truncated, Room::Stream] {
            prop_assert_eq!(respond(&bytes, room, &known()), None);
        }
    }

    #[test]
    fn damaged_queries_cause_no_panic_and_no_large_response(
        name in "([a-zA-Z_]{1,63}\\.){0,3}(acme\\.example\\.com\\.|_acme-challenge\\.a\\.example\\.)",
        kind in kinds(),
        edns in any::<Option<(bool, u16)>>(),
        damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut message = query(&name, kind.into());
        if let Some((version, payload)) = edns {
            message = with_edns(message, version.into(), payload);
        }
        let mut bytes = message.to_vec().unwrap();
        for (index, byte) in &damages {
            let index = index.index(bytes.len());
            bytes[index] = *byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let response = respond(&bytes, Room::Datagram, &known()).unwrap_or_default();
        prop_assert!(response.len() <= bytes.len() + GROWTH, "{}", response.len());
        if damages.is_empty() && cut.is_none() {
            let response = Message::from_vec(&response).unwrap();
            prop_assert!(response.queries[0].name.eq_case(&message.queries[0].name));
        }
        let response = respond(&bytes, Room::Truncated, &known()).unwrap_or_default();
        // A damaged name may consist of the header.
        prop_assert!(response.len() <= bytes.len() + 12, "{}", response.len());
    }
}
