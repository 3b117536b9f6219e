//! Carries out a purge that an operator requests: first in the cache, then by
//! the webhooks.

use std::time::Instant;

use janua_admin::{PURGE_MOST, PurgeRequest, PurgeSummary, WebhookOutcome};
use janua_cache::{Cache, Purge, Scope};
use janua_config::{Diagnostic, Webhook};
use janua_http::Failure;
use janua_webhook::{Caller, Purged};

use super::address::{Address, host};

/// The names in a purge request, parsed.
#[derive(Debug, Default)]
pub(super) struct Named {
    urls: Vec<Address>,
    prefixes: Vec<Address>,
    hosts: Vec<Vec<u8>>,
    tags: Vec<String>,
    all: bool,
}

impl Named {
    /// Parses the names in a request.
    ///
    /// # Errors
    /// The first invalid name, for the operator.
    pub(super) fn read(request: &PurgeRequest) -> Result<Self, String> {
        if request.is_empty() {
            return Err("nothing is named: write `url`, `prefix`, `host`, `tag` or `all`".into());
        }
        if request.named() > PURGE_MOST {
            return Err(format!("a purge names at most {PURGE_MOST} things"));
        }
        let each = |texts: &[String], read: fn(&str) -> Result<Address, String>| {
            let read: Result<Vec<_>, _> = texts.iter().map(|text| read(text)).collect();
            read
        };
        for tag in &request.tag {
            if tag.is_empty() {
                return Err("a tag is empty".into());
            }
            // No stored tag contains these characters, because they separate
            // tags.
            if tag.contains([',', ' ', '\t']) {
                return Err(format!(
                    "`{tag}` is no tag: commas and spaces separate tags, name each by itself"
                ));
            }
        }
        Ok(Self {
            urls: each(&request.url, Address::url)?,
            prefixes: each(&request.prefix, Address::prefix)?,
            hosts: request
                .host
                .iter()
                .map(|text| host(text))
                .collect::<Result<_, _>>()?,
            tags: request.tag.clone(),
            all: request.all,
        })
    }

    /// The scopes to purge. A URL is purged for both schemes: behind a proxy
    /// that terminates TLS, the response for `https://…` is stored under
    /// `http`.
    fn scopes(&self) -> impl Iterator<Item = Scope<'_>> {
        let urls = self.urls.iter().flat_map(|url| {
            [&b"http"[..], b"https"].map(|scheme| Scope::Url {
                scheme,
                host: &url.host,
                path: &url.path,
                query: url.query.as_deref(),
            })
        });
        let prefixes = self.prefixes.iter().map(|prefix| Scope::Prefix {
            host: &prefix.host,
            path: &prefix.path,
        });
        let hosts = self.hosts.iter().map(|host| Scope::Host(host));
        let tags = self.tags.iter().map(|tag| Scope::Tag(tag.as_bytes()));
        let all = self.all.then_some(Scope::All);
        urls.chain(prefixes).chain(hosts).chain(tags).chain(all)
    }

    /// The names as text, one line each.
    fn lines(&self) -> Vec<String> {
        let urls = self.urls.iter().map(|url| match &url.query {
            Some(_) => format!("url {url}"),
            None => format!("url {url}, with every query"),
        });
        let prefixes = self
            .prefixes
            .iter()
            .map(|prefix| format!("prefix {prefix}"));
        let hosts = self.hosts.iter();
        let hosts = hosts.map(|host| format!("host {}", String::from_utf8_lossy(host)));
        let tags = self.tags.iter().map(|tag| format!("tag {tag}"));
        let all = self.all.then(|| "everything".to_owned());
        urls.chain(prefixes)
            .chain(hosts)
            .chain(tags)
            .chain(all)
            .collect()
    }

    /// The names for webhooks. URLs are passed on as written, because a CDN
    /// knows them so.
    fn for_webhooks(&self, request: &PurgeRequest) -> Purged {
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        Purged {
            urls: request.url.clone(),
            prefixes: self.prefixes.iter().map(ToString::to_string).collect(),
            hosts: self.hosts.iter().map(text).collect(),
            tags: self.tags.clone(),
            everything: self.all,
        }
    }
}

/// Purges, and then calls the webhooks. Blocks until they have responded.
/// `now_ms` is milliseconds since the Unix epoch.
///
/// # Errors
/// If a name is invalid. Nothing was purged then.
pub(super) fn purge(
    request: &PurgeRequest,
    cache: &Cache<Failure>,
    webhooks: &[Webhook],
    caller: &Caller,
    now_ms: u64,
) -> Result<PurgeSummary, String> {
    let named = Named::read(request)?;
    let begun = Instant::now();
    let kind = match request.soft {
        true => Purge::Soft { now_ms },
        false => Purge::Hard,
    };
    let mut warnings = Vec::new();
    for scope in named.scopes() {
        if let Err(error) = cache.purge(&scope, kind) {
            tracing::warn!(%error, "a purge may be forgotten by a restart");
            warnings.push(format!("a restart may forget this purge: {error}"));
        }
    }
    warnings.dedup();
    let took_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    let purged = named.lines();
    tracing::info!(purged = purged.join("; "), soft = request.soft, "purged");
    let webhooks = match request.webhooks {
        true => call_all(webhooks, caller, &named.for_webhooks(request)),
        false => Vec::new(),
    };
    Ok(PurgeSummary {
        purged,
        soft: request.soft,
        webhooks,
        warnings,
        took_us,
    })
}

/// Calls all webhooks in parallel, each on its own thread.
fn call_all(webhooks: &[Webhook], caller: &Caller, purged: &Purged) -> Vec<WebhookOutcome> {
    std::thread::scope(|scope| {
        let calls: Vec<_> = webhooks
            .iter()
            .map(|webhook| (webhook, scope.spawn(|| call(webhook, caller, purged))))
            .collect();
        let answers = calls.into_iter().map(|(webhook, call)| {
            call.join()
                .unwrap_or_else(|_| failed(webhook, "it failed; see the log"))
        });
        answers.collect()
    })
}

fn call(webhook: &Webhook, caller: &Caller, purged: &Purged) -> WebhookOutcome {
    // The token is read for each purge, because it may be renewed at run time.
    let token = match webhook.token.resolve(&|name| std::env::var(name).ok()) {
        Ok(token) => token,
        Err(fault) => return failed(webhook, Diagnostic::message(&fault)),
    };
    let outcome = caller.call(webhook, token.as_deref(), purged);
    WebhookOutcome {
        host: webhook.url.host().to_owned(),
        status: outcome.status,
        calls: outcome.calls,
        error: outcome.error,
    }
}

fn failed(webhook: &Webhook, why: &str) -> WebhookOutcome {
    WebhookOutcome {
        host: webhook.url.host().to_owned(),
        status: None,
        calls: 0,
        error: Some(why.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use janua_admin::PurgeRequest;

    use super::Named;

    fn request() -> PurgeRequest {
        PurgeRequest {
            url: vec![
                "https://A.example:443/a/../b?x=1".into(),
                "http://a.example/".into(),
            ],
            prefix: vec!["a.example/assets/".into()],
            host: vec!["B.example".into()],
            tag: vec!["Tag".into()],
            ..PurgeRequest::default()
        }
    }

    #[test]
    fn what_is_named_is_normalised() {
        let named = Named::read(&request()).unwrap();
        assert_eq!(
            named.lines(),
            [
                "url a.example/b?x=1",
                "url a.example/, with every query",
                "prefix a.example/assets/",
                "host b.example",
                "tag Tag",
            ]
        );
        // Each URL counts twice, for the two schemes.
        assert_eq!(named.scopes().count(), 7);
    }

    #[test]
    fn webhooks_are_told_urls_as_they_were_named() {
        let named = Named::read(&request()).unwrap();
        let told = named.for_webhooks(&request());
        assert_eq!(told.urls, request().url);
        assert_eq!(told.prefixes, ["a.example/assets/"]);
        assert_eq!(
            (told.hosts, told.everything),
            (vec!["b.example".to_owned()], false)
        );
    }

    #[test]
    fn invalid_names_are_errors() {
        let none = PurgeRequest::default();
        let many = PurgeRequest {
            tag: vec!["x".into(); 1001],
            ..PurgeRequest::default()
        };
        let empty = PurgeRequest {
            tag: vec![String::new()],
            ..PurgeRequest::default()
        };
        let bad = PurgeRequest {
            url: vec!["/a".into()],
            all: true,
            ..PurgeRequest::default()
        };
        let two = PurgeRequest {
            tag: vec!["a, b".into()],
            ..PurgeRequest::default()
        };
        let pattern = PurgeRequest {
            host: vec!["*.example".into()],
            ..PurgeRequest::default()
        };
        for (request, said) in [
            (two, "`a, b` is no tag"),
            (pattern, "`*.example` is a pattern"),
            (none, "nothing is named"),
            (many, "at most 1000"),
            (empty, "a tag is empty"),
            (bad, "`/a` is not an address"),
        ] {
            let why = Named::read(&request).unwrap_err();
            assert!(why.contains(said), "{why}");
        }
    }
}
