//! Where the value of a challenge belongs.
//!
//! Names are strings in lower case without the final dot, as in the
//! configuration; only in sentences and in records for a zone file do they have
//! it. Internationalised names are given in their ASCII form (RFC 5890).

use hickory_proto::rr::Name;
use sha2::{Digest as _, Sha256};

use crate::error::Error;

/// The longest name in text, without the final dot (RFC 1035, section 2.3.4).
const NAME_BYTES: usize = 253;
const LABEL_BYTES: usize = 63;

/// The bytes of a hash in the label of [`cname_target`], as 32 hexadecimal
/// digits.
const HASH_BYTES: usize = 16;

/// The name that an authority looks up for a domain (RFC 8555, section 8.4):
/// `_acme-challenge.example.com`. A wildcard has the name of the domain below
/// the asterisk.
#[must_use]
pub fn challenge_name(domain: &str) -> String {
    format!("_acme-challenge.{}", bare(domain))
}

/// The name below `zone` that the challenge name of a domain is an alias (CNAME)
/// of: `example.com.acme.example.com`. Each domain has one of its own, so that
/// the orders of different domains do not meet.
///
/// If that is no valid name, for example because it is longer than 253 bytes, a
/// hash of the domain takes the domain's place. The zone must be no longer than
/// 220 bytes for that.
#[must_use]
pub fn cname_target(domain: &str, zone: &str) -> String {
    let (domain, zone) = (bare(domain), bare(zone));
    let plain = format!("{domain}.{zone}");
    if is_valid(&plain) {
        return plain;
    }
    let hash = Sha256::digest(domain.as_bytes());
    let digits: String = hash
        .iter()
        .take(HASH_BYTES)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{digits}.{zone}")
}

fn is_valid(name: &str) -> bool {
    let is_label = |label: &str| {
        let bytes = label.bytes();
        (1..=LABEL_BYTES).contains(&label.len()) && { bytes }
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    name.len() <= NAME_BYTES && name.split('.').all(is_label)
}

/// A domain as [`plain`] has it; of a wildcard, the one below the asterisk.
pub(crate) fn bare(domain: &str) -> String {
    plain(domain.strip_prefix("*.").unwrap_or(domain))
}

/// A name in lower case and without the final dot.
pub(crate) fn plain(name: &str) -> String {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.to_ascii_lowercase()
}

/// A name as the DNS has it.
pub(crate) fn parse(name: &str) -> Result<Name, Error> {
    let parsed = Name::from_ascii(plain(name));
    let mut parsed =
        parsed.map_err(|error| Error::new(format!("`{name}` is no name: {error}.")))?;
    parsed.set_fqdn(true);
    if parsed.is_root() {
        return Err(Error::new("A name is empty."));
    }
    Ok(parsed)
}

/// A name as the callers of this crate have it.
pub(crate) fn text(name: &Name) -> String {
    plain(&name.to_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_shares_the_name_of_its_domain() {
        for domain in ["example.com", "*.example.com", "Example.COM."] {
            assert_eq!(challenge_name(domain), "_acme-challenge.example.com");
            let target = cname_target(domain, "acme.example.net.");
            assert_eq!(target, "example.com.acme.example.net");
        }
    }

    #[test]
    fn what_would_be_too_long_or_no_name_is_hashed() {
        let label = "a".repeat(60);
        let long = format!("{label}.{label}.{label}.{label}");
        let zone = "acme.example.net";
        let mut targets = Vec::new();
        for domain in [&long, &format!("b{long}"), "a..b", "", &"c".repeat(64)] {
            let target = cname_target(domain, zone);
            assert_eq!(target.len(), 32 + 1 + zone.len(), "{target}");
            assert!(target.ends_with(".acme.example.net"), "{target}");
            assert!(parse(&target).is_ok(), "{target}");
            assert_eq!(target, cname_target(domain, zone));
            assert!(!targets.contains(&target));
            targets.push(target);
        }
        // Just short enough.
        let fits = long[..NAME_BYTES - zone.len() - 1].to_owned();
        assert_eq!(cname_target(&fits, zone), format!("{fits}.{zone}"));
    }

    #[test]
    fn names_are_read_and_written() {
        let name = parse("_ACME-challenge.Example.com").unwrap();
        assert!(name.is_fqdn());
        assert_eq!(text(&name), "_acme-challenge.example.com");
        assert_eq!(text(&parse("*.example.com.").unwrap()), "*.example.com");
        for wrong in ["", ".", "a..b", &"a".repeat(64), "a b"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
