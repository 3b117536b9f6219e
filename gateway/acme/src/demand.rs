//! Whether a name that a client asked for may have a certificate.
//!
//! Anybody can send any name in a handshake, and an authority issues only so many
//! certificates, so that the operator decides about each. The questions are bounded
//! too: whoever decides is not to be flooded.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::desk::Desk;

/// How many questions are asked at once.
pub(crate) const MOST_QUESTIONS: usize = 16;
/// How many names may have certificates because clients asked.
pub(crate) const MOST_NAMES: usize = 10_000;
/// How long one question may take; a client waits for it.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a refusal counts.
const REFUSED: Duration = Duration::from_secs(60);
/// How long it counts that nobody could say.
const UNKNOWN: Duration = Duration::from_secs(5);
/// How many answers are kept.
const MOST_ANSWERS: usize = 4096;

/// The answer to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Permission {
    /// Only the status 200 grants it.
    Granted,
    Refused,
    /// Nobody could say, and why.
    Unknown(String),
}

/// Asks about a name. Redirects are not followed.
pub(crate) async fn ask(desk: &Desk, url: &str, name: &str) -> Permission {
    let separator = if url.contains('?') { '&' } else { '?' };
    let url = format!("{url}{separator}domain={name}");
    let http = match desk.asker() {
        Ok(http) => http,
        Err(failure) => return Permission::Unknown(failure.to_string()),
    };
    match http.status(&url, PATIENCE).await {
        Ok(200) => Permission::Granted,
        Ok(status) if status >= 500 => {
            Permission::Unknown(format!("whoever decides about names has answered {status}"))
        }
        Ok(_) => Permission::Refused,
        Err(why) => Permission::Unknown(format!(
            "whoever decides about names cannot be reached: {why}"
        )),
    }
}

/// Whether a name from a handshake is one that a certificate can be for: a host with at
/// least two labels, in lower case.
pub(crate) fn is_host(name: &str) -> bool {
    let is_label = |label: &str| {
        let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(is_plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_address = name.parse::<std::net::IpAddr>().is_ok();
    name.len() <= 253 && name.contains('.') && !is_address && name.split('.').all(is_label)
}

/// Answers that were not permissions, for a while.
#[derive(Debug, Default)]
pub(crate) struct Refusals(HashMap<String, (Instant, bool)>);

impl Refusals {
    /// Whether the name was refused (true), or nobody could say (false); none if it is not
    /// known.
    pub(crate) fn find(&self, name: &str, now: Instant) -> Option<bool> {
        let (until, is_refused) = self.0.get(name)?;
        (now < *until).then_some(*is_refused)
    }

    /// Keeps an answer. Returns false if there were too many, so that all were forgotten.
    pub(crate) fn put(&mut self, name: &str, is_refused: bool, now: Instant) -> bool {
        let mut has_room = true;
        if self.0.len() >= MOST_ANSWERS {
            self.0.retain(|_, (until, _)| now < *until);
            has_room = self.0.len() < MOST_ANSWERS;
        }
        if !has_room {
            self.0.clear();
        }
        let lasts = if is_refused { REFUSED } else { UNKNOWN };
        self.0.insert(name.to_owned(), (now + lasts, is_refused));
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_are_asked_about() {
        for (name, expected) in [
            ("a.example", true),
            ("xn--bcher-kva.example", true),
            ("localhost", false),
            ("192.0.2.1", false),
            ("a..example", false),
            ("-a.example", false),
            ("a_b.example", false),
            ("a.example&domain=b", false),
            ("A.example", false),
        ] {
            assert_eq!(is_host(name), expected, "{name}");
        }
        assert!(!is_host(&format!("{}.example", "a".repeat(64))));
        assert!(!is_host(&"a.".repeat(130)));
    }

    #[test]
    fn refusals_last_a_minute_and_are_bounded() {
        let mut refusals = Refusals::default();
        let now = Instant::now();
        refusals.put("a.example", true, now);
        refusals.put("b.example", false, now);
        let later = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(refusals.find("a.example", later(59)), Some(true));
        assert_eq!(refusals.find("a.example", later(60)), None);
        assert_eq!(refusals.find("b.example", later(4)), Some(false));
        assert_eq!(refusals.find("b.example", later(5)), None);
        let mut overflows = 0;
        for number in 0..3 * MOST_ANSWERS {
            let has_room = refusals.put(&format!("{number}.example"), true, now);
            overflows += usize::from(!has_room);
            assert!(refusals.0.len() <= MOST_ANSWERS);
        }
        assert!(overflows > 0);
    }
}
