//! Answers DNS-01 (RFC 8555, section 8.4) in the way that an authority's settings say.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use janua_dns01::{Lookup, Responder, Webhook, Zones, challenge_name, cname_target};

use crate::failure::Failure;
use crate::record::PublishedRecord;

/// Publishes values, and waits until they are seen.
pub(crate) struct Solver {
    pub(crate) publisher: Publisher,
    pub(crate) lookup: Lookup,
    pub(crate) patience: Duration,
    /// Whether it is checked that the value is seen.
    pub(crate) is_checked: bool,
}

/// The built-in name server; none once it was stopped for another configuration.
pub(crate) struct NameServer(pub(crate) RefCell<Option<Responder>>);

impl NameServer {
    fn with(&self, act: impl FnOnce(&Responder)) -> Result<(), Failure> {
        match &*self.0.borrow() {
            Some(responder) => {
                act(responder);
                Ok(())
            }
            None => Err(Failure::new(
                "dns",
                "the name server was stopped, because the configuration has changed",
            )),
        }
    }
}

/// How long a value is waited for whose way through the DNS is not as it should be.
const DOUBTFUL: Duration = Duration::from_secs(5);

/// Who publishes.
pub(crate) enum Publisher {
    /// The built-in name server.
    Responder {
        server: Rc<NameServer>,
        zones: Zones,
    },
    /// A service of the operator's.
    Webhook(Arc<Webhook>),
}

impl Solver {
    /// Publishes a value for a domain.
    pub(crate) async fn present(
        &self,
        domain: &str,
        value: &str,
    ) -> Result<PublishedRecord, Failure> {
        let target = self.lookup.challenge_target(domain).await;
        let mut published = PublishedRecord {
            domain: domain.to_owned(),
            name: challenge_name(domain),
            value: value.to_owned(),
            record: None,
        };
        match &self.publisher {
            Publisher::Responder { server, zones } => server.with(|responder| {
                for name in names(domain, zones) {
                    responder.present(&name, value);
                }
            })?,
            Publisher::Webhook(webhook) => {
                published.name = target.map_err(|error| Failure::new("dns", error))?;
                let (webhook, call) = (Arc::clone(webhook), published.clone());
                let called = tokio::task::spawn_blocking(move || {
                    webhook.present(&call.domain, &call.name, &call.value)
                });
                published.record = called
                    .await
                    .map_err(|error| Failure::new("dns", error))?
                    .map_err(|error| Failure::new("dns", error))?;
            }
        }
        Ok(published)
    }

    /// Waits until the authority will find the value.
    pub(crate) async fn wait(&self, published: &PublishedRecord) -> Result<(), Failure> {
        let deadline = Instant::now() + self.patience;
        let PublishedRecord {
            domain,
            name,
            value,
            ..
        } = published;
        if let Publisher::Responder { zones, .. } = &self.publisher {
            return self.wait_for_delegation(domain, value, zones).await;
        }
        let seen = self.lookup.wait_for(name, value, deadline).await;
        seen.map_err(|error| Failure::new("dns", error))
    }

    /// The gateway's own name server has the value at once; what matters is whether the
    /// authority comes to it. It is not asked from here, because behind a NAT it may not be
    /// reachable from itself.
    async fn wait_for_delegation(
        &self,
        domain: &str,
        value: &str,
        zones: &Zones,
    ) -> Result<(), Failure> {
        if !self.is_checked {
            return Ok(());
        }
        let Err(error) = self.lookup.verify_delegation(domain, zones).await else {
            return Ok(());
        };
        // What is not delegated as it should be may still work; but then it works soon.
        let soon = Instant::now() + DOUBTFUL.min(self.patience);
        let seen = match self.lookup.challenge_target(domain).await {
            Ok(target) => self.lookup.wait_for(&target, value, soon).await.is_ok(),
            Err(_) => false,
        };
        match seen {
            true => Ok(()),
            false => Err(Failure::new("dns", error)),
        }
    }

    /// Removes a value that was published.
    pub(crate) async fn withdraw(&self, published: &PublishedRecord) -> Result<(), Failure> {
        match &self.publisher {
            Publisher::Responder { server, zones } => server.with(|responder| {
                for name in names(&published.domain, zones) {
                    responder.clear(&name, &published.value);
                }
            }),
            Publisher::Webhook(webhook) => {
                let (webhook, call) = (Arc::clone(webhook), published.clone());
                let called = tokio::task::spawn_blocking(move || {
                    let PublishedRecord {
                        domain,
                        name,
                        value,
                        record,
                    } = &call;
                    webhook.cleanup(domain, name, value, record.as_ref())
                });
                called
                    .await
                    .map_err(|error| Failure::new("dns", error))?
                    .map_err(|error| Failure::new("dns", error))
            }
        }
    }
}

/// Where the built-in name server answers for a domain: whichever of the two records
/// the operator has added leads to one of them.
fn names(domain: &str, zones: &Zones) -> impl Iterator<Item = String> {
    let zone = zones.zone.as_deref();
    let alias = zone.map(|zone| cname_target(domain, zone));
    std::iter::once(challenge_name(domain)).chain(alias)
}
