//! The bodies of webhook calls, and how a known service reports a refusal.

use janua_config::{WebhookTemplate, WebhookText};
use serde::Deserialize;
use serde_json::json;

/// What was purged from the cache.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Purged {
    /// URLs: `https://app.example.com/a?x=1`.
    pub urls: Vec<String>,
    /// URL prefixes without a scheme: `app.example.com/assets/`.
    pub prefixes: Vec<String>,
    /// Hosts.
    pub hosts: Vec<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Whether the whole cache was purged.
    pub everything: bool,
}

/// The most names that Cloudflare accepts in one call on every plan.
const CLOUDFLARE_MOST: usize = 30;

/// The request bodies that a service expects, in order.
pub(crate) fn template(template: WebhookTemplate, purged: &Purged) -> Vec<String> {
    match template {
        WebhookTemplate::Cloudflare => cloudflare(purged),
    }
}

/// One kind of name per call; a purge of everything contains no names.
fn cloudflare(purged: &Purged) -> Vec<String> {
    if purged.everything {
        return vec![json!({ "purge_everything": true }).to_string()];
    }
    let kinds = [
        ("files", &purged.urls),
        ("prefixes", &purged.prefixes),
        ("hosts", &purged.hosts),
        ("tags", &purged.tags),
    ];
    kinds
        .into_iter()
        .flat_map(|(kind, names)| {
            names
                .chunks(CLOUDFLARE_MOST)
                .map(move |names| json!({ kind: names }).to_string())
        })
        .collect()
}

/// The operator's own body with its placeholders filled in.
pub(crate) fn text(text: &WebhookText, purged: &Purged) -> String {
    text.fill(|name| match name {
        "urls" => json!(purged.urls),
        "prefixes" => json!(purged.prefixes),
        "hosts" => json!(purged.hosts),
        "tags" => json!(purged.tags),
        _ => json!(purged.everything),
    })
}

/// The reason for a refusal if the response body gives one, even with status
/// 200.
pub(crate) fn refusal(template: WebhookTemplate, answer: &[u8]) -> Option<String> {
    match template {
        WebhookTemplate::Cloudflare => {
            let answer: Cloudflare = serde_json::from_slice(answer).ok()?;
            if answer.success {
                return None;
            }
            let why = answer.errors.into_iter().next().map(|error| error.message);
            let why = why.unwrap_or_else(|| "no success".to_owned());
            Some(why.chars().take(200).collect())
        }
    }
}

/// The part of Cloudflare's response that is read.
#[derive(Deserialize)]
struct Cloudflare {
    success: bool,
    #[serde(default)]
    errors: Vec<CloudflareError>,
}

#[derive(Deserialize)]
struct CloudflareError {
    message: String,
}
