//! `[[webhooks]]`: HTTP calls that tell an operator's service about events of the
//! gateway, such as a certificate that could not be renewed.

use serde_json::Value;

use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::header::HeaderList;
use crate::json_text::{self, Place};
use crate::list::NonEmpty;
use crate::macros::{table, words};
use crate::secret::Token;
use crate::span::Spanned;
use crate::webhook::{self, WebhookUrl};

table! {
    /// An HTTP call that is made when something happens.
    pub struct EventWebhook("a webhook (`[[webhooks]]`)") {
        /// The events: `"certificate"` for certificates that were issued or renewed, that
        /// could not be, that expire soon, or that were revoked; `"endpoint"` for endpoints
        /// of upstreams that go down or come back.
        on: NonEmpty<Spanned<EventKind>> = required;
        /// The URL, called by `POST`: `"https://hooks.example.com/x"`.
        url: Spanned<WebhookUrl> = required;
        /// The token that authorises the call.
        token: Token = flatten;
        /// Further header fields.
        headers: HeaderList = default("{}");
        /// JSON text, in which `{event}`, `{name}`, `{state}`, `{text}`, `{time}` and `{host}`
        /// become strings, and `{details}` an object. `{name}` is what the event is about,
        /// `{state}` says in a word what has become of it, `{text}` in a sentence, `{time}` is as in RFC 3339, and `{host}` is the
        /// name of this machine.
        body: Option<Spanned<EventText>> = optional("a JSON object with all of them");
        /// The service that is called, whose format of a message is then used: `"slack"`,
        /// which also others accept (Mattermost, Rocket.Chat).
        template: Option<Spanned<EventTemplate>> = optional("what `body` says");
    }
    called "webhook" by label
    refused {
        "token": "a secret does not belong in the configuration: write `token_file` or `token_env`",
    }
    check whole
}

impl EventWebhook {
    /// The URL may be a secret, but its host is not.
    fn label(&self) -> String {
        self.url.host().to_owned()
    }

    /// Whether it is called for events of a kind.
    pub fn is_on(&self, kind: EventKind) -> bool {
        self.on.iter().any(|on| on.value == kind)
    }
}

fn whole(webhook: &EventWebhook, decoder: &mut Decoder<'_>) {
    webhook::authorised(&webhook.token, &webhook.url, &webhook.headers, decoder);
    if let (Some(body), Some(template)) = (&webhook.body, &webhook.template) {
        decoder.push(
            Diagnostic::error(template.span, "`template` says what the body is")
                .note(body.span, "another body")
                .help("leave one of them out"),
        );
    }
    for (at, kind) in webhook.on.iter().enumerate() {
        let mut before = webhook.on.iter().take(at);
        if let Some(first) = before.find(|first| first.value == kind.value) {
            decoder.push(
                Diagnostic::error(kind.span, format!("\"{}\" is given twice", kind.as_str()))
                    .note(first.span, "first here")
                    .help("leave one of them out"),
            );
        }
    }
}

words! {
    /// What events are about.
    pub enum EventKind {
        /// Certificates of sites.
        Certificate = "certificate",
        /// Endpoints of upstreams.
        Endpoint = "endpoint",
    }
}

words! {
    /// A service whose format of a message is known.
    pub enum EventTemplate {
        /// Slack: an object with the text of the message.
        Slack = "slack",
    }
    refused {
        "cloudflare": "it is told of purges: `[[cache.webhooks]]`",
        "mattermost": "write \"slack\", whose format it accepts",
        "discord": "write \"slack\", and a URL that ends with `/slack`",
    }
}

/// JSON text with placeholders for an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventText(String);

impl EventText {
    const PLACES: [Place; 7] = [
        ("event", || Value::String(String::new())),
        ("name", || Value::String(String::new())),
        ("state", || Value::String(String::new())),
        ("text", || Value::String(String::new())),
        ("time", || Value::String(String::new())),
        ("host", || Value::String(String::new())),
        ("details", || Value::Object(serde_json::Map::new())),
    ];

    /// The text as it is written.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The text with the placeholders replaced by JSON values. Inserted values
    /// are not searched for placeholders.
    pub fn fill(&self, value: impl Fn(&str) -> Value) -> String {
        json_text::fill(&self.0, &Self::PLACES, value)
    }
}

impl Decode for EventText {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let example = "{\"summary\": {text}}";
        json_text::decode(node, decoder, &Self::kind(), &Self::PLACES, example).map(Self)
    }

    fn kind() -> String {
        "JSON text such as `{\"summary\": {text}}`".to_owned()
    }
}
