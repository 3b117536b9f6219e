//! One order: from the authority's first word to the stored certificate.

mod prove;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    CertificateIdentifier, Error, Identifier, NewOrder, Order, OrderStatus, Problem, RetryPolicy,
};
use janua_tls::Certificate;

use crate::accounts::{Opened, with_wait};
use crate::answers::identifier;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::keys;
use crate::record::{self, PendingOrder, certificate_key, directory_key, order_key};
use crate::settings::Authority;

/// How long an authority may take to check a name, and to issue a certificate.
const PATIENCE: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(250))
    .backoff(1.5)
    .timeout(Duration::from_secs(180));
/// An unfinished order that is older is not taken up again: authorities forget them
/// after a week.
const OLDEST_PENDING: i64 = 6 * 24 * 60 * 60;

/// What is ordered.
pub(crate) struct Wish<'a> {
    pub(crate) authority: &'a Authority,
    /// The directory of the authority, or its test directory.
    pub(crate) directory: &'a str,
    pub(crate) name: &'a str,
    /// The fingerprint of the certificate that is replaced.
    pub(crate) former: Option<&'a str>,
    /// Its renewal identifier, if the authority is to know that it is replaced.
    pub(crate) replaces: Option<String>,
    /// Which of the challenges comes first; it changes with each failure.
    pub(crate) turn: usize,
}

/// A certificate that was issued.
pub(crate) struct Issue {
    pub(crate) certificate: Arc<Certificate>,
    /// Chain and key as PEM, if they could not be stored.
    pub(crate) unsaved: Option<(Vec<u8>, Failure)>,
}

impl Wish<'_> {
    /// Orders, answers the challenges, and stores the certificate. Of an order in the
    /// test directory nothing is kept.
    pub(crate) async fn fulfil(&self, desk: &Desk) -> Result<Issue, Failure> {
        let store = &*desk.store;
        let opened = desk
            .accounts
            .open(store, self.authority, self.directory)
            .await?;
        let fulfilled = self.with_account(desk, &opened, true).await;
        fulfilled.map_err(with_wait)
    }

    async fn with_account(
        &self,
        desk: &Desk,
        opened: &Opened,
        may_resume: bool,
    ) -> Result<Issue, Failure> {
        let key = order_key(&directory_key(self.directory), self.name);
        let mut pending = self.pending(desk, &key).await?;
        let resumed = match may_resume {
            true => self.resume(opened, &pending).await?,
            false => None,
        };
        let is_resumed = resumed.is_some();
        let mut order = match resumed {
            Some(order) => order,
            None => {
                pending = PendingOrder {
                    key: keys::generate(self.authority.key_type).await?,
                    begun: desk.now(),
                    ..PendingOrder::default()
                };
                // What cannot be stored must not be ordered.
                record::write(&*desk.store, &key, &pending)?;
                let order = self.place(opened).await?;
                pending.url = Some(order.url().to_owned());
                record::write(&*desk.store, &key, &pending)?;
                order
            }
        };
        let carried_out = self.carry_out(desk, opened, &mut order, &mut pending, &key);
        let chain = match carried_out.await {
            Ok(chain) => chain,
            Err(failure) => {
                // It cannot become valid any more, the authority does not get on with it, or it
                // wants another key: the next attempt begins anew.
                let is_about_key = ["badCSR", "badPublicKey"].contains(&&*failure.kind);
                let is_stuck = is_resumed
                    && failure.kind == "timeout"
                    && order.state().status == OrderStatus::Processing;
                if is_stuck || is_about_key || order.state().status == OrderStatus::Invalid {
                    let _ = desk.store.remove(&key);
                }
                return Err(failure);
            }
        };
        let issue = self.keep(desk, &chain, &pending, &key).inspect_err(|_| {
            // Something on the way may have damaged it; but not twice.
            if is_resumed {
                let _ = desk.store.remove(&key);
            }
        })?;
        let fingerprint = &issue.certificate.facts().fingerprint;
        if is_resumed && self.former == Some(fingerprint.as_str()) {
            // That order is where the present certificate comes from.
            return Box::pin(self.with_account(desk, opened, false)).await;
        }
        Ok(issue)
    }

    /// The unfinished order of an earlier run; its records in the DNS are removed.
    async fn pending(&self, desk: &Desk, key: &str) -> Result<PendingOrder, Failure> {
        // A damaged one is of no use.
        let pending: Option<PendingOrder> = record::read(&*desk.store, key).unwrap_or_default();
        let Some(mut pending) = pending else {
            return Ok(PendingOrder::default());
        };
        self.withdraw(desk, &pending.records).await;
        pending.records.clear();
        match (0..OLDEST_PENDING).contains(&(desk.now() - pending.begun)) {
            true => Ok(pending),
            false => Ok(PendingOrder::default()),
        }
    }

    /// Takes up an order that is not finished, so that nothing is issued twice. Only if the
    /// authority says that there is none, another may be placed.
    async fn resume(
        &self,
        opened: &Opened,
        pending: &PendingOrder,
    ) -> Result<Option<Order>, Failure> {
        let Some(url) = pending.url.clone() else {
            return Ok(None);
        };
        let mut order = match opened.account.order(url).await {
            Ok(order) => order,
            Err(Error::Api(problem)) if is_gone(&problem) => return Ok(None),
            Err(error) => return Err(Failure::of(&error)),
        };
        if order.state().status == OrderStatus::Invalid {
            return Ok(None);
        }
        tracing::info!(
            authority = self.authority.name,
            name = self.name,
            "an unfinished order is taken up again"
        );
        Ok(Some(order))
    }

    async fn place(&self, opened: &Opened) -> Result<Order, Failure> {
        self.check_profile(opened)?;
        let identifiers = [identifier(self.name)];
        // The test directory may have other profiles.
        let is_test = self.directory != self.authority.directory;
        let profile = self.authority.profile.as_deref().filter(|_| !is_test);
        let new = new_order(&identifiers, profile);
        let plain = opened.account.new_order(&new);
        let Some(replaced) = self.replaces.as_deref().and_then(certificate_identifier) else {
            return plain.await.map_err(|error| Failure::of(&error));
        };
        let replacing = new_order(&identifiers, profile).replaces(replaced);
        let placed = match opened.account.new_order(&replacing).await {
            Err(error) if is_about_replacing(&error) => plain.await,
            placed => placed,
        };
        placed.map_err(|error| Failure::of(&error))
    }

    /// An authority must offer a profile before it is asked for one
    /// (draft-ietf-acme-profiles).
    fn check_profile(&self, opened: &Opened) -> Result<(), Failure> {
        let Some(wanted) = self.authority.profile.as_deref() else {
            return Ok(());
        };
        if self.directory != self.authority.directory {
            return Ok(());
        }
        let offered: Vec<&str> = opened.account.profiles().map(|one| one.name).collect();
        if offered.contains(&wanted) {
            return Ok(());
        }
        let offered = match offered.as_slice() {
            [] => "it has none".to_owned(),
            offered => format!("it has {}", offered.join(", ")),
        };
        Err(Failure::new(
            "settings",
            format_args!("the authority has no profile `{wanted}`: {offered}"),
        ))
    }

    /// Answers the challenges and fetches the chain.
    async fn carry_out(
        &self,
        desk: &Desk,
        opened: &Opened,
        order: &mut Order,
        pending: &mut PendingOrder,
        key: &str,
    ) -> Result<String, Failure> {
        if order.state().status == OrderStatus::Pending {
            let mut answered = Vec::new();
            let proven = self.prove(desk, opened, order, &mut answered, pending, key);
            let proven = proven.await;
            self.withdraw(desk, &pending.records).await;
            drop(answered);
            proven?;
        }
        if order.state().status == OrderStatus::Ready {
            let request = keys::signing_request(&pending.key, self.name)?;
            let finalized = order.finalize_csr(&request).await;
            finalized.map_err(|error| Failure::of(&error))?;
        }
        let chain = order.poll_certificate(&PATIENCE).await;
        chain.map_err(|error| Failure::of(&error))
    }

    /// Checks what was issued and stores it.
    fn keep(
        &self,
        desk: &Desk,
        chain: &str,
        pending: &PendingOrder,
        key: &str,
    ) -> Result<Issue, Failure> {
        let store = &*desk.store;
        let kept_as = certificate_key(&directory_key(self.directory), self.name);
        let place = store.place(&kept_as);
        let certificate =
            record::parse(&place, chain.as_bytes(), pending.key.as_bytes()).map_err(|error| {
                Failure::new(
                    "protocol",
                    format_args!("what was issued is wrong: {error}"),
                )
            })?;
        let facts = certificate.facts();
        let is_for_name = match self.name.starts_with("*.") {
            true => facts.names.iter().any(|name| name == self.name),
            false => certificate.covers(self.name),
        };
        if !is_for_name {
            return Err(Failure::new(
                "protocol",
                format_args!(
                    "the certificate was issued for {} and not for `{}`",
                    facts.names.join(", "),
                    self.name
                ),
            ));
        }
        let certificate = Arc::new(certificate);
        if self.directory != self.authority.directory {
            let _ = store.remove(key);
            return Ok(Issue {
                certificate,
                unsaved: None,
            });
        }
        let pem = format!("{}\n{}", chain.trim_end(), pending.key).into_bytes();
        let unsaved = match store.put(&kept_as, &pem) {
            Ok(()) => {
                // If this fails, the next order finds that it is done.
                let _ = store.remove(key);
                None
            }
            Err(error) => Some((pem, Failure::storage(&place, &error))),
        };
        Ok(Issue {
            certificate,
            unsaved,
        })
    }
}

/// Whether an authority says that it does not have an order, or not for this account.
fn is_gone(problem: &Problem) -> bool {
    let kind = problem.r#type.as_deref().unwrap_or_default();
    problem.status == Some(404) || kind.ends_with(":malformed") || kind.ends_with(":unauthorized")
}

/// How an authority is told which certificate is meant: a renewal identifier in its two parts.
pub(crate) fn certificate_identifier(id: &str) -> Option<CertificateIdentifier<'_>> {
    let (issuer, serial) = id.split_once('.')?;
    Some(CertificateIdentifier {
        authority_key_identifier: Cow::Borrowed(issuer),
        serial: Cow::Borrowed(serial),
    })
}

fn new_order<'a>(identifiers: &'a [Identifier], profile: Option<&'a str>) -> NewOrder<'a> {
    let new = NewOrder::new(identifiers);
    match profile {
        Some(profile) => new.profile(profile),
        None => new,
    }
}

/// Whether an order was refused only because it says which certificate it replaces: the
/// authority has no renewal information, does not understand the field (and then does not
/// repeat it), or knows another successor (RFC 9773, section 5).
fn is_about_replacing(error: &Error) -> bool {
    match error {
        Error::Unsupported(_) => true,
        Error::Other(why) => why.to_string().starts_with("replaces field mismatch"),
        Error::Api(problem) => {
            let kind = problem.r#type.as_deref().unwrap_or_default();
            ["alreadyReplaced", "malformed", "conflict"]
                .iter()
                .any(|one| kind.ends_with(one))
        }
        _ => false,
    }
}
