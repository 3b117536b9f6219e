//! What happens to the certificates that are kept: they are shown and stored, and somebody
//! is told if they cannot be renewed.

use std::time::Duration;

use serde_json::json;

use super::{ELSEWHERE, Keeper, Key, LOOK_AGAIN};
use crate::attempt::{self, Outcome};
use crate::failure::Failure;
use crate::record::{certificate_key, directory_key, order_key};
use crate::status::{Event, EventState};
use crate::subject::{Held, Now, Subject};

/// How often it is tried to store what could not be stored.
const STORE_AGAIN: Duration = Duration::from_secs(60);

impl Keeper {
    /// An attempt has ended.
    pub(super) fn conclude(
        &mut self,
        key: &Key,
        is_forced: bool,
        outcome: Result<Outcome, Failure>,
    ) {
        let now = self.look();
        let Some(subject) = self.subjects.get_mut(key) else {
            // The configuration no longer has it. What was issued is in the store.
            self.reply(
                key,
                Err("the configuration no longer has this name".to_owned()),
            );
            return;
        };
        subject.is_busy = false;
        match outcome {
            Ok(Outcome::Issued(held)) => {
                let is_first = subject.held.is_none();
                let facts = held.certificate.facts();
                let (state, verb) = match is_first {
                    true => (EventState::Issued, "issued"),
                    false => (EventState::Renewed, "renewed"),
                };
                let until = janua_tls::utc(facts.not_after);
                let text = format!(
                    "the certificate for {} was {verb} by {}; it is valid until {until}",
                    key.1,
                    held.issuer_host()
                );
                tracing::info!("{text}");
                let details = json!({
                    "issuer": held.issuer,
                    "fingerprint": facts.fingerprint,
                    "valid_until": until,
                });
                self.show(key, held);
                let subject = self.subjects.get_mut(key).filter(|_| !is_forced);
                // Once may be a revocation.
                if subject.is_some_and(|one| one.note_issue(now, fastrand::f64()) > 1) {
                    tracing::error!(
                        name = key.1,
                        "one certificate after the other is due for renewal as soon as it is \
                         issued: the clock of this machine may be wrong, or what the authority \
                         says about renewal; each is ordered later than the one before"
                    );
                }
                self.tell(key, state, &text, details, now);
                self.reply(key, Ok(text));
            }
            Ok(Outcome::Found(held)) => {
                let text = format!(
                    "the certificate for {} was issued by {} for another gateway, and is used \
                     here too",
                    key.1,
                    held.issuer_host()
                );
                tracing::info!("{text}");
                self.show(key, held);
                self.reply(key, Ok(text));
            }
            Ok(Outcome::Elsewhere) => {
                subject.not_before = now.monotonic.checked_add(ELSEWHERE);
                // Clients wait on: the other gateway may be done soon.
                let busy = "another gateway is ordering this certificate";
                self.answer_operators(key, &Err(busy.to_owned()));
            }
            Ok(Outcome::Withdrawn) => {
                tracing::info!(name = key.1, "the name may no longer have a certificate");
                self.forget(key);
                self.reply(
                    key,
                    Err("the name may no longer have a certificate".to_owned()),
                );
            }
            // Without the operator it would not have been tried.
            Err(failure) if is_forced && !subject.needs_order(now.wall) => {
                tracing::warn!(
                    name = key.1,
                    problem = failure.problem.as_ref().map(tracing::field::display),
                    "no certificate was issued, and the present one stays: {failure}"
                );
                self.reply(key, Err(failure.to_string()));
            }
            Err(failure) => {
                self.note_failure(key, &failure, now);
                self.reply(key, Err(failure.to_string()));
            }
        }
    }

    fn note_failure(&mut self, key: &Key, failure: &Failure, now: Now) {
        let Some(subject) = self.subjects.get_mut(key) else {
            return;
        };
        subject.fail(failure.clone(), now, fastrand::f64());
        self.store_failures(key);
        let Some(subject) = self.subjects.get_mut(key) else {
            return;
        };
        let wait = subject
            .not_before
            .map(|moment| moment.saturating_duration_since(now.monotonic).as_secs());
        let text = format!("no certificate for {} was issued: {failure}", key.1);
        tracing::error!(
            failures = subject.failures,
            next_attempt_in_s = wait,
            problem = failure.problem.as_ref().map(tracing::field::display),
            "{text}"
        );
        let details = json!({
            "kind": failure.kind,
            "problem": failure.problem,
            "failures": subject.failures,
            "next_attempt_in_s": wait,
        });
        if subject.is_to_be_told(now.wall) {
            subject.told = Some(now.wall);
            self.tell(key, EventState::Failed, &text, details, now);
        }
        if failure.kind == "dns" {
            self.look_up(key);
        }
    }

    /// Shows a certificate to clients.
    pub(super) fn show(&mut self, key: &Key, held: Held) {
        let Some(subject) = self.subjects.get_mut(key) else {
            return;
        };
        let issued = self.desk.door.issued(&key.0);
        issued.put(&key.1, &held.certificate);
        let had_failed = subject.failures > 0;
        subject.succeed(held);
        if had_failed {
            self.store_failures(key);
        }
        self.relieve(key);
    }

    /// The hosts below a wildcard no longer need the certificates that they had before it.
    fn relieve(&mut self, wildcard: &Key) {
        let Some(parent) = wildcard.1.strip_prefix("*.") else {
            return;
        };
        let held = self
            .subjects
            .get(wildcard)
            .and_then(|one| one.held.as_ref());
        if held.is_none_or(|held| held.life().is_over(self.desk.now())) {
            return;
        }
        let is_below = |(authority, name): &Key, subject: &Subject| {
            let of_host = name.split_once('.').map(|(_, parent)| parent);
            *authority == wildcard.0
                && *name != wildcard.1
                && of_host == Some(parent)
                && subject.ask.is_none()
        };
        let below = self.subjects.iter();
        let below = below.filter(|(key, subject)| is_below(key, subject));
        let below: Vec<Key> = below.map(|(key, _)| key.clone()).collect();
        for key in below {
            self.forget(&key);
        }
    }

    /// No longer shows a certificate. It stays in the store.
    pub(super) fn forget(&mut self, key: &Key) {
        let Some(subject) = self.subjects.remove(key) else {
            return;
        };
        self.desk.door.issued(&key.0).remove(&key.1);
        self.desk.suggest(&key.0, &key.1, None);
        // Nothing is in progress that would answer them.
        if !subject.is_busy {
            self.waiting.remove(key);
        }
    }

    pub(super) fn tell(
        &self,
        key: &Key,
        state: EventState,
        text: &str,
        details: serde_json::Value,
        now: Now,
    ) {
        self.desk.door.event(&Event {
            name: key.1.clone(),
            state,
            text: text.to_owned(),
            details,
            time: now.wall,
        });
    }

    /// Tells operators of certificates that will soon expire although it was tried to
    /// renew them.
    pub(super) fn sound_alarms(&mut self, now: Now) {
        let mut alarms = Vec::new();
        for (key, subject) in &mut self.subjects {
            let (Some(state), Some(held)) = (subject.alarm(now.wall), &subject.held) else {
                continue;
            };
            subject.alarmed = Some((state, now.wall));
            let until = janua_tls::utc(held.life().until);
            let why = subject
                .last_failure
                .as_ref()
                .map(|(_, why)| why.to_string());
            let verb = match state {
                EventState::Expired => "expired at",
                _ => "expires at",
            };
            let text = format!(
                "the certificate for {} {verb} {until}, and it cannot be renewed: {}",
                key.1,
                why.unwrap_or_default()
            );
            tracing::error!("{text}");
            alarms.push((key.clone(), state, text, json!({ "valid_until": until })));
        }
        for (key, state, text, details) in alarms {
            self.tell(&key, state, &text, details, now);
        }
    }

    /// Stores what could not be stored.
    pub(super) fn store_unsaved(&mut self, now: Now) {
        if now.monotonic.duration_since(self.saved) < STORE_AGAIN {
            return;
        }
        self.saved = now.monotonic;
        for (key, subject) in &mut self.subjects {
            let Some(held) = &mut subject.held else {
                continue;
            };
            let Some(pem) = &held.unsaved else {
                continue;
            };
            let kept_as = certificate_key(&directory_key(&held.directory), &key.1);
            if self.desk.store.put(&kept_as, pem).is_ok() {
                tracing::info!(name = key.1, "the certificate is stored now");
                held.unsaved = None;
                // The order that it comes from is finished.
                let order = order_key(&directory_key(&held.directory), &key.1);
                let _ = self.desk.store.remove(&order);
                attempt::keep_renewal(&self.desk, &key.1, held);
            }
        }
    }

    /// Looks for certificates that other gateways have put into the store.
    pub(super) fn look_for_others(&mut self, now: Now) {
        if now.monotonic.duration_since(self.looked) < LOOK_AGAIN {
            return;
        }
        self.looked = now.monotonic;
        let keys: Vec<Key> = self.subjects.keys().cloned().collect();
        for key in keys {
            self.load(&key, now);
        }
    }

    /// Whether the store has a certificate for a name that is still valid.
    pub(super) fn is_stored(&self, key: &Key) -> bool {
        let authority = self.plan.authority(&key.0);
        let held = authority.and_then(|one| attempt::stored(&self.desk, &self.plan, one, &key.1));
        held.is_some_and(|held| !held.life().is_over(self.desk.now()))
    }

    /// Shows the certificate of the store, if it is newer than the one that is shown.
    pub(super) fn load(&mut self, key: &Key, now: Now) {
        let Some(subject) = self.subjects.get(key).filter(|subject| !subject.is_busy) else {
            return;
        };
        let Some(authority) = self.plan.authority(&subject.authority) else {
            return;
        };
        let Some(found) = attempt::stored(&self.desk, &self.plan, authority, &key.1) else {
            return;
        };
        let found_rank = attempt::rank(&found, now.wall);
        let held = subject.held.as_ref();
        let is_newer = held.is_none_or(|held| attempt::rank(held, now.wall) < found_rank);
        if is_newer {
            let is_over = found.life().is_over(now.wall);
            self.show(key, found);
            if is_over {
                tracing::warn!(name = key.1, "the stored certificate has expired");
            }
        }
    }
}
