//! The names of a plan, and what the DNS has to say about them.

use std::collections::BTreeSet;
use std::rc::Rc;

use janua_dns01::records;

use super::{Done, Keeper, Key};
use crate::attempt;
use crate::delegation::{self, domain};
use crate::record::{self, Failed, directory_key};
use crate::settings::Plan;
use crate::subject::{Now, Subject};

impl Keeper {
    /// Works by another plan from now on. What is kept for names that stay is kept.
    pub(super) async fn configure(&mut self, plan: Plan) {
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
        let wanted: BTreeSet<Key> = self
            .plan
            .names()
            .into_iter()
            .map(|wanted| (wanted.authority, wanted.name))
            .collect();
        let is_allowed = |subject: &Subject| match &subject.ask {
            Some(ask) => {
                let rule = (subject.authority.clone(), ask.clone());
                self.plan.on_demand.contains(&rule)
            }
            None => wanted.contains(&(subject.authority.clone(), subject.name.clone())),
        };
        let gone: Vec<Key> = self
            .subjects
            .iter()
            .filter(|(_, subject)| !is_allowed(subject))
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            self.forget(&key);
        }
        for key in wanted {
            let (authority, name) = &key;
            if self.subjects.contains_key(&key) {
                continue;
            }
            let subject = Subject::new(authority, name, None);
            self.subjects.insert(key.clone(), subject);
            self.load(&key, now);
            self.remember_failures(&key, now);
            self.look_up(&key);
            if self
                .subjects
                .get(&key)
                .is_some_and(|one| one.held.is_none())
            {
                tracing::warn!(
                    name = key.1,
                    "clients get a self-signed certificate until the first one is issued"
                );
            }
        }
        // Another authority, or the same with other settings, may be able to do what could not
        // be done before.
        let plan = Rc::clone(&self.plan);
        for subject in self.subjects.values_mut() {
            let name = &subject.authority;
            let is_same = before.authority(name) == plan.authority(name);
            if !is_same || broken.contains(name) {
                subject.not_before = None;
            }
        }
        self.serve_domains();
        self.publish(now);
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

    /// Shows what the store has for names that are new in a plan.
    pub(super) fn prepare(&self, plan: &Plan) {
        for wanted in plan.names() {
            let key = (wanted.authority, wanted.name);
            let authority = plan.authority(&key.0);
            if let (None, Some(authority)) = (self.subjects.get(&key), authority)
                && let Some(held) = attempt::stored(&self.desk, plan, authority, &key.1)
            {
                self.desk.door.issued(&key.0).put(&key.1, &held.certificate);
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
