//! Events of the gateway, as webhooks tell of them: one call per event and webhook.

use janua_config::{EventKind, EventTemplate, EventText, EventWebhook};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{Call, CallResult, Caller};

/// Something that has happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// What it is about.
    pub kind: EventKind,
    /// The name of that: for a certificate, its name; for an endpoint, its upstream and its
    /// address.
    pub name: String,
    /// What it is now, in a word: `renewed`, `expiring`, `failed`, `revoked`; `down`, `up`.
    pub state: &'static str,
    /// What has happened, in a sentence.
    pub text: String,
    /// Further facts, as an object.
    pub details: Value,
    /// When it happened, in seconds since 1970.
    pub time_unix: i64,
}

impl Caller {
    /// Tells one webhook about an event. Whether the webhook wants events of this kind is
    /// the caller's concern. Blocks.
    pub fn notify(&self, webhook: &EventWebhook, token: Option<&str>, event: &Event) -> CallResult {
        let call = Call {
            url: &webhook.url,
            headers: &webhook.headers,
            token,
            template: None,
        };
        let host = host();
        let body = match webhook.template.as_deref() {
            Some(EventTemplate::Slack) => slack(event, &host),
            None => {
                let text = webhook.body.as_ref().map(|body| &body.value);
                body(text, event, &host)
            }
        };
        self.all(&call, &[body])
    }
}

/// A message for Slack. Three characters would be read as markup there.
fn slack(event: &Event, host: &str) -> String {
    let text = format!("{host}: {}", event.text);
    let text = text.replace('&', "&amp;");
    let text = text.replace('<', "&lt;").replace('>', "&gt;");
    json!({ "text": text }).to_string()
}

/// The body of the call: the operator's own, or an object with all that is known.
fn body(text: Option<&EventText>, event: &Event, host: &str) -> String {
    let value = |name: &str| match name {
        "event" => json!(event.kind.as_str()),
        "name" => json!(event.name),
        "state" => json!(event.state),
        "text" => json!(event.text),
        "time" => json!(rfc3339(event.time_unix)),
        "host" => json!(host),
        _ => event.details.clone(),
    };
    match text {
        Some(text) => text.fill(value),
        None => json!({
            "event": value("event"),
            "name": value("name"),
            "state": value("state"),
            "text": value("text"),
            "time": value("time"),
            "host": value("host"),
            "details": value("details"),
        })
        .to_string(),
    }
}

/// The name of this machine, or of its container. Asked each time: it may change, and
/// events are rare.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".to_owned(),
        name => name.to_owned(),
    }
}

/// A time as `2026-11-28T04:00:00Z`.
fn rfc3339(unix: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(unix).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = time.to_calendar_date();
    let (hour, minute, second) = time.to_hms();
    let month = u8::from(month);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use janua_config::{EventKind, EventWebhook, Sources, parse};
    use serde_json::{Value, json};

    use super::{Event, body, host, rfc3339, slack};

    fn webhook(rest: &str) -> EventWebhook {
        let text = format!(
            "[listeners.x]\naddress = \"*:80\"\n[[webhooks]]\non = [\"certificate\"]\n\
             url = \"http://127.0.0.1:9/\"\n{rest}\n"
        );
        let loaded =
            parse(Sources::single("a.toml", text)).unwrap_or_else(|errors| panic!("{errors}"));
        loaded.config.webhooks[0].clone()
    }

    fn event() -> Event {
        Event {
            kind: EventKind::Certificate,
            name: "a.example".to_owned(),
            state: "failed",
            text: "it said \"no\" to {name}".to_owned(),
            details: json!({ "tries": 3 }),
            time_unix: 1_795_838_400,
        }
    }

    fn told(rest: &str) -> Value {
        let webhook = webhook(rest);
        let text = webhook.body.as_ref().map(|body| &body.value);
        serde_json::from_str(&body(text, &event(), "gw-1")).unwrap()
    }

    #[test]
    fn the_default_body_has_everything() {
        assert_eq!(
            told(""),
            json!({
                "event": "certificate", "name": "a.example", "state": "failed",
                "text": "it said \"no\" to {name}", "time": "2026-11-28T04:00:00Z",
                "host": "gw-1", "details": { "tries": 3 },
            })
        );
    }

    #[test]
    fn placeholders_in_a_custom_body_are_filled_in() {
        let own = r#"body = '{"n": [{state}, {host}, {time}, {event}], "d": {details}}'"#;
        assert_eq!(
            told(own),
            json!({
                "n": ["failed", "gw-1", "2026-11-28T04:00:00Z", "certificate"],
                "d": { "tries": 3 },
            })
        );
        // Inserted values are data, even if they look like placeholders.
        let own = r#"body = '{"summary": {text}}'"#;
        assert_eq!(told(own), json!({ "summary": "it said \"no\" to {name}" }));
    }

    #[test]
    fn a_message_for_slack_has_no_markup() {
        let event = Event {
            text: "<!channel> a & b".to_owned(),
            ..event()
        };
        let message: Value = serde_json::from_str(&slack(&event, "gw-1")).unwrap();
        let text = "gw-1: &lt;!channel&gt; a &amp; b";
        assert_eq!(message, json!({ "text": text }));
    }

    #[test]
    fn times_and_the_name_of_the_machine() {
        for (unix, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_838_400, "2026-11-28T04:00:00Z"),
            (i64::MAX, "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(unix), text);
        }
        assert!(!host().is_empty() && host().trim() == host());
    }
}
