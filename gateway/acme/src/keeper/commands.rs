//! What others want of the keeper: clients that wait for a certificate, and operators.

use std::rc::Rc;

use instant_acme::RevocationRequest;
use serde_json::json;
use tokio::sync::oneshot;

use super::{Done, Keeper, Key};
use crate::demand::{self, MOST_NAMES, MOST_QUESTIONS, Permission};
use crate::failure::Failure;
use crate::settings::Plan;
use crate::status::EventState;
use crate::subject::{Now, Subject};

/// What has become of an operator's command, as a sentence.
pub(crate) type Reply = oneshot::Sender<Result<String, String>>;

/// Why a client gets no certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoCertificate {
    /// The name may not have one.
    NotPermitted,
    /// The order has failed, or cannot be placed now.
    Failed,
}

/// What is wanted.
pub(crate) enum Command {
    /// The configuration is about to change.
    Prepare(Box<Plan>, oneshot::Sender<()>),
    /// The configuration has changed.
    Configure(Box<Plan>, oneshot::Sender<()>),
    /// An operator wants a new certificate.
    Renew { name: String, reply: Reply },
    /// An operator wants a certificate to be revoked.
    Revoke { name: String, reply: Reply },
}

/// A client that waits for a certificate.
pub(crate) struct Client {
    pub(crate) key: Key,
    pub(crate) ask: String,
    pub(crate) reply: Waiting,
}

/// Tells a client whether there is a certificate.
pub(crate) type Waiting = oneshot::Sender<Result<(), NoCertificate>>;

impl Keeper {
    pub(super) async fn obey(&mut self, command: Command) {
        match command {
            Command::Prepare(plan, done) => {
                self.prepare(&plan);
                self.prepared = plan.on_demand;
                let _ = done.send(());
            }
            Command::Configure(plan, done) => {
                self.configure(*plan).await;
                // Whoever started a reload may have gone.
                let _ = done.send(());
            }
            Command::Renew { name, reply } => match self.find(&name) {
                Ok(key) => self.renew(key, reply),
                Err(why) => drop(reply.send(Err(why))),
            },
            Command::Revoke { name, reply } => match self.find(&name) {
                Ok(key) => self.revoke(key, reply),
                Err(why) => drop(reply.send(Err(why))),
            },
        }
    }

    /// The subject that an operator means.
    fn find(&self, name: &str) -> Result<Key, String> {
        let name = name.to_ascii_lowercase();
        let known = || self.subjects.keys();
        let found = known().find(|(_, one)| *one == name).or_else(|| {
            let (_, parent) = name.split_once('.')?;
            let wildcard = format!("*.{parent}");
            known().find(|(_, one)| *one == wildcard)
        });
        found.cloned().ok_or_else(|| {
            let names: Vec<&str> = known().map(|(_, name)| name.as_str()).take(20).collect();
            match names.as_slice() {
                [] => "no site has a certificate by ACME".to_owned(),
                names => format!(
                    "no certificate by ACME has the name `{name}`; there are {}",
                    names.join(", ")
                ),
            }
        })
    }

    fn renew(&mut self, key: Key, reply: Reply) {
        self.watching.entry(key.clone()).or_default().push(reply);
        if self.subjects.get(&key).is_some_and(|one| !one.is_busy) {
            self.budgets.begin_forced(&key.0);
            self.begin(&key, true);
        }
    }

    /// Revokes the certificate that is shown. Another takes its place before, so that no client
    /// gets a revoked one. If none can be had, it is revoked all the same, because its key may
    /// be in the wrong hands, and shown on: most clients would refuse a self-signed one.
    fn revoke(&mut self, key: Key, reply: Reply) {
        let Some(held) = self.subjects.get(&key).and_then(|one| one.held.as_ref()) else {
            let _ = reply.send(Err(format!("{} has no certificate yet", key.1)));
            return;
        };
        let Some(authority) = self.plan.authority(&held.issuer).cloned() else {
            let _ = reply.send(Err(format!("there is no authority `{}`", held.issuer)));
            return;
        };
        let (desk, certificate) = (Rc::clone(&self.desk), held.certificate.clone());
        let (renewed, wait) = oneshot::channel();
        self.renew(key.clone(), renewed);
        self.tasks.spawn_local(async move {
            let renewed = wait.await.unwrap_or_else(|_| Err("it was given up".to_owned()));
            let opened = desk
                .accounts
                .open(&*desk.store, &authority, &authority.directory);
            let revoked = async {
                let opened = opened.await?;
                let leaf = certificate.key().cert.first();
                let leaf = leaf.ok_or_else(|| Failure::new("settings", "it is empty"))?;
                let request = RevocationRequest {
                    certificate: leaf,
                    reason: None,
                };
                let revoked = opened.account.revoke(&request).await;
                revoked.map_err(|error| Failure::of(&error))
            };
            let facts = certificate.facts();
            let revoked = revoked.await;
            let is_revoked = revoked.is_ok();
            let result = match (revoked, renewed) {
                (Ok(()), Ok(renewed)) => Ok(format!(
                    "the certificate {} for {} is revoked; {renewed}",
                    facts.serial, key.1
                )),
                (Ok(()), Err(why)) => Err(format!(
                    "the certificate {} for {} is revoked, but no other could take its place: {why}",
                    facts.serial, key.1
                )),
                (Err(failure), _) => Err(format!("it was not revoked: {failure}")),
            };
            match &result {
                Ok(text) => tracing::info!("{text}"),
                Err(text) => tracing::error!("{text}"),
            }
            let _ = reply.send(result);
            match is_revoked {
                true => Done::Revoked(key, facts.fingerprint.clone()),
                false => Done::Nothing,
            }
        });
    }

    /// A client waits for a certificate.
    pub(super) fn obtain(&mut self, client: Client) {
        let Client { key, ask, reply } = client;
        let now = self.look();
        if !demand::is_host(&key.1) || !self.is_on_demand(&key.0, &ask) {
            let _ = reply.send(Err(NoCertificate::NotPermitted));
            return;
        }
        if let Some(subject) = self.subjects.get(&key) {
            let is_due = subject.is_due(now);
            if subject.held.is_some() {
                let _ = reply.send(Ok(()));
            } else if subject.is_busy || is_due {
                push(self.waiting.entry(key).or_default(), reply);
            } else {
                let _ = reply.send(Err(NoCertificate::Failed));
            }
            return;
        }
        if let Some(is_refused) = self.refusals.find(&key.1, now.monotonic) {
            let why = match is_refused {
                true => NoCertificate::NotPermitted,
                false => NoCertificate::Failed,
            };
            let _ = reply.send(Err(why));
            return;
        }
        if let Some(others) = self.asking.get_mut(&key) {
            push(others, reply);
            return;
        }
        let on_demand = self.subjects.values().filter(|one| one.ask.is_some());
        if self.asking.len() >= MOST_QUESTIONS || on_demand.count() >= MOST_NAMES {
            self.turn_away(now);
            let _ = reply.send(Err(NoCertificate::Failed));
            return;
        }
        self.asking.insert(key.clone(), vec![reply]);
        let desk = Rc::clone(&self.desk);
        self.tasks.spawn_local(async move {
            let permission = demand::ask(&desk, &ask, &key.1).await;
            Done::Asked(key, ask, permission)
        });
    }

    /// Whether the configuration has sites that order from this authority what this URL permits.
    fn is_on_demand(&self, authority: &str, ask: &str) -> bool {
        let rule = (authority.to_owned(), ask.to_owned());
        self.plan.on_demand.contains(&rule) || self.prepared.contains(&rule)
    }

    /// Too many names were asked for.
    fn turn_away(&mut self, now: Now) {
        self.desk.door.count_question("shed");
        let is_new = self
            .shed
            .is_none_or(|last| now.monotonic.duration_since(last).as_secs() >= 60);
        if is_new {
            self.shed = Some(now.monotonic);
            tracing::error!(
                "clients ask for more names than can be decided about (at most {MOST_QUESTIONS} \
                 at once, and {MOST_NAMES} with a certificate): some are turned away"
            );
        }
    }

    /// It was asked whether a name may have a certificate. Returns whether it now has a place
    /// among those that are kept.
    pub(super) fn answer(&mut self, key: Key, ask: &str, permission: Permission) -> bool {
        let now = self.look();
        let clients = self.asking.remove(&key).unwrap_or_default();
        let (word, why) = match &permission {
            Permission::Granted => ("permitted", None),
            Permission::Refused => ("refused", Some(NoCertificate::NotPermitted)),
            Permission::Unknown(why) => {
                tracing::error!(name = key.1, "{why}");
                ("failed", Some(NoCertificate::Failed))
            }
        };
        self.desk.door.count_question(word);
        // Who had permission keeps the certificate while nobody can say.
        let keeps = why == Some(NoCertificate::Failed) && self.is_stored(&key);
        if let Some(why) = why.filter(|_| !keeps) {
            let is_refused = why == NoCertificate::NotPermitted;
            if !self.refusals.put(&key.1, is_refused, now.monotonic) {
                tracing::error!(
                    "so many names without permission were asked for within a minute that the \
                     answers no longer have room"
                );
            }
            for client in clients {
                let _ = client.send(Err(why));
            }
            return false;
        }
        // The configuration may have changed since.
        if !self.subjects.contains_key(&key) {
            if !self.is_on_demand(&key.0, ask) {
                return false;
            }
            let subject = Subject::new(&key.0, &key.1, Some(ask));
            self.subjects.insert(key.clone(), subject);
            self.serve_domains();
            self.load(&key, now);
            self.remember_failures(&key, now);
        }
        if self
            .subjects
            .get(&key)
            .is_some_and(|one| one.held.is_some())
        {
            for client in clients {
                let _ = client.send(Ok(()));
            }
            return true;
        }
        // The next tick begins the order.
        self.waiting.entry(key).or_default().extend(clients);
        true
    }

    /// Tells all who wait for an order how it ended.
    pub(super) fn reply(&mut self, key: &Key, result: Result<String, String>) {
        // Whoever looks next sees it.
        self.publish(self.look());
        let for_clients = match &result {
            Ok(_) => Ok(()),
            Err(_) => Err(NoCertificate::Failed),
        };
        for client in self.waiting.remove(key).unwrap_or_default() {
            // It may have given up.
            let _ = client.send(for_clients);
        }
        self.answer_operators(key, &result);
    }

    pub(super) fn answer_operators(&mut self, key: &Key, result: &Result<String, String>) {
        for operator in self.watching.remove(key).unwrap_or_default() {
            let _ = operator.send(result.clone());
        }
    }

    /// A certificate was revoked. If it is the one that is shown, another is ordered.
    pub(super) fn note_revoked(&mut self, key: &Key, fingerprint: &str) {
        let now = self.look();
        let text = format!("a certificate for {} was revoked", key.1);
        let details = json!({ "fingerprint": fingerprint });
        self.tell(key, EventState::Revoked, &text, details, now);
        let held = self.subjects.get_mut(key).and_then(|one| one.held.as_mut());
        if let Some(held) = held
            && held.certificate.facts().fingerprint == fingerprint
        {
            held.is_revoked = true;
        }
    }
}

/// Adds a client to those that wait. Those that have given up make room first: an order takes
/// longer than a handshake, and clients may come all the time.
fn push(waiting: &mut Vec<Waiting>, reply: Waiting) {
    if waiting.len() == waiting.capacity() {
        waiting.retain(|one| !one.is_closed());
        waiting.reserve(waiting.len().max(4));
    }
    waiting.push(reply);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_that_have_given_up_take_no_room() {
        let mut waiting = Vec::new();
        let (reply, _lives) = oneshot::channel();
        push(&mut waiting, reply);
        for _ in 0..10_000 {
            push(&mut waiting, oneshot::channel().0);
        }
        assert!(waiting.len() < 100, "{}", waiting.len());
        assert!(waiting.iter().any(|one| !one.is_closed()));
    }
}
