//! Keeps certificates: decides when something is to be done, and has it done.
//!
//! One task owns all state. What takes time is done by tasks of its own, which report
//! what they have achieved; between two events it waits for the next moment at which
//! something is due.

mod advice;
mod certificates;
mod commands;
mod names;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};

use crate::attempt::{Attempt, Former, Outcome};
use crate::budget::Budgets;
use crate::demand::{Permission, Refusals};
use crate::desk::Desk;
use crate::failure::Failure;
use crate::http::noticing_waits;
use crate::settings::Plan;
use crate::status::NameStatus;
use crate::subject::{Now, Subject};

pub use commands::NoCertificate;
use commands::Waiting;
pub(crate) use commands::{Client, Command, Reply};

/// The longest wait: clocks may jump, and other gateways may put certificates into the store.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How long a name is left alone that another gateway works on.
const ELSEWHERE: Duration = Duration::from_secs(5);
/// How much the clock may drift between two looks before it has jumped.
const JUMP: i64 = 90;
/// How often it is looked for certificates that other gateways have stored.
const LOOK_AGAIN: Duration = Duration::from_secs(10 * 60);

/// How many certificates are asked about at once: after a start all of them are due.
const MOST_ASKED_ABOUT: usize = 8;

/// By which a subject is known: its authority and its name.
type Key = (String, String);

/// The owner of all state.
pub(crate) struct Keeper {
    desk: Rc<Desk>,
    plan: Rc<Plan>,
    /// What the plan that is about to come has on demand: clients see its sites before.
    prepared: BTreeSet<(String, String)>,
    subjects: BTreeMap<Key, Subject>,
    budgets: Budgets,
    refusals: Refusals,
    /// Clients that wait for the answer to a question, by name.
    asking: HashMap<Key, Vec<Waiting>>,
    /// Clients that wait for an order.
    waiting: HashMap<Key, Vec<Waiting>>,
    /// Operators who wait for an order.
    watching: HashMap<Key, Vec<Reply>>,
    tasks: JoinSet<Done>,
    /// How many certificates are being asked about.
    asked_about: usize,
    statuses: Arc<ArcSwap<Vec<NameStatus>>>,
    /// The last look at both clocks.
    seen: Now,
    looked: Instant,
    saved: Instant,
    /// When it was last said that names were turned away.
    shed: Option<Instant>,
}

/// What a task has achieved.
enum Done {
    /// An attempt has ended.
    Tried {
        key: Key,
        /// An operator wanted it.
        is_forced: bool,
        outcome: Box<Result<Outcome, Failure>>,
    },
    /// The certificate with this fingerprint was revoked.
    Revoked(Key, String),
    /// The authority has said when to renew the certificate with this fingerprint.
    Advised(Key, String, advice::Advice),
    /// It was asked whether a name may have a certificate.
    Asked(Key, String, Permission),
    /// It was looked for the records that the DNS should have.
    Looked(Key, Vec<String>),
    /// Somebody has been answered.
    Nothing,
}

impl Keeper {
    pub(crate) fn new(desk: Desk, statuses: Arc<ArcSwap<Vec<NameStatus>>>) -> Self {
        let seen = look(&desk);
        Self {
            desk: Rc::new(desk),
            plan: Rc::default(),
            prepared: BTreeSet::new(),
            subjects: BTreeMap::new(),
            budgets: Budgets::default(),
            refusals: Refusals::default(),
            asking: HashMap::new(),
            waiting: HashMap::new(),
            watching: HashMap::new(),
            tasks: JoinSet::new(),
            asked_about: 0,
            statuses,
            seen,
            looked: seen.monotonic,
            saved: seen.monotonic,
            shed: None,
        }
    }

    /// Works until nobody can send commands any more.
    ///
    /// A client that asks for a name makes nothing due, and clients may come by the thousand:
    /// only what changes something is followed by a look at all names.
    pub(crate) async fn run(
        mut self,
        mut commands: mpsc::UnboundedReceiver<Command>,
        mut clients: mpsc::Receiver<Client>,
    ) {
        let mut next = tokio::time::Instant::now();
        loop {
            // In this order: a client's name is looked at by the configuration that is there.
            let has_changed = tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(command) => {
                        self.obey(command).await;
                        true
                    }
                    None => return,
                },
                Some(done) = self.tasks.join_next() => {
                    let mut has_changed = self.finish(done);
                    while let Some(done) = self.tasks.try_join_next() {
                        has_changed |= self.finish(done);
                    }
                    has_changed
                }
                () = tokio::time::sleep_until(next) => true,
                Some(client) = clients.recv() => {
                    self.obtain(client);
                    false
                }
            };
            if has_changed {
                self.tick();
                next = tokio::time::Instant::now() + self.wait();
            }
        }
    }

    /// Both clocks.
    fn look(&self) -> Now {
        look(&self.desk)
    }

    /// How long nothing is due.
    fn wait(&self) -> Duration {
        let now = self.look();
        let mut wait = LONGEST_WAIT;
        for subject in self.subjects.values().filter(|subject| !subject.is_busy) {
            if subject.is_due(now) {
                // The budget is used up.
                return Duration::from_secs(1);
            }
            let held = subject.held.as_ref();
            let moments = [subject.not_before, held.and_then(|held| held.ask_at)];
            for moment in moments.into_iter().flatten() {
                let until = moment.saturating_duration_since(now.monotonic);
                if !until.is_zero() {
                    wait = wait.min(until);
                }
            }
            if let Some(held) = held
                && let Ok(until) = u64::try_from(held.renewal.at - now.wall)
            {
                wait = wait.min(Duration::from_secs(until));
            }
        }
        wait.max(Duration::from_millis(20))
    }

    /// Begins all that is due.
    fn tick(&mut self) {
        let now = self.look();
        self.notice_jump(now);
        self.store_unsaved(now);
        self.look_for_others(now);
        self.sound_alarms(now);
        let all = self.subjects.iter();
        let due = all.filter(|(_, subject)| subject.is_due(now));
        let mut due: Vec<(u32, Key)> = due
            .map(|(key, subject)| (subject.failures, key.clone()))
            .collect();
        // Those that have failed must not keep others from their turn.
        due.sort();
        for (_, key) in due {
            if self.budgets.begin(&key.0, now.monotonic) {
                self.begin(&key, false);
            }
        }
        let all = self.subjects.iter();
        let open = all.filter(|(_, one)| !one.is_due(now) && one.is_to_be_asked_about(now));
        let room = MOST_ASKED_ABOUT.saturating_sub(self.asked_about);
        let open: Vec<Key> = open.map(|(key, _)| key.clone()).take(room).collect();
        for key in open {
            self.seek_advice(&key, now);
        }
        self.publish(now);
    }

    /// A clock that has jumped may have been the reason why orders failed.
    fn notice_jump(&mut self, now: Now) {
        let passed = now.monotonic.duration_since(self.seen.monotonic).as_secs();
        let expected = self.seen.wall.saturating_add_unsigned(passed);
        self.seen = now;
        if (now.wall - expected).abs() < JUMP {
            return;
        }
        tracing::warn!(
            seconds = now.wall - expected,
            "the clock of this machine has jumped; orders that failed are tried again"
        );
        for subject in self.subjects.values_mut() {
            subject.forgive();
        }
    }

    /// Begins an attempt. The budget has been asked.
    fn begin(&mut self, key: &Key, is_forced: bool) {
        let Some(subject) = self.subjects.get_mut(key) else {
            return;
        };
        subject.is_busy = true;
        let attempt = Attempt {
            desk: Rc::clone(&self.desk),
            plan: Rc::clone(&self.plan),
            authority: subject.authority.clone(),
            name: subject.name.clone(),
            // For the first attempt it has just been asked.
            ask: subject
                .ask
                .clone()
                .filter(|_| subject.held.is_some() || subject.failures > 0),
            failures: subject.failures,
            former: Former::of(subject),
            is_forced,
        };
        let key = key.clone();
        self.tasks.spawn_local(async move {
            let outcome = noticing_waits(attempt.run()).await;
            Done::Tried {
                key,
                is_forced,
                outcome: Box::new(outcome),
            }
        });
    }

    /// A task has ended. Returns whether that has changed anything.
    fn finish(&mut self, done: Result<Done, JoinError>) -> bool {
        let done = match done {
            Ok(done) => done,
            // By `release`.
            Err(error) if error.is_cancelled() => return false,
            Err(error) => {
                tracing::error!("the work on a certificate has failed: {error}");
                self.release();
                return true;
            }
        };
        match done {
            Done::Tried {
                key,
                is_forced,
                outcome,
            } => {
                self.budgets.end(&key.0);
                self.conclude(&key, is_forced, *outcome);
            }
            Done::Revoked(key, fingerprint) => self.note_revoked(&key, &fingerprint),
            Done::Advised(key, fingerprint, advice) => {
                self.asked_about = self.asked_about.saturating_sub(1);
                self.take_advice(&key, &fingerprint, advice);
            }
            Done::Asked(key, ask, permission) => return self.answer(key, &ask, permission),
            Done::Looked(key, missing) => {
                if let Some(subject) = self.subjects.get_mut(&key) {
                    subject.missing = missing;
                }
            }
            Done::Nothing => return false,
        }
        true
    }

    /// A task has panicked: nobody will say which, so that all are tried again.
    fn release(&mut self) {
        self.tasks.abort_all();
        self.budgets = Budgets::default();
        self.asked_about = 0;
        // Whoever waits learns that it has failed.
        self.asking.clear();
        self.waiting.clear();
        self.watching.clear();
        for subject in self.subjects.values_mut().filter(|one| one.is_busy) {
            subject.is_busy = false;
            let failure = Failure::new("settings", "an error of the gateway itself");
            subject.fail(failure, self.seen, fastrand::f64());
        }
    }

    fn publish(&self, now: Now) {
        let all = self.subjects.values();
        let statuses = all.map(|subject| subject.status(now, self.records(subject)));
        self.statuses.store(Arc::new(statuses.collect()));
    }
}

fn look(desk: &Desk) -> Now {
    Now {
        wall: desk.now(),
        monotonic: Instant::now(),
    }
}

#[cfg(test)]
mod tests;
