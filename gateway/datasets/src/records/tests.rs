use super::*;

/// The harness of the tests has the same writer.
#[allow(unreachable_pub, reason = "the harness exports it")]
#[path = "../../../../tests/src/mmdb.rs"]
mod mmdb;

use mmdb::{Value, database};

fn find(records: &Records, address: &str, member: &str) -> Option<String> {
    let mut out = Vec::new();
    let is_found = records.find(address.parse().unwrap(), member, &mut out);
    is_found.then(|| String::from_utf8(out).unwrap())
}

fn records() -> Vec<u8> {
    let country = |code| Value::Map(vec![("iso_code", Value::Text(code))]);
    let wide = Value::Map(vec![
        ("country", country("DE")),
        ("cities", Value::List(vec![country("A"), country("B")])),
        ("asn", Value::Number(64_500)),
        ("latitude", Value::Real(52.5)),
        ("is_eu", Value::Flag(true)),
    ]);
    let narrow = Value::Map(vec![("country", country("FR"))]);
    database(&[
        ("192.0.2.0/24", wide),
        ("192.0.2.128/25", narrow),
        ("2001:db8::/32", Value::Text("plain")),
    ])
}

#[test]
fn members_of_records() {
    let records = Records::parse(records()).unwrap();
    for (address, member, value) in [
        ("192.0.2.1", "country.iso_code", Some("DE")),
        ("::ffff:192.0.2.1", "country.iso_code", Some("DE")),
        ("192.0.2.129", "country.iso_code", Some("FR")),
        ("192.0.2.1", "cities.1.iso_code", Some("B")),
        ("192.0.2.1", "cities.2.iso_code", None),
        ("192.0.2.1", "asn", Some("64500")),
        ("192.0.2.1", "latitude", Some("52.5")),
        ("192.0.2.1", "is_eu", Some("1")),
        ("192.0.2.1", "country", None),
        ("192.0.2.1", "", None),
        ("192.0.2.1", "country.iso_code.more", None),
        ("192.0.2.1", "a.b.c.d.e.f.g.h.i", None),
        ("192.0.2.129", "asn", None),
        ("192.0.3.1", "country.iso_code", None),
        ("2001:db8::1", "", Some("plain")),
        ("2001:db9::1", "", None),
    ] {
        let found = find(&records, address, member);
        assert_eq!(found.as_deref(), value, "{address} {member}");
    }
    // The half of the first network that remains, and the others.
    assert_eq!(records.entries(), 3);
}

/// No byte that is another one makes the gateway panic: it is refused, or something else is
/// found.
#[test]
fn a_damaged_database_is_refused_or_harmless() {
    let good = records();
    assert!(Records::parse(Vec::new()).is_err());
    for length in (0..good.len()).step_by(7) {
        let _ = Records::parse(good[..length].to_vec());
    }
    let mut refused = 0;
    for at in 0..good.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bad = good.clone();
            bad[at] ^= flip;
            match Records::parse(bad) {
                Ok(records) => drop(find(&records, "192.0.2.1", "country.iso_code")),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 0);
}
