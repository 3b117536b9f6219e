//! `[[cache.webhooks]]`: HTTP calls that are made after a purge.

use crate::decode::{Decode, Decoder, Node, TableReader};
use crate::diagnostic::Diagnostic;
use crate::header::HeaderList;
use crate::macros::{table, words};
use crate::reference::{FieldDoc, Presence};
use crate::secret::Token;
use crate::span::Spanned;

table! {
    /// An HTTP call that is made after a purge by the command line or the admin
    /// socket.
    pub struct Webhook("a webhook (`[[cache.webhooks]]`)") {
        /// The URL, called by `POST`:
        /// `"https://api.cloudflare.com/client/v4/zones/ZONE/purge_cache"`.
        url: Spanned<WebhookUrl> = required;
        /// The body: one of these fields.
        body: WebhookBody = flatten;
        /// The token that authorises the call.
        token: Token = flatten;
        /// Further header fields.
        headers: HeaderList = default("{}");
    }
    called "webhook" by label
    refused {
        "token": "a secret does not belong in the configuration: write `token_file` or `token_env`",
    }
    check authorised
}

impl Webhook {
    /// The URL may be a secret, but its host is not.
    fn label(&self) -> String {
        self.url.host().to_owned()
    }
}

fn authorised(webhook: &Webhook, decoder: &mut Decoder<'_>) {
    let Some(token) = webhook.token.span() else {
        return;
    };
    let mut fields = webhook.headers.0.iter();
    if let Some(given) = fields.find(|field| field.name.as_str() == "authorization") {
        decoder.push(
            Diagnostic::error(given.name.span, "the token is sent as `Authorization`")
                .note(token, "the token")
                .help("keep one of them"),
        );
    }
    if !webhook.url.is_private() {
        decoder.push(
            Diagnostic::warning(webhook.url.span, "the token is sent in clear text")
                .note(token, "the token")
                .help("write \"https://…\""),
        );
    }
}

/// An absolute `http` or `https` URL, without user and fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookUrl(String);

impl WebhookUrl {
    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host, without its port.
    pub fn host(&self) -> &str {
        host(&self.0).unwrap_or_default()
    }

    /// Whether the connection is encrypted, or stays on this machine.
    fn is_private(&self) -> bool {
        self.0.starts_with("https://")
            || self.host() == "localhost"
            || self
                .host()
                .trim_matches(['[', ']'])
                .parse::<std::net::IpAddr>()
                .is_ok_and(|ip| ip.is_loopback())
    }
}

impl Decode for WebhookUrl {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = decoder.text(node, &Self::kind())?;
        // Visible ASCII: other characters in a URL must be percent-encoded.
        let visible = text.bytes().all(|b| b.is_ascii_graphic());
        let help = match host(text) {
            Some(host) if !host.is_empty() && visible && !text.contains('#') => {
                return Some(Self(text.to_owned()));
            }
            None if text.contains('@') => {
                "a user does not belong in the URL: refer to the secret by `token_file` or `token_env`"
            }
            _ => "write an address of `http` or `https`: \"https://cdn.example.com/purge\"",
        };
        let span = decoder.span(node);
        decoder.refuse(Diagnostic::error(span, "this is not an address of a webhook").help(help))
    }

    fn kind() -> String {
        "an address of `http` or `https`".to_owned()
    }
}

/// The host of a URL without its port; none if the URL is not `http` or
/// `https`, has a user, or its port is not a number.
fn host(url: &str) -> Option<&str> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let ends = authority.rfind(']').unwrap_or(0);
    let (host, port) = match authority.rfind(':') {
        Some(colon) if colon >= ends => authority.split_at_checked(colon)?,
        _ => (authority, ":1"),
    };
    let port = port.strip_prefix(':')?.parse::<u16>().ok()?;
    (port > 0 && !host.contains('@')).then_some(host)
}

/// The body of a webhook call.
#[derive(Debug, Clone)]
pub enum WebhookBody {
    /// The body that a known service expects.
    Template(WebhookTemplate),
    /// JSON text with placeholders.
    Text(Spanned<WebhookText>),
}

impl WebhookBody {
    /// Reads the one body of a webhook.
    pub(crate) fn take(webhook: &mut TableReader<'_, '_, '_, '_>) -> Option<Self> {
        let template = webhook.optional("template")?;
        let text = webhook.optional::<Spanned<WebhookText>>("body")?;
        let given = (webhook.key_span("template"), webhook.key_span("body"));
        match given {
            (Some(template), Some(body)) => webhook.decoder.refuse(
                Diagnostic::error(body, "the webhook has two bodies: `template` and `body`")
                    .note(template, "the other one")
                    .help("keep one of them"),
            ),
            (None, None) => webhook.decoder.refuse(
                Diagnostic::error(webhook.span, "the webhook has no body")
                    .help("write `template = \"cloudflare\"`, or a `body` of your own"),
            ),
            _ => template
                .map(Self::Template)
                .or_else(|| text.map(Self::Text)),
        }
    }

    /// The fields of the bodies, for the reference.
    pub(crate) fn describe_fields(path: &str, fields: &mut Vec<FieldDoc>) {
        let one_of = || Presence::optional("one of `template`, `body`");
        FieldDoc::add::<WebhookTemplate>(
            fields,
            path,
            "template",
            one_of(),
            "The service that is called: `cloudflare` sends the body of its `purge_cache`.",
        );
        FieldDoc::add::<WebhookText>(
            fields,
            path,
            "body",
            one_of(),
            "JSON text. `{urls}`, `{prefixes}`, `{hosts}` and `{tags}` become lists of strings, \
             `{everything}` becomes `true` or `false`.",
        );
    }
}

words! {
    /// A service whose purge API is known.
    pub enum WebhookTemplate {
        /// Cloudflare's `purge_cache`.
        Cloudflare = "cloudflare",
    }
}

/// JSON text with placeholders for what was purged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookText(String);

impl WebhookText {
    /// The text as it is written.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The placeholders that are lists.
    const LISTS: [&str; 4] = ["urls", "prefixes", "hosts", "tags"];

    /// The text with the placeholders replaced by JSON values. Inserted values
    /// are not searched for placeholders.
    pub fn fill(&self, value: impl Fn(&str) -> serde_json::Value) -> String {
        let mut text = String::with_capacity(self.0.len());
        let mut rest = self.0.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            let place = after.split_once('}');
            rest = match place.filter(|(name, _)| Self::is_place(name)) {
                Some((name, after)) => {
                    text.push_str(&value(name).to_string());
                    after
                }
                None => {
                    text.push('{');
                    after
                }
            };
        }
        text + rest
    }

    fn is_place(name: &str) -> bool {
        name == "everything" || Self::LISTS.contains(&name)
    }
}

impl Decode for WebhookText {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = Self(decoder.text(node, &Self::kind())?.to_owned());
        let filled = text.fill(|name| match name {
            "everything" => false.into(),
            _ => serde_json::Value::Array(Vec::new()),
        });
        let Err(why) = serde_json::from_str::<serde::de::IgnoredAny>(&filled) else {
            return Some(text);
        };
        let span = decoder.span(node);
        let why = why.to_string();
        // The line and column refer to the filled-in text, which the operator
        // never sees.
        let why = why.split(" at line ").next().unwrap_or_default();
        decoder.refuse(
            Diagnostic::error(span, format!("the body is not JSON: {why}")).help(
                "the places are `{urls}`, `{prefixes}`, `{hosts}`, `{tags}` and `{everything}`, \
                 without quotes: `{\"files\": {urls}}`",
            ),
        )
    }

    fn kind() -> String {
        "JSON text such as `{\"files\": {urls}}`".to_owned()
    }
}
