//! Why there is no certificate.

use std::fmt;
use std::time::Duration;

use instant_acme::{Error, Problem};

/// Why an order, or what belongs to it, has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// A word: the type of the authority's problem document without its prefix
    /// (RFC 8555, section 6.7), such as `rateLimited`, or one of [`Self::OWN`].
    pub kind: String,
    /// A sentence.
    pub detail: String,
    /// The authority's problem document, as JSON.
    pub problem: Option<serde_json::Value>,
    /// How long the authority wants to be left alone.
    pub retry_after: Option<Duration>,
}

const PREFIX: &str = "urn:ietf:params:acme:error:";

/// The types of problems that are registered (RFC 8555, section 6.7; RFC 9773, section 7.4).
const REGISTERED: [&str; 27] = [
    "accountDoesNotExist",
    "alreadyReplaced",
    "alreadyRevoked",
    "badCSR",
    "badNonce",
    "badPublicKey",
    "badRevocationReason",
    "badSignatureAlgorithm",
    "caa",
    "compound",
    "connection",
    "dns",
    "externalAccountRequired",
    "incorrectResponse",
    "invalidContact",
    "invalidProfile",
    "malformed",
    "orderNotReady",
    "rateLimited",
    "rejectedIdentifier",
    "serverInternal",
    "tls",
    "unauthorized",
    "unsupportedContact",
    "unsupportedIdentifier",
    "userActionRequired",
    "autoRenewalCanceled",
];

/// How many characters of a text of the authority are kept: it goes to logs, to webhooks and to the
/// status.
const LONGEST_TEXT: usize = 2000;
/// How many of its subproblems.
const MOST_SUBPROBLEMS: usize = 20;

impl Failure {
    /// The kinds that are not the authority's: it cannot be reached, it has answered
    /// what cannot be understood, the store cannot be written, the DNS does not have
    /// what it should, the configuration does not allow it, the answer took too long.
    pub const OWN: [&str; 6] = [
        "unreachable",
        "protocol",
        "storage",
        "dns",
        "settings",
        "timeout",
    ];

    /// A failure with one of the gateway's own kinds.
    pub(crate) fn new(kind: &str, detail: impl fmt::Display) -> Self {
        Self {
            kind: kind.to_owned(),
            detail: detail.to_string(),
            problem: None,
            retry_after: None,
        }
    }

    pub(crate) fn storage(place: &str, error: &std::io::Error) -> Self {
        Self::new("storage", format_args!("{place} cannot be used: {error}"))
    }

    /// What the client of ACME reports.
    pub(crate) fn of(error: &Error) -> Self {
        match error {
            Error::Api(problem) => Self::of_problem(problem),
            Error::Timeout(_) => Self::new("timeout", "the authority did not finish in time"),
            Error::Json(why) => Self::new(
                "protocol",
                format_args!("the authority has answered what is not ACME: {why}"),
            ),
            Error::Unsupported(what) => Self::new(
                "settings",
                format_args!("the authority does not support {what}"),
            ),
            Error::Other(why) => Self::new("unreachable", Causes(&**why)),
            other => Self::new("protocol", Causes(other)),
        }
    }

    /// A problem document (RFC 9457).
    pub(crate) fn of_problem(problem: &Problem) -> Self {
        let full = text(problem.r#type.as_deref().unwrap_or("about:blank"));
        let own_detail = problem.detail.as_deref().map(text);
        let mut detail = own_detail.clone().unwrap_or_default();
        let subproblems = || problem.subproblems.iter().take(MOST_SUBPROBLEMS);
        let in_json: Vec<_> = subproblems()
            .map(|one| {
                let identifier = one.identifier.as_ref();
                let identifier = identifier.map(|it| text(&it.authorized(false).to_string()));
                serde_json::json!({
                    "type": one.r#type.as_deref().map(text),
                    "detail": one.detail.as_deref().map(text),
                    "identifier": identifier,
                })
            })
            .collect();
        for one in subproblems() {
            detail.push_str(&text(&format!("; {one}")));
        }
        Self {
            kind: full.strip_prefix(PREFIX).unwrap_or(&full).to_owned(),
            detail: text(&detail),
            problem: Some(serde_json::json!({
                "type": problem.r#type.as_deref().map(text),
                "detail": own_detail,
                "status": problem.status,
                "subproblems": in_json,
            })),
            retry_after: None,
        }
    }

    /// Its kind for metrics, which must not have as many values as an authority can think of.
    pub(crate) fn word(&self) -> &'static str {
        let mut known = Self::OWN.iter().chain(&REGISTERED);
        known.find(|&&one| one == self.kind).unwrap_or(&"other")
    }

    /// Whether the authority no longer knows the account.
    pub(crate) fn is_lost_account(&self) -> bool {
        self.kind == "accountDoesNotExist"
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.detail.is_empty() {
            true => f.write_str(&self.kind),
            false => write!(f, "{} ({})", self.detail.trim_end_matches('.'), self.kind),
        }
    }
}

impl std::error::Error for Failure {}

/// A text of the authority: of one line, and not too long.
fn text(text: &str) -> String {
    let mut kept: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST_TEXT + 1)
        .collect();
    if let Some((end, _)) = kept.char_indices().nth(LONGEST_TEXT) {
        kept.truncate(end);
        kept.push('…');
    }
    kept
}

/// An error with all that caused it: the outermost alone often says nothing.
pub(crate) struct Causes<'a>(pub(crate) &'a (dyn std::error::Error + 'static));

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_document_is_kept_whole() {
        let problem: Problem = serde_json::from_value(serde_json::json!({
            "type": "urn:ietf:params:acme:error:rejectedIdentifier",
            "detail": "no",
            "status": 400,
            "subproblems": [{
                "type": "urn:ietf:params:acme:error:dns",
                "detail": "no such name",
                "identifier": { "type": "dns", "value": "a.example" },
            }],
        }))
        .unwrap();
        let failure = Failure::of(&Error::Api(problem));
        assert_eq!(failure.kind, "rejectedIdentifier");
        let words = failure.to_string();
        assert!(
            words.starts_with("no; for \"a.example\": no such name"),
            "{words}"
        );
        let problem = failure.problem.unwrap();
        assert_eq!(problem["subproblems"][0]["identifier"], "a.example");
    }
    #[test]
    fn what_an_authority_writes_stays_within_bounds() {
        let problem: Problem = serde_json::from_value(serde_json::json!({
            "type": format!("urn:x:{}", "y".repeat(5000)),
            "detail": format!("a\n\u{1b}[31mb{}", "é".repeat(500_000)),
            "status": 400,
            "subproblems": vec![serde_json::json!({ "detail": "d".repeat(3000) }); 500],
        }))
        .unwrap();
        let failure = Failure::of_problem(&problem);
        assert!(failure.detail.starts_with("a  [31mb"), "{}", failure.detail);
        assert!(failure.detail.chars().count() <= LONGEST_TEXT + 1);
        assert!(failure.problem.as_ref().unwrap().to_string().len() < 100_000);
        assert_eq!(failure.word(), "other");
        assert_eq!(Failure::new("rateLimited", "").word(), "rateLimited");
        assert_eq!(Failure::new("storage", "").word(), "storage");
    }
}
