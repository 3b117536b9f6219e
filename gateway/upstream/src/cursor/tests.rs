//! Whatever happens to the endpoints of an upstream and in whatever order: what a worker remembers
//! of them is what it would find out anew, and nothing is counted that is not there.

use std::time::Duration;

use proptest::prelude::*;

use super::Cursor;
use crate::admission::Entry;
use crate::balance::{Affinity, Balance, Key};
use crate::check::{CheckFailure, CheckResult, CheckRule};
use crate::endpoint::Endpoint;
use crate::health::{AttemptOutcome, PassiveHealth};
use crate::outliers::{ErrorKind, Outliers};
use crate::panic::Panic;
use crate::testing;
use crate::tier::{self, Tier};
use crate::tried::Tried;
use crate::upstream::{Picked, Unavailable, Upstream, UpstreamSpec};

const ENDPOINTS: usize = 5;
const WORKERS: usize = 2;

const CHECKS: CheckRule = CheckRule {
    rise: 2,
    fall: 2,
    silence_ms: 1_000,
};

/// Something that happens. Endpoints and workers are given by their index, requests in flight by
/// their place among them.
#[derive(Debug, Clone)]
enum Event {
    Pass(u64),
    Request { worker: usize, session: usize },
    Answer(prop::sample::Index),
    Fail(prop::sample::Index, ErrorKind),
    GiveUp(prop::sample::Index),
    Withdraw(prop::sample::Index),
    Pause(usize, u64),
    Drain(usize, bool),
    Weigh(usize, Option<u32>),
    Check(usize, bool),
    Replace(usize),
    Resolve(usize, bool),
}

fn event() -> impl Strategy<Value = Event> {
    let endpoint = 0..ENDPOINTS;
    let request = || any::<prop::sample::Index>();
    let kind = prop_oneof![
        Just(ErrorKind::Connect),
        Just(ErrorKind::Reset),
        Just(ErrorKind::Timeout),
        Just(ErrorKind::Status)
    ];
    prop_oneof![
        3 => (0..40_000_u64).prop_map(Event::Pass),
        12 => (0..WORKERS, 0..ENDPOINTS * 4)
            .prop_map(|(worker, session)| Event::Request { worker, session }),
        4 => request().prop_map(Event::Answer),
        6 => (request(), kind).prop_map(|(request, kind)| Event::Fail(request, kind)),
        1 => request().prop_map(Event::GiveUp),
        1 => request().prop_map(Event::Withdraw),
        1 => (endpoint.clone(), 1..30_u64).prop_map(|(it, seconds)| Event::Pause(it, seconds)),
        1 => (endpoint.clone(), any::<bool>()).prop_map(|(it, on)| Event::Drain(it, on)),
        1 => (endpoint.clone(), prop::option::of(0..4_u32))
            .prop_map(|(it, weight)| Event::Weigh(it, weight)),
        2 => (endpoint.clone(), any::<bool>()).prop_map(|(it, passes)| Event::Check(it, passes)),
        1 => endpoint.clone().prop_map(Event::Replace),
        1 => (endpoint, any::<bool>()).prop_map(|(it, is)| Event::Resolve(it, is)),
    ]
}

fn spec() -> impl Strategy<Value = UpstreamSpec> {
    let balance = prop_oneof![
        Just(Balance::RoundRobin),
        Just(Balance::LeastConn),
        Just(Balance::RandomTwo),
        Just(Balance::Latency),
        Just(Balance::IpHash),
        Just(Balance::Hash { bounded: Some(1.5) })
    ];
    let panic = prop_oneof![
        Just(Panic::NoneLeft),
        Just(Panic::Below(60)),
        Just(Panic::Never)
    ];
    let endpoint = (any::<bool>(), any::<bool>(), prop::option::of(1..3_u32));
    let endpoints = prop::collection::vec(endpoint, 1..=ENDPOINTS);
    (
        balance,
        panic,
        endpoints,
        0..3_u32,
        any::<bool>(),
        0..20_u64,
    )
        .prop_map(
            |(balance, panic, endpoints, max_fails, has_outliers, slow_start)| {
                let mut spec = testing::spec(balance, endpoints.len());
                for (spec, (backup, is_local, most)) in spec.endpoints.iter_mut().zip(endpoints) {
                    spec.backup = backup;
                    spec.zone = is_local.then(|| "here".to_owned());
                    spec.max_connections = most;
                }
                UpstreamSpec {
                    panic,
                    zone: Some("here".to_owned()),
                    slow_start: Duration::from_secs(slow_start),
                    passive_health: PassiveHealth {
                        max_fails,
                        fail_timeout: Duration::from_secs(10),
                    },
                    outliers: has_outliers.then_some(Outliers {
                        most: 50,
                        ..Outliers::DEFAULT
                    }),
                    ..spec
                }
            },
        )
}

/// The endpoints of each tier, and whether it is the last resort.
fn shape(tiers: &[Tier]) -> Vec<(Vec<usize>, bool)> {
    let indexes = |tier: &Tier| tier.candidates.iter().map(|it| it.index).collect();
    let shape = tiers
        .iter()
        .map(|tier| (indexes(tier), tier.is_last_resort));
    shape.collect()
}

struct World {
    upstream: Upstream,
    workers: Vec<Cursor>,
    in_flight: Vec<Picked>,
    now_ms: u64,
}

impl World {
    fn happen(&mut self, event: &Event) {
        let now_ms = self.now_ms;
        let to = |index: usize, happen: &dyn Fn(&Endpoint)| {
            if let Some(member) = self.upstream.members().get(index) {
                happen(&member.endpoint);
            }
        };
        match event {
            Event::Pass(ms) => self.now_ms += ms,
            Event::Request { worker, session } => self.request(*worker, *session),
            Event::Answer(at) => self.end(at, |upstream, picked| {
                upstream.observe(picked.index, None, now_ms);
                let took = Duration::from_millis(20);
                picked.in_flight.responded(took, now_ms);
                picked.in_flight.report(AttemptOutcome::Ok, now_ms);
            }),
            Event::Fail(at, kind) => self.end(at, |upstream, picked| {
                let outcome = match kind {
                    ErrorKind::Status => AttemptOutcome::Ok,
                    _ => AttemptOutcome::Failed("reset"),
                };
                picked.in_flight.report(outcome, now_ms);
                upstream.observe(picked.index, Some(*kind), now_ms);
            }),
            Event::GiveUp(at) => self.end(at, |_, _| ()),
            Event::Withdraw(at) => self.end(at, |_, picked| picked.in_flight.withdraw(now_ms)),
            Event::Pause(index, seconds) => {
                let length = Duration::from_secs(*seconds);
                self.upstream.pause(*index, length, now_ms);
            }
            Event::Drain(index, is) => to(*index, &|it| it.drain(*is)),
            Event::Weigh(index, weight) => to(*index, &|it| it.set_weight(*weight)),
            Event::Check(index, passes) => {
                let result = match passes {
                    true => CheckResult::Passed,
                    false => CheckResult::Failed(CheckFailure {
                        word: "refused",
                        status: None,
                        detail: "".into(),
                    }),
                };
                self.upstream.record_check(*index, result, &CHECKS, now_ms);
            }
            Event::Replace(index) => to(*index, &Endpoint::await_replacement),
            Event::Resolve(index, is) => to(*index, &|it| {
                let address = is.then(|| "127.0.0.1:1".parse().unwrap());
                it.set_resolution(Ok(address.into_iter().collect()));
            }),
        }
    }

    fn end(&mut self, at: &prop::sample::Index, how: impl FnOnce(&Upstream, &Picked)) {
        if !self.in_flight.is_empty() {
            let picked = self.in_flight.swap_remove(at.index(self.in_flight.len()));
            how(&self.upstream, &picked);
        }
    }

    fn request(&mut self, worker: usize, number: usize) {
        let now_ms = self.now_ms;
        let affinity = Affinity {
            key: match self.upstream.balance() {
                Balance::IpHash => Key::Client([10, 0, number as u8, 1].into()),
                _ => Key::Hash((number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            },
            session: (number < ENDPOINTS).then_some(number),
        };
        let entries: Vec<Entry> = self
            .upstream
            .members()
            .iter()
            .map(|member| self.upstream.admission(member, now_ms).entry)
            .collect();
        let has_room: Vec<bool> = self
            .upstream
            .members()
            .iter()
            .map(|member| {
                let in_flight = member.endpoint.in_flight();
                member.max_connections.is_none_or(|most| in_flight < most)
            })
            .collect();
        let cursor = &mut self.workers[worker];
        let picked = self
            .upstream
            .pick_for(cursor, &affinity, &Tried::new(), now_ms);
        match picked {
            Ok(picked) => {
                let entry = entries[picked.index];
                let is_own = affinity.session == Some(picked.index);
                assert!(
                    entry.is_eligible()
                        || entry == Entry::LastResort
                        || entry == Entry::Sessions && is_own,
                    "{entry:?}"
                );
                let member = &self.upstream.members()[picked.index];
                let is_better_left = entries
                    .iter()
                    .zip(&has_room)
                    .any(|(entry, has_room)| entry.is_eligible() && *has_room);
                assert!(
                    entry != Entry::LastResort
                        || !is_better_left
                        || self.upstream.panic() == Panic::Below(60),
                    "an ejected endpoint instead of {entries:?}"
                );
                assert!(has_room[picked.index]);
                assert!(member.endpoint.is_resolved());
                self.in_flight.push(picked);
            }
            Err(why) => {
                let is_left = |wanted: fn(Entry) -> bool| {
                    let mut each = entries.iter().zip(&has_room);
                    each.any(|(entry, has_room)| *has_room && wanted(*entry))
                };
                let all_are_out = !entries.iter().any(|entry| entry.is_eligible());
                let is_any_left = is_left(Entry::is_eligible)
                    || all_are_out && is_left(|entry| entry == Entry::LastResort);
                assert!(!is_any_left, "{why:?} with {entries:?}, {has_room:?}");
                assert_ne!(why, Unavailable::Tried);
            }
        }
    }

    fn check(&mut self) {
        for worker in &mut self.workers {
            worker.refresh(&self.upstream, self.now_ms);
            let (anew, _) = tier::tiers(&self.upstream, self.now_ms);
            assert_eq!(shape(worker.tiers()), shape(&anew));
        }
        let mut all = 0;
        for (index, member) in self.upstream.members().iter().enumerate() {
            let requests = self.in_flight.iter().filter(|it| it.index == index).count();
            assert_eq!(member.endpoint.in_flight() as usize, requests);
            all += requests as u64;
        }
        assert_eq!(self.upstream.group().in_flight(), all);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_remembered_is_what_would_be_found_anew(
        spec in spec(),
        events in prop::collection::vec(event(), 1..120),
    ) {
        let mut world = World {
            upstream: testing::made(&spec),
            workers: (0..WORKERS as u64).map(Cursor::from_seed).collect(),
            in_flight: Vec::new(),
            now_ms: 1,
        };
        for event in &events {
            world.happen(event);
            world.check();
        }
        world.in_flight.clear();
        world.check();
    }
}
