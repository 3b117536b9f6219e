//! `[[cache.webhooks]]`: HTTP calls that are made after a purge.

use serde_json::Value;

use crate::decode::{Decode, Decoder, Node, TableReader};
use crate::diagnostic::Diagnostic;
use crate::header::HeaderList;
use crate::json_text::{self, Place};
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
    check whole
}

impl Webhook {
    /// The URL may be a secret, but its host is not.
    fn label(&self) -> String {
        self.url.host().to_owned()
    }
}

fn whole(webhook: &Webhook, decoder: &mut Decoder<'_>) {
    authorised(&webhook.token, &webhook.url, &webhook.headers, decoder);
}

/// Checks how a call is authorised: by one token, which nobody else may read.
pub(crate) fn authorised(
    token: &Token,
    url: &Spanned<WebhookUrl>,
    headers: &HeaderList,
    decoder: &mut Decoder<'_>,
) {
    let Some(span) = token.span() else {
        return;
    };
    let mut fields = headers.0.iter();
    if let Some(given) = fields.find(|field| field.name.as_str() == "authorization") {
        decoder.push(
            Diagnostic::error(given.name.span, "the token is sent as `Authorization`")
                .note(span, "the token")
                .help("keep one of them"),
        );
    }
    in_clear_text(token, url, decoder);
}

/// Warns of a token that whoever is on the way can read.
pub(crate) fn in_clear_text(token: &Token, url: &Spanned<WebhookUrl>, decoder: &mut Decoder<'_>) {
    if let Some(span) = token.span()
        && !url.is_private()
    {
        decoder.push(
            Diagnostic::warning(url.span, "the token is sent in clear text")
                .note(span, "the token")
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
        if is_url(text) {
            return Some(Self(text.to_owned()));
        }
        let help = match host(text) {
            None if text.contains('@') => {
                "a user does not belong in the URL: refer to the secret by `token_file` or `token_env`"
            }
            _ => "write an address of `http` or `https`: \"https://hooks.example.com/x\"",
        };
        let span = decoder.span(node);
        decoder.refuse(Diagnostic::error(span, "this is not a URL that can be called").help(help))
    }

    fn kind() -> String {
        "an address of `http` or `https`".to_owned()
    }
}

/// Whether this is a URL of `http` or `https`, without user and fragment.
pub(crate) fn is_url(text: &str) -> bool {
    // Visible ASCII: other characters in a URL must be percent-encoded.
    let visible = text.bytes().all(|b| b.is_ascii_graphic());
    visible && !text.contains('#') && host(text).is_some_and(|host| !host.is_empty())
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

    const PLACES: [Place; 5] = [
        ("urls", || Value::Array(Vec::new())),
        ("prefixes", || Value::Array(Vec::new())),
        ("hosts", || Value::Array(Vec::new())),
        ("tags", || Value::Array(Vec::new())),
        ("everything", || Value::Bool(false)),
    ];

    /// The text with the placeholders replaced by JSON values. Inserted values
    /// are not searched for placeholders.
    pub fn fill(&self, value: impl Fn(&str) -> Value) -> String {
        json_text::fill(&self.0, &Self::PLACES, value)
    }
}

impl Decode for WebhookText {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let example = "{\"files\": {urls}}";
        json_text::decode(node, decoder, &Self::kind(), &Self::PLACES, example).map(Self)
    }

    fn kind() -> String {
        "JSON text such as `{\"files\": {urls}}`".to_owned()
    }
}
