//! Webhooks: HTTP calls that tell a CDN, or another cache, about a purge, and a
//! service of the operator about events.
//!
//! [`Caller::call`] and [`Caller::notify`] block until the receiver has accepted or
//! refused the call, or all attempts have failed: call them on a thread that serves
//! no traffic.
//! Redirects are not followed, because the token is meant for the configured
//! host only.
//!
//! It uses `ureq`, which is blocking and small. `reqwest` would add a second
//! client on top of hyper, and a client of hyper and rustls would have to be
//! maintained here. The machine's trusted certificates are used.

mod body;
mod event;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use janua_config::{HeaderList, Webhook, WebhookBody, WebhookTemplate, WebhookUrl};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

pub use body::Purged;
pub use event::Event;

/// The most bytes of a response that are read.
const ANSWER_BYTES: u64 = 64 * 1024;

/// Timeouts and retries of webhook calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The time limit of one HTTP call.
    pub call: Duration,
    /// The maximum number of attempts.
    pub tries: u32,
    /// The wait before the second attempt; each later wait is four times as
    /// long.
    pub pause: Duration,
    /// After this time no further HTTP call is started: a purge of many names
    /// needs several.
    pub all: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            call: Duration::from_secs(10),
            tries: 3,
            pause: Duration::from_millis(500),
            all: Duration::from_secs(90),
        }
    }
}

/// The result of calling a webhook.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallResult {
    /// The status of the last response; none if there was none.
    pub status: Option<u16>,
    /// The number of HTTP calls, including retries.
    pub calls: u32,
    /// Why it failed; none if it succeeded. Never contains the token.
    pub error: Option<String>,
}

/// Calls webhooks. It keeps connections open and caches the machine's
/// certificates.
pub struct Caller {
    policy: RetryPolicy,
    agent: OnceLock<Agent>,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

impl Caller {
    /// Opens no connection and reads no certificates before the first call.
    #[must_use]
    pub fn new(policy: RetryPolicy) -> Self {
        Self {
            policy,
            agent: OnceLock::new(),
        }
    }

    /// Tells one webhook about a purge. Blocks.
    pub fn call(&self, webhook: &Webhook, token: Option<&str>, purged: &Purged) -> CallResult {
        let (template, bodies) = match &webhook.body {
            WebhookBody::Template(template) => (Some(*template), body::template(*template, purged)),
            WebhookBody::Text(text) => (None, vec![body::text(text, purged)]),
        };
        let call = Call {
            url: &webhook.url,
            headers: &webhook.headers,
            token,
            template,
        };
        self.all(&call, &bodies)
    }

    /// Sends all bodies, in order, until one is refused.
    fn all(&self, call: &Call<'_>, bodies: &[String]) -> CallResult {
        let begun = Instant::now();
        let mut outcome = CallResult::default();
        for body in bodies {
            let told = self.send_with_retries(call, body, begun, &mut outcome);
            if let Err(why) = told {
                outcome.error = Some(why);
                break;
            }
        }
        let (host, error) = (call.url.host(), outcome.error.as_deref());
        let (status, calls) = (outcome.status, outcome.calls);
        match error {
            None => tracing::info!(host, status, calls, "webhook called"),
            Some(error) => tracing::warn!(host, status, calls, error, "webhook failed"),
        }
        outcome
    }

    /// Sends one body, with retries, until it is accepted.
    fn send_with_retries(
        &self,
        call: &Call<'_>,
        body: &str,
        begun: Instant,
        outcome: &mut CallResult,
    ) -> Result<(), String> {
        let mut pause = self.policy.pause;
        let mut tries = 0;
        loop {
            if begun.elapsed() > self.policy.all {
                return Err("it took too long".to_owned());
            }
            tries += 1;
            outcome.calls += 1;
            let again = match self.send(call, body) {
                Ok(answer) => {
                    outcome.status = Some(answer.status);
                    match answer.result(call.template) {
                        Ok(()) => return Ok(()),
                        Err(why) if answer.is_retryable() => why,
                        Err(why) => return Err(why),
                    }
                }
                Err(why) => {
                    outcome.status = None;
                    why
                }
            };
            if tries >= self.policy.tries {
                return Err(again);
            }
            std::thread::park_timeout(pause);
            pause *= 4;
        }
    }

    fn send(&self, call: &Call<'_>, body: &str) -> Result<Answer, String> {
        let mut request = self
            .agent()
            .post(call.url.as_str())
            .header("content-type", "application/json");
        for field in &call.headers.0 {
            request = request.header(field.name.as_str(), field.value.as_str());
        }
        if let Some(token) = call.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut response = request.send(body).map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(ANSWER_BYTES);
        // If the body cannot be read, the status alone must do.
        let body = body.read_to_vec().unwrap_or_default();
        Ok(Answer { status, body })
    }

    fn agent(&self) -> &Agent {
        self.agent.get_or_init(|| agent(self.policy.call))
    }
}

/// A client for calls with tokens: it follows no redirects, trusts whom the machine trusts, and
/// gives up after a time. Reading whom that is takes tens of milliseconds, so that clients
/// are kept.
#[must_use]
pub fn agent(limit: Duration) -> Agent {
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .root_certs(trusted())
        .build();
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_global(Some(limit))
        .user_agent(concat!("janua/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls)
        .build()
        .new_agent()
}

/// The certificates that the machine trusts.
fn trusted() -> RootCerts {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        tracing::warn!("no trusted certificates found: webhooks over https will fail");
    }
    let certificates = found.certs.iter();
    let certificates: Vec<_> = certificates
        .map(|certificate| Certificate::from_der(certificate).to_owned())
        .collect();
    RootCerts::new_with_certs(&certificates)
}

/// Where calls go, and how they are authorised.
struct Call<'a> {
    url: &'a WebhookUrl,
    headers: &'a HeaderList,
    token: Option<&'a str>,
    /// The service that is called, if it is one whose responses are understood.
    template: Option<WebhookTemplate>,
}

struct Answer {
    status: u16,
    body: Vec<u8>,
}

impl Answer {
    /// Whether the call was accepted; otherwise the reason.
    fn result(&self, template: Option<WebhookTemplate>) -> Result<(), String> {
        let refusal = template.and_then(|template| body::refusal(template, &self.body));
        match (self.status, refusal) {
            (200..=299, None) => Ok(()),
            (status, None) => Err(format!("it answered {status}")),
            (status, Some(why)) => Err(format!("it answered {status}: {why}")),
        }
    }

    /// Whether a retry may succeed.
    fn is_retryable(&self) -> bool {
        matches!(self.status, 429 | 500..=599)
    }
}

#[cfg(test)]
mod tests;
