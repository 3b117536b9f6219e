//! What is sent, and what a known service answers.

use janua_config::{WebhookTemplate, WebhookText};
use serde::Deserialize;
use serde_json::json;

/// What was purged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Purged {
    /// Addresses: `https://app.example.com/a?x=1`.
    pub urls: Vec<String>,
    /// Hosts and beginnings of paths, without a scheme: `app.example.com/assets/`.
    pub prefixes: Vec<String>,
    /// Hosts.
    pub hosts: Vec<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// All there is.
    pub everything: bool,
}

/// Cloudflare takes this many names in one call of every plan.
const CLOUDFLARE_MOST: usize = 30;

/// The bodies that a service wants, in order.
pub(crate) fn template(template: WebhookTemplate, purged: &Purged) -> Vec<String> {
    match template {
        WebhookTemplate::Cloudflare => cloudflare(purged),
    }
}

/// One kind of name a call; everything needs no names beside it.
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

/// The operator's own text.
pub(crate) fn text(text: &WebhookText, purged: &Purged) -> String {
    text.fill(|name| match name {
        "urls" => json!(purged.urls),
        "prefixes" => json!(purged.prefixes),
        "hosts" => json!(purged.hosts),
        "tags" => json!(purged.tags),
        _ => json!(purged.everything),
    })
}

/// Why a service did not do it, if its answer says so; also with status 200.
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

/// What is read of Cloudflare's answer.
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
