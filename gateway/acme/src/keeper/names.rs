//! The names of a plan, and what the DNS has to say about them.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use janua_dns01::records;

use super::{Done, Keeper, Key};
use crate::attempt;
use crate::delegation::{self, domain};
use crate::record::{self, Failed, directory_key};
use crate::settings::{Plan, Wanted};
use crate::subject::{Held, Now, Subject};

impl Keeper {
    /// Works by another plan from now on. What is kept for names that stay is kept.
    pub(super) async fn configure(&mut self, plan: Plan) {
        self.prepared.clear();
        // A reload that changes nothing here must not hasten orders that failed.
        let broken: BTreeSet<String> = plan
            .authorities
            .iter()
            .filter(|authority| self.desk.is_broken(&authority.name))
            .map(|authority| authority.name.clone())
            .collect();
        if *self.plan == plan && broken.is_empty() {
            return;
        }
        let now = self.look();
        self.desk.configure(&plan).await;
        let before = std::mem::replace(&mut self.plan, Rc::new(plan));
        let plan = Rc::clone(&self.plan);
        let wanted = self.needed(&plan);
        let is_allowed = |(key, subject): (&Key, &Subject)| match &subject.ask {
            Some(ask) => {
                let rule = (subject.authority.clone(), ask.clone());
                plan.on_demand.contains(&rule) || wanted.contains(key)
            }
            None => wanted.contains(key),
        };
        let gone: Vec<Key> = self
            .subjects
            .iter()
            .filter(|&one| !is_allowed(one))
            .map(|(key, _)| key.clone())
            .collect();
        for key in &wanted {
            if let Some(subject) = self.subjects.get_mut(key) {
                // A client may have asked for it before the operator did.
                subject.ask = None;
                continue;
            }
            let subject = Subject::new(&key.0, &key.1, None);
            self.subjects.insert(key.clone(), subject);
            self.load(key, now);
            self.adopt(key, now);
            self.remember_failures(key, now);
            if self.subjects.get(key).is_some_and(|one| one.held.is_none()) {
                tracing::warn!(
                    name = key.1,
                    "clients get a self-signed certificate until the first one is issued"
                );
            }
            self.look_up(key);
        }
        for key in gone {
            self.forget(&key);
        }
        let mut changed = Vec::new();
        for (key, subject) in &mut self.subjects {
            let is_same = before.authority(&key.0) == plan.authority(&key.0);
            if !is_same || broken.contains(&key.0) {
                subject.begin_anew();
            }
            if !is_same && before.authority(&key.0).is_some() {
                changed.push(key.clone());
            }
        }
        self.replace_strangers(&changed, now);
        self.serve_domains();
        self.publish(now);
    }

    /// The names to keep certificates for: those of the plan, and, until the certificate of a
    /// new wildcard is there, the certificates that the hosts below it have.
    fn needed(&self, plan: &Plan) -> BTreeSet<Key> {
        let key = |wanted: Wanted| (wanted.authority, wanted.name);
        let mut needed: BTreeSet<Key> = plan.names().into_iter().map(key).collect();
        for wanted in &plan.wanted {
            let own = key(wanted.clone());
            let Some((_, parent)) = wanted.name.split_once('.') else {
                continue;
            };
            let wildcard = (wanted.authority.clone(), format!("*.{parent}"));
            if !needed.contains(&own)
                && self.has_certificate(plan, &own)
                && !self.has_certificate(plan, &wildcard)
            {
                needed.insert(own);
            }
        }
        needed
    }

    /// Whether a certificate that is valid is shown for a name, or could be.
    fn has_certificate(&self, plan: &Plan, key: &Key) -> bool {
        let is_valid = |held: &Held| !held.life().is_over(self.desk.now());
        let shown = self.subjects.get(key).and_then(|one| one.held.as_ref());
        shown.is_some_and(is_valid)
            || plan
                .authority(&key.0)
                .and_then(|one| attempt::stored(&self.desk, plan, one, &key.1))
                .is_some_and(|held| is_valid(&held))
    }

    /// The certificate of another authority that is shown for a name: it will do until the
    /// name's own authority has issued one.
    fn of_another(&self, key: &Key) -> Option<&Held> {
        let others = self.subjects.iter();
        let others = others.filter(|((authority, name), _)| *name == key.1 && *authority != key.0);
        others
            .filter_map(|(_, subject)| subject.held.as_ref())
            .find(|held| !held.is_revoked && !held.life().is_over(self.desk.now()))
    }

    /// Shows the certificate of another authority for a name that has none of its own.
    fn adopt(&mut self, key: &Key, now: Now) {
        if self.subjects.get(key).is_some_and(|one| one.held.is_some()) {
            return;
        }
        if let Some(held) = self.of_another(key).map(|held| held.on_loan(now.wall)) {
            self.show(key, held);
        }
    }

    /// Has certificates replaced that are of none of the authorities of their names, because
    /// the directory of one has changed. They are shown until then.
    fn replace_strangers(&mut self, changed: &[Key], now: Now) {
        let plan = Rc::clone(&self.plan);
        for key in changed {
            let Some(authority) = plan.authority(&key.0) else {
                continue;
            };
            let subject = self.subjects.get_mut(key);
            let Some(held) = subject.and_then(|one| one.held.as_mut()) else {
                continue;
            };
            let stored = attempt::stored(&self.desk, &plan, authority, &key.1);
            let stored = stored.filter(|stored| !stored.life().is_over(now.wall));
            let mut own = plan.chain(authority);
            let is_stranger = !own.any(|one| one.directory == held.directory);
            match stored {
                Some(stored) if is_stranger => self.show(key, stored),
                None if is_stranger => *held = held.on_loan(now.wall),
                // It may have been a stranger until now.
                Some(stored) if stored.renewal.fingerprint == held.renewal.fingerprint => {
                    held.renewal = stored.renewal;
                }
                _ => {}
            }
        }
    }

    /// What is known of failures before a restart: they do not begin anew with each start.
    pub(super) fn remember_failures(&mut self, key: &Key, now: Now) {
        let (Some(subject), Some(authority)) =
            (self.subjects.get_mut(key), self.plan.authority(&key.0))
        else {
            return;
        };
        let directory = directory_key(&authority.directory);
        let failed = record::failed(&*self.desk.store, &directory, &key.1);
        if let Some(failed) = failed.filter(|_| subject.needs_order(now.wall)) {
            subject.remember(&failed, now);
        }
    }

    /// Stores how many orders have failed, or that none has.
    pub(super) fn store_failures(&self, key: &Key) {
        let (Some(subject), Some(authority)) =
            (self.subjects.get(key), self.plan.authority(&key.0))
        else {
            return;
        };
        let failed = (subject.failures > 0).then(|| {
            let last = subject.last_failure.as_ref();
            let until = last.and_then(|(at, failure)| {
                let wait = failure.retry_after?.as_secs();
                at.checked_add_unsigned(wait)
            });
            Failed {
                failures: subject.failures,
                until,
            }
        });
        let directory = directory_key(&authority.directory);
        // A store that cannot be written is reported by the order itself.
        let _ = record::put_failed(&*self.desk.store, &directory, &key.1, failed.as_ref());
    }

    /// Shows what there is for names that are new in a plan.
    pub(super) fn prepare(&self, plan: &Plan) {
        for key in self.needed(plan) {
            let authority = plan.authority(&key.0);
            let (None, Some(authority)) = (self.subjects.get(&key), authority) else {
                continue;
            };
            let stored = attempt::stored(&self.desk, plan, authority, &key.1);
            let other = || Some(Arc::clone(&self.of_another(&key)?.certificate));
            let certificate = stored.map(|held| held.certificate).or_else(other);
            if let Some(certificate) = certificate {
                self.desk.door.issued(&key.0).put(&key.1, &certificate);
            }
        }
    }

    pub(super) fn serve_domains(&self) {
        let names = self.subjects.values().map(|subject| &*subject.name);
        self.desk.serve_domains(names);
    }

    /// The records that have to be in the DNS once for a name.
    pub(super) fn records(&self, subject: &Subject) -> Vec<String> {
        let authority = self.plan.authority(&subject.authority);
        let zones = authority.and_then(delegation::zones);
        let domain = [domain(&subject.name).to_owned()];
        let records = zones.map(|zones| records(&domain, zones));
        let key = (subject.authority.clone(), subject.name.clone());
        let suggestion = self.desk.suggestion(&key);
        let records = records.iter().flatten().map(ToString::to_string);
        records.chain(suggestion).collect()
    }

    /// Looks whether the DNS has the records for a name.
    pub(super) fn look_up(&mut self, key: &Key) {
        let Some(subject) = self.subjects.get(key) else {
            return;
        };
        let Some(authority) = self.plan.authority(&subject.authority) else {
            return;
        };
        let Some(zones) = delegation::zones(authority).cloned() else {
            return;
        };
        let (desk, authority, key) = (Rc::clone(&self.desk), authority.clone(), key.clone());
        self.tasks.spawn_local(async move {
            let Ok(solver) = desk.solver(&authority).await else {
                return Done::Nothing;
            };
            let looked = solver
                .lookup
                .verify_delegation(domain(&key.1), &zones)
                .await;
            let missing = match looked {
                Ok(()) => Vec::new(),
                Err(error) => error
                    .missing
                    .iter()
                    .map(|one| format!("{}; {}", one.record, one.found))
                    .collect(),
            };
            for line in &missing {
                tracing::warn!(name = key.1, "the DNS lacks the record {line}");
            }
            Done::Looked(key, missing)
        });
    }
}
