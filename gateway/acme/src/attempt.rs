//! One attempt to get a certificate for a name: the lock, what others may have done in
//! the meantime, the test directory after a failure, and the authorities in their order.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use janua_tls::Certificate;

use crate::demand::{self, Permission};
use crate::desk::Desk;
use crate::failure::Failure;
use crate::order::Wish;
use crate::record::{self, Renewal, directory_key, lock_key};
use crate::settings::{Authority, Challenge, Plan};
use crate::store::Lock;
use crate::subject::{Held, Subject, life};

/// A lock that is not renewed for so long may be taken by others.
const LEASE: Duration = Duration::from_secs(30);

/// How long one order may take, apart from the time that a record in the DNS may take.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// How often an order is taken up again because the authority refused its own nonces.
const MOST_NONCES: u32 = 10;

/// What an attempt starts from.
pub(crate) struct Attempt {
    pub(crate) desk: Rc<Desk>,
    pub(crate) plan: Rc<Plan>,
    pub(crate) authority: String,
    pub(crate) name: String,
    /// Who decides about the name, if that has to be asked again.
    pub(crate) ask: Option<String>,
    pub(crate) failures: u32,
    /// The certificate that is served.
    pub(crate) former: Option<Former>,
    /// An operator wants a new certificate, even if there is one.
    pub(crate) is_forced: bool,
}

/// The certificate that is replaced.
pub(crate) struct Former {
    pub(crate) certificate: Arc<Certificate>,
    pub(crate) directory: String,
    pub(crate) is_revoked: bool,
}

/// How an attempt ended, if it did not fail.
pub(crate) enum Outcome {
    /// A certificate was issued.
    Issued(Held),
    /// Another gateway has got one in the meantime.
    Found(Held),
    /// Another gateway is working on it.
    Elsewhere,
    /// The name may no longer have one.
    Withdrawn,
}

impl Attempt {
    pub(crate) async fn run(&self) -> Result<Outcome, Failure> {
        let authority = self.plan.authority(&self.authority).ok_or_else(|| {
            Failure::new(
                "settings",
                format_args!("there is no authority `{}`", self.authority),
            )
        })?;
        if let Some(ask) = &self.ask {
            match demand::ask(&self.desk, ask, &self.name).await {
                Permission::Granted => {}
                Permission::Refused => return Ok(Outcome::Withdrawn),
                Permission::Unknown(why) => return Err(Failure::new("unreachable", why)),
            }
        }
        let key = lock_key(&directory_key(&authority.directory), &self.name);
        let locked = self.desk.store.lock(&key, LEASE);
        let lock =
            locked.map_err(|error| Failure::storage(&self.desk.store.place(&key), &error))?;
        let Some(mut lock) = lock else {
            return Ok(Outcome::Elsewhere);
        };
        if let Some(held) = self.found(authority) {
            return Ok(Outcome::Found(held));
        }
        tokio::select! {
            outcome = self.order(authority) => outcome,
            failure = keep(&mut *lock) => Err(failure),
        }
    }

    /// A certificate that another gateway has put into the store since.
    fn found(&self, authority: &Authority) -> Option<Held> {
        if self.is_forced {
            return None;
        }
        let held = stored(&self.desk, &self.plan, authority, &self.name)?;
        let fingerprint = &held.certificate.facts().fingerprint;
        let is_new = self
            .former
            .as_ref()
            .is_none_or(|former| former.certificate.facts().fingerprint != *fingerprint);
        (is_new && self.desk.now() < held.renewal.at).then_some(held)
    }

    async fn order(&self, authority: &Authority) -> Result<Outcome, Failure> {
        let mut first: Option<Failure> = None;
        // Only DNS-01 proves a wildcard (RFC 8555, section 8). The first is asked all the same: the
        // configuration was refused if it could not.
        let is_wildcard = self.name.starts_with("*.");
        let can_prove = |one: &&Authority| {
            one.name == authority.name || !is_wildcard || one.challenges.contains(&Challenge::Dns01)
        };
        for authority in self.plan.chain(authority).filter(can_prove) {
            let ordered = self.order_from(authority).await;
            let word = match &ordered {
                Ok(_) => "issued",
                Err(failure) => failure.word(),
            };
            self.desk.door.count_order(&authority.name, word);
            match ordered {
                Ok(held) => {
                    if let Some(failure) = first {
                        tracing::warn!(
                            authority = self.authority,
                            name = self.name,
                            problem = failure.problem.as_ref().map(tracing::field::display),
                            "the certificate comes from the fallback `{}`: {failure}",
                            authority.name
                        );
                    }
                    return Ok(Outcome::Issued(held));
                }
                Err(failure) => {
                    // The first failure is reported by whoever wanted the certificate.
                    if first.is_some() {
                        tracing::warn!(
                            authority = authority.name,
                            name = self.name,
                            problem = failure.problem.as_ref().map(tracing::field::display),
                            "a fallback did not issue a certificate either: {failure}"
                        );
                    }
                    first.get_or_insert(failure);
                }
            }
        }
        Err(first.unwrap_or_else(|| Failure::new("settings", "there is no authority")))
    }

    async fn order_from(&self, authority: &Authority) -> Result<Held, Failure> {
        // What fails in the test directory costs nothing of the authority's limits.
        if self.failures > 0
            && let Some(test) = &authority.test_directory
        {
            let mut wish = self.wish(authority, test);
            wish.replaces = None;
            self.fulfil(&wish).await?;
        }
        let wish = self.wish(authority, &authority.directory);
        let issue = self.fulfil(&wish).await?;
        let mut held = hold(authority, issue.certificate);
        if let Some((pem, failure)) = issue.unsaved {
            tracing::error!(
                name = self.name,
                "a certificate was issued and is served, but could not be stored; it is tried \
                 again every minute: {failure}"
            );
            held.unsaved = Some(pem);
        } else {
            keep_renewal(&self.desk, &self.name, &held);
        }
        Ok(held)
    }

    /// Orders; once more with another account if the authority has lost ours.
    async fn fulfil(&self, wish: &Wish<'_>) -> Result<crate::order::Issue, Failure> {
        let desk = &*self.desk;
        let mut nonces = 0;
        let failure = loop {
            match self.bounded(wish).await {
                // The client has tried it three times with fresh nonces; what was achieved
                // before is not lost.
                Err(failure) if failure.kind == "badNonce" && nonces < MOST_NONCES => nonces += 1,
                Err(failure) if failure.is_lost_account() => break failure,
                Err(failure) => {
                    desk.accounts.close(wish.authority, wish.directory);
                    return Err(self.named(failure, wish));
                }
                issued => return issued,
            }
        };
        // An account that an operator was given cannot be made anew.
        if wish.authority.eab.is_some() && wish.directory == wish.authority.directory {
            return Err(failure);
        }
        desk.accounts
            .lose(&*desk.store, wish.authority, wish.directory)?;
        self.bounded(wish).await
    }

    /// Orders, for as long as that may take: each answer of an authority may be slow, and
    /// there may be many. What was begun is taken up again.
    async fn bounded(&self, wish: &Wish<'_>) -> Result<crate::order::Issue, Failure> {
        let dns = wish.authority.dns.as_ref();
        let patience = PATIENCE + dns.map(|dns| dns.propagation_timeout).unwrap_or_default();
        let fulfilled = tokio::time::timeout(patience, wish.fulfil(&self.desk)).await;
        fulfilled.unwrap_or_else(|_| {
            Err(Failure::new(
                "timeout",
                format_args!("the order took more than {} s", patience.as_secs()),
            ))
        })
    }

    /// Says whose failure it is, where that is not clear.
    fn named(&self, mut failure: Failure, wish: &Wish<'_>) -> Failure {
        let host = host(wish.directory);
        let is_silent = ["unreachable", "protocol", "timeout"].contains(&&*failure.kind);
        if wish.directory != wish.authority.directory {
            failure.detail = format!("in the test directory of {host}: {}", failure.detail);
        } else if is_silent {
            failure.detail = format!("{host}: {}", failure.detail);
        }
        failure
    }

    fn wish<'a>(&'a self, authority: &'a Authority, directory: &'a str) -> Wish<'a> {
        let former = self.former.as_ref();
        // Only its own authority knows it, and only once: after a failure the field may be
        // the reason (RFC 9773, section 5).
        let replaces = former
            .filter(|former| former.directory == directory && self.failures == 0)
            .filter(|former| !former.is_revoked)
            .and_then(|former| former.certificate.renewal_id());
        Wish {
            authority,
            directory,
            name: &self.name,
            former: former.map(|former| &*former.certificate.facts().fingerprint),
            replaces,
            turn: usize::try_from(self.failures).unwrap_or_default(),
        }
    }
}

/// The host of a directory.
pub(crate) fn host(directory: &str) -> &str {
    let rest = directory.split_once("://");
    let rest = rest.map_or(directory, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

/// Keeps the lock; returns when it is lost.
async fn keep(lock: &mut dyn Lock) -> Failure {
    loop {
        tokio::time::sleep(LEASE / 3).await;
        if let Err(error) = lock.renew() {
            return Failure::new("storage", format_args!("the lock was lost: {error}"));
        }
    }
}

/// The best certificate for a name that the store has, from the authority or its fallbacks:
/// the one that was issued last, unless it is over. What is valid longest may be the former
/// one, because authorities give certificates lives of different lengths.
pub(crate) fn stored(desk: &Desk, plan: &Plan, authority: &Authority, name: &str) -> Option<Held> {
    let all = plan.chain(authority).filter_map(|authority| {
        let directory = directory_key(&authority.directory);
        let certificate = record::certificate(&*desk.store, &directory, name)?;
        let mut held = hold(authority, Arc::new(certificate));
        let kept = record::renewal(&*desk.store, &directory, name);
        let is_of_this = |kept: &Renewal| kept.fingerprint == held.renewal.fingerprint;
        match kept.filter(is_of_this) {
            Some(kept) => held.renewal = kept,
            None => keep_renewal(desk, name, &held),
        }
        Some(held)
    });
    let now = desk.now();
    all.max_by_key(|held| rank(held, now))
}

/// By which the better of two certificates is known.
pub(crate) fn rank(held: &Held, now: i64) -> (bool, i64, i64) {
    let life = held.life();
    (!life.is_over(now), life.from, life.until)
}

/// A certificate with the moment of its renewal, as long as the authority does not say.
fn hold(authority: &Authority, certificate: Arc<Certificate>) -> Held {
    let renewal = Renewal {
        fingerprint: certificate.facts().fingerprint.clone(),
        at: life(&certificate).renewal(fastrand::f64()),
        ..Renewal::default()
    };
    Held {
        certificate,
        issuer: authority.name.clone(),
        directory: authority.directory.clone(),
        renewal,
        ask_at: None,
        look_at: None,
        unsaved: None,
        is_revoked: false,
    }
}

/// Stores the moment of renewal. If it is lost, another is chosen.
pub(crate) fn keep_renewal(desk: &Desk, name: &str, held: &Held) {
    let directory = directory_key(&held.directory);
    let kept = record::put_renewal(&*desk.store, &directory, name, &held.renewal);
    if let Err(failure) = kept {
        tracing::warn!(name, "the moment of renewal cannot be stored: {failure}");
    }
}

impl Former {
    pub(crate) fn of(subject: &Subject) -> Option<Self> {
        subject.held.as_ref().map(|held| Self {
            certificate: Arc::clone(&held.certificate),
            directory: held.directory.clone(),
            is_revoked: held.is_revoked,
        })
    }
}
