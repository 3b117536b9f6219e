//! The record of the challenge `dns-persist-01`
//! (draft-ietf-acme-dns-persist), which the operator adds once:
//!
//! ```text
//! _validation-persist.example.com. TXT "letsencrypt.org; accounturi=https://…; policy=wildcard"
//! ```
//!
//! The record names an authority and an account, and authorises that account for
//! the domain until `persistUntil`, or for ever.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use hickory_proto::rr::RecordType;

use super::Lookup;
use crate::error::Error;
use crate::names;

/// The result of [`Lookup::persist_record`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Persist {
    /// There is a record that is valid now.
    Found {
        /// Until when, in seconds since 1970; none means for ever.
        persist_until: Option<i64>,
        /// Whether it is valid for wildcards and names below the domain too.
        wildcard: bool,
    },
    /// There is none.
    NotFound {
        /// What is wrong with each record that is there, as a sentence without
        /// its full stop. Empty if there is no record at all.
        found: Vec<String>,
    },
}

/// What the issuer calls an issue value (RFC 8659, section 4.2), as far as it is
/// of interest here.
#[derive(Debug, PartialEq, Eq)]
struct Value {
    persist_until: Option<i64>,
    wildcard: bool,
}

/// The value of the record for an authority, an account, and the domain alone or
/// wildcards too. It is valid for ever.
#[must_use]
pub fn persist_value(issuer: &str, account_uri: &str, wildcard: bool) -> String {
    let policy = if wildcard { "; policy=wildcard" } else { "" };
    format!("{issuer}; accounturi={account_uri}{policy}")
}

impl Lookup {
    pub(super) async fn find_persist(
        &self,
        domain: &str,
        issuers: &[String],
        account_uri: &str,
    ) -> Result<Persist, Error> {
        let name = format!("_validation-persist.{}", names::bare(domain));
        let response = self.resolve(&names::parse(&name)?, RecordType::TXT).await?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = i64::try_from(now.unwrap_or_default().as_secs()).unwrap_or(i64::MAX);
        let texts = response.texts().map(String::from_utf8_lossy);
        Ok(choose(texts, issuers, account_uri, now))
    }
}

fn choose(
    texts: impl Iterator<Item = impl AsRef<str>>,
    issuers: &[String],
    account_uri: &str,
    now: i64,
) -> Persist {
    let mut best: Option<Value> = None;
    let mut found = Vec::new();
    let rank = |value: &Value| (value.wildcard, value.persist_until.unwrap_or(i64::MAX));
    for text in texts {
        let text = text.as_ref();
        match read(text, issuers, account_uri, now) {
            Ok(value) if best.as_ref().is_none_or(|best| rank(best) < rank(&value)) => {
                best = Some(value);
            }
            Ok(_) => {}
            Err(why) => found.push(format!("`{text}` {why}")),
        }
    }
    match best {
        Some(value) => Persist::Found {
            persist_until: value.persist_until,
            wildcard: value.wildcard,
        },
        None => Persist::NotFound { found },
    }
}

/// The value of a record, or why it is not valid, as the end of a sentence. What
/// an authority has to ignore as malformed is an error here too.
fn read(text: &str, issuers: &[String], account_uri: &str, now: i64) -> Result<Value, String> {
    let mut parts = text.split(';').map(str::trim);
    let issuer = names::plain(parts.next().unwrap_or_default());
    if !issuers.iter().any(|known| names::plain(known) == issuer) {
        return Err("is for another authority".to_owned());
    }
    let mut parameters = HashMap::new();
    for part in parts {
        let Some((key, value)) = part.split_once('=') else {
            return Err(format!("is malformed: `{part}` is no parameter"));
        };
        let key = key.trim_end().to_ascii_lowercase();
        if parameters.insert(key.clone(), value.trim_start()).is_some() {
            return Err(format!("is malformed: `{key}` is there twice"));
        }
    }
    // A URI is compared as it is.
    match parameters.get("accounturi") {
        Some(uri) if *uri == account_uri => {}
        Some(_) => return Err(format!("is for another account than `{account_uri}`")),
        None => return Err("names no account".to_owned()),
    }
    let persist_until = match parameters.get("persistuntil") {
        None => None,
        Some(digits) => match digits.parse::<i64>() {
            Ok(until) if until < now => return Err("has expired".to_owned()),
            Ok(until) => Some(until),
            Err(_) => return Err("is malformed: `persistUntil` is no number".to_owned()),
        },
    };
    let policy = parameters.get("policy");
    Ok(Value {
        persist_until,
        wildcard: policy.is_some_and(|policy| policy.eq_ignore_ascii_case("wildcard")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "https://ca.example/acct/1";
    const NOW: i64 = 1_000;

    fn of(text: &str) -> Result<Value, String> {
        let issuers = ["ca.example".to_owned(), "other-ca.example".to_owned()];
        read(text, &issuers, ACCOUNT, NOW)
    }

    #[test]
    fn what_is_suggested_is_accepted() {
        for (wildcard, expected) in [
            (false, "ca.example; accounturi=https://ca.example/acct/1"),
            (
                true,
                "ca.example; accounturi=https://ca.example/acct/1; policy=wildcard",
            ),
        ] {
            let value = persist_value("ca.example", ACCOUNT, wildcard);
            assert_eq!(value, expected);
            let expected = Value {
                persist_until: None,
                wildcard,
            };
            assert_eq!(of(&value), Ok(expected));
        }
    }

    #[test]
    fn order_white_space_and_case_do_not_matter() {
        let value = |persist_until, wildcard| {
            Ok(Value {
                persist_until,
                wildcard,
            })
        };
        for (text, expected) in [
            (
                " CA.example. ;policy = WildCard;  persistUntil=1000 ; ACCOUNTURI =https://ca.example/acct/1 ",
                value(Some(1000), true),
            ),
            (
                "other-ca.example;accounturi=https://ca.example/acct/1;policy=other;x=y",
                value(None, false),
            ),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
    }

    #[test]
    fn what_an_authority_ignores_is_not_valid() {
        let good = "ca.example; accounturi=https://ca.example/acct/1";
        for (text, why) in [
            ("", "another authority"),
            (
                "x.example; accounturi=https://ca.example/acct/1",
                "another authority",
            ),
            ("ca.example", "names no account"),
            (
                "ca.example; accounturi=https://ca.example/acct/2",
                "another account",
            ),
            (
                "ca.example; accounturi=HTTPS://ca.example/acct/1",
                "another account",
            ),
            (&format!("{good}; persistUntil=999"), "has expired"),
            (&format!("{good}; persistUntil=soon"), "no number"),
            (&format!("{good}; policy=a; policy=b"), "twice"),
            (&format!("{good};"), "no parameter"),
        ] {
            let error = of(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn the_best_of_several_is_chosen() {
        let base = "ca.example; accounturi=https://ca.example/acct/1";
        let issuers = ["ca.example".to_owned()];
        let choose = |rest: &[&str]| {
            let texts = rest.iter().map(|rest| format!("{base}{rest}"));
            choose(texts, &issuers, ACCOUNT, NOW)
        };
        let found = |persist_until, wildcard| Persist::Found {
            persist_until,
            wildcard,
        };
        let wild = "; policy=wildcard; persistUntil=2000";
        let expired = "; policy=wildcard; persistUntil=1";
        assert_eq!(
            choose(&["", wild, "; persistUntil=3000"]),
            found(Some(2000), true)
        );
        assert_eq!(choose(&["; persistUntil=3000", ""]), found(None, false));
        assert_eq!(choose(&[expired, ""]), found(None, false));
        assert_eq!(choose(&[]), Persist::NotFound { found: vec![] });
        let Persist::NotFound { found } = choose(&[expired]) else {
            panic!("found");
        };
        assert_eq!(found, [format!("`{base}{expired}` has expired")]);
    }
}
