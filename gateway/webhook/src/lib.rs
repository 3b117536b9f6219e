//! After a purge from outside: the calls that tell a CDN, or whoever else keeps
//! copies.
//!
//! [`Caller::call`] blocks until the other side has taken the call or refused
//! it, or the tries are used up: it belongs on a thread that serves no traffic.
//! No redirect is followed: the token is for the host that is configured.
//!
//! By `ureq`, which blocks and is small; `reqwest` would bring a second client
//! on top of hyper, and hyper itself with rustls would be a client to maintain
//! here. Certificates are those that the machine trusts.

mod body;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use janua_config::{Webhook, WebhookBody};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

pub use body::Purged;

/// The longest answer that is looked at, in bytes.
const ANSWER_BYTES: u64 = 64 * 1024;

/// How patient calls are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long one call may take as a whole.
    pub call: Duration,
    /// How often a call is made at the most.
    pub tries: u32,
    /// How long the second try waits; each after that waits four times as long.
    pub pause: Duration,
    /// After this long no further call begins: a purge of many names takes
    /// several.
    pub all: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            call: Duration::from_secs(10),
            tries: 3,
            pause: Duration::from_millis(500),
            all: Duration::from_secs(90),
        }
    }
}

/// What became of a webhook.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The status of the last answer; none if there was no answer.
    pub status: Option<u16>,
    /// Calls that were made, repetitions included.
    pub calls: u32,
    /// Why it failed; none if it did not. Never has the token in it.
    pub error: Option<String>,
}

/// Makes the calls. Keeps connections and the machine's certificates.
pub struct Caller {
    patience: Patience,
    agent: OnceLock<Agent>,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

impl Caller {
    /// Opens nothing and reads no certificates before the first call.
    #[must_use]
    pub fn new(patience: Patience) -> Self {
        Self {
            patience,
            agent: OnceLock::new(),
        }
    }

    /// Tells one webhook of a purge. Blocks.
    pub fn call(&self, webhook: &Webhook, token: Option<&str>, purged: &Purged) -> Outcome {
        let bodies = match &webhook.body {
            WebhookBody::Template(template) => body::template(*template, purged),
            WebhookBody::Text(text) => vec![body::text(text, purged)],
        };
        let begun = Instant::now();
        let mut outcome = Outcome::default();
        for body in bodies {
            let told = self.tell(webhook, token, &body, begun, &mut outcome);
            if let Err(why) = told {
                outcome.error = Some(why);
                break;
            }
        }
        let (host, error) = (webhook.url.host(), outcome.error.as_deref());
        let (status, calls) = (outcome.status, outcome.calls);
        match error {
            None => tracing::info!(host, status, calls, "webhook told of a purge"),
            Some(error) => tracing::warn!(host, status, calls, error, "webhook failed"),
        }
        outcome
    }

    /// One body, until it is taken.
    fn tell(
        &self,
        webhook: &Webhook,
        token: Option<&str>,
        body: &str,
        begun: Instant,
        outcome: &mut Outcome,
    ) -> Result<(), String> {
        let mut pause = self.patience.pause;
        let mut tries = 0;
        loop {
            if begun.elapsed() > self.patience.all {
                return Err("it took too long".to_owned());
            }
            tries += 1;
            outcome.calls += 1;
            let again = match self.once(webhook, token, body) {
                Ok(answer) => {
                    outcome.status = Some(answer.status);
                    match answer.verdict(&webhook.body) {
                        Ok(()) => return Ok(()),
                        Err(why) if answer.may_pass() => why,
                        Err(why) => return Err(why),
                    }
                }
                Err(why) => {
                    outcome.status = None;
                    why
                }
            };
            if tries >= self.patience.tries {
                return Err(again);
            }
            std::thread::park_timeout(pause);
            pause *= 4;
        }
    }

    fn once(&self, webhook: &Webhook, token: Option<&str>, body: &str) -> Result<Answer, String> {
        let mut request = self
            .agent()
            .post(webhook.url.as_str())
            .header("content-type", "application/json");
        for field in &webhook.headers.0 {
            request = request.header(field.name.as_str(), field.value.as_str());
        }
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut response = request.send(body).map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(ANSWER_BYTES);
        // The status says it all where the rest is lost.
        let body = body.read_to_vec().unwrap_or_default();
        Ok(Answer { status, body })
    }

    fn agent(&self) -> &Agent {
        self.agent.get_or_init(|| {
            let tls = TlsConfig::builder()
                .provider(TlsProvider::Rustls)
                .unversioned_rustls_crypto_provider(Arc::new(
                    rustls::crypto::ring::default_provider(),
                ))
                .root_certs(trusted())
                .build();
            Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .timeout_global(Some(self.patience.call))
                .user_agent(concat!("janua/", env!("CARGO_PKG_VERSION")))
                .tls_config(tls)
                .build()
                .new_agent()
        })
    }
}

/// The certificates that the machine trusts.
fn trusted() -> RootCerts {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        tracing::warn!("no trusted certificates were found: webhooks over https will fail");
    }
    let certificates = found.certs.iter();
    let certificates: Vec<_> = certificates
        .map(|certificate| Certificate::from_der(certificate).to_owned())
        .collect();
    RootCerts::new_with_certs(&certificates)
}

struct Answer {
    status: u16,
    body: Vec<u8>,
}

impl Answer {
    /// Whether it was taken, or what the other side says.
    fn verdict(&self, sent: &WebhookBody) -> Result<(), String> {
        let refusal = match sent {
            WebhookBody::Template(template) => body::refusal(*template, &self.body),
            WebhookBody::Text(_) => None,
        };
        match (self.status, refusal) {
            (200..=299, None) => Ok(()),
            (status, None) => Err(format!("it answered {status}")),
            (status, Some(why)) => Err(format!("it answered {status}: {why}")),
        }
    }

    /// Whether the next try may fare better.
    fn may_pass(&self) -> bool {
        matches!(self.status, 429 | 500..=599)
    }
}

#[cfg(test)]
mod tests;
