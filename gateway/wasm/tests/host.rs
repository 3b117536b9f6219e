//! The host with real components: the bundled policies, and one that misbehaves as its
//! configuration says. `make policies` builds them; without them these tests fail.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests; the lint does not see the functions that they share as such"
)]

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use janua_wasm::{
    BadInput, BreakerState, ClientKey, Component, ConfigureError, Decision, Edit, Effect, Facts,
    FailureKind, Input, Isolation, LoadError, Now, OnError, Outcome, Part, Phase, Policy,
    PolicySpec, Runtime, RuntimeOptions, Value, Verdict, WorkerHost, WorkerPolicy,
};

#[path = "host/background.rs"]
mod background;
#[path = "host/caching.rs"]
mod caching;
#[path = "host/configuring.rs"]
mod configuring;
#[path = "host/deciding.rs"]
mod deciding;
#[path = "host/loading.rs"]
mod loading;
#[path = "host/misbehaving.rs"]
mod misbehaving;
#[path = "host/secrets.rs"]
mod secrets;
#[path = "host/time.rs"]
mod time;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Runtime::new(RuntimeOptions::default()).unwrap());

fn bytes(name: &str) -> Vec<u8> {
    let folder = std::env::var_os("JANUA_POLICIES").map_or_else(built, PathBuf::from);
    let file = folder.join(format!("{name}.wasm"));
    std::fs::read(&file)
        .unwrap_or_else(|error| panic!("{}: {error}; run `make policies`", file.display()))
}

/// Where `make policies` puts the components: in the target directory from which this
/// test runs, as `<target>/debug/deps/host-…`.
fn built() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(3).unwrap();
    target.join("wasm32-wasip2/policy")
}

fn component(name: &str) -> Arc<Component> {
    RUNTIME.load(&bytes(name)).unwrap()
}

/// The misbehaving policy, with all grants. `what` are the members of its configuration
/// object.
fn misbehaving(what: &str) -> PolicySpec {
    let mut spec = PolicySpec::new("bad", component("misbehave"));
    spec.bundled = true;
    spec.config = format!("{{{what}}}");
    spec
}

fn configure(spec: PolicySpec) -> Arc<Policy> {
    RUNTIME.configure(spec).unwrap()
}

fn refusal(spec: PolicySpec) -> ConfigureError {
    RUNTIME.configure(spec).unwrap_err()
}

/// One policy on one worker, and a clock.
struct Asker {
    policy: WorkerPolicy,
    now_ms: u64,
    unix_seconds: u64,
}

impl Asker {
    fn new(spec: PolicySpec) -> Self {
        Self::on(configure(spec), &WorkerHost::new(&RUNTIME))
    }

    fn on(policy: Arc<Policy>, host: &Rc<WorkerHost>) -> Self {
        Self {
            policy: WorkerPolicy::new(policy, Rc::clone(host)),
            now_ms: 1_000,
            unix_seconds: 1_700_000_000,
        }
    }

    fn now(&self) -> Now {
        Now {
            monotonic_ms: self.now_ms,
            unix_seconds: self.unix_seconds,
        }
    }

    fn decide(&mut self, phase: Phase, facts: &dyn Facts) -> Decision {
        let now = self.now();
        self.policy.decide(phase, facts, now)
    }

    fn repeats(&mut self, phase: Phase, verdict: &Rc<Verdict>) -> bool {
        let now = self.now();
        self.policy.repeats(verdict, phase, now)
    }

    /// The verdict on a request, and whether it was reused.
    fn verdict(&mut self, facts: &dyn Facts) -> (Rc<Verdict>, bool) {
        match self.decide(Phase::Request, facts) {
            Decision::Verdict { verdict, reused } => (verdict, reused),
            other => panic!("{other:?}"),
        }
    }

    fn failure(&mut self, phase: Phase, facts: &dyn Facts) -> FailureKind {
        match self.decide(phase, facts) {
            Decision::Failed(failure) => failure.kind,
            other => panic!("{other:?}"),
        }
    }

    fn counts(&self) -> janua_wasm::Counts {
        self.policy.policy().status(self.now_ms).counts
    }
}

/// A request, as the values of its inputs.
#[derive(Default)]
struct Request {
    inputs: HashMap<Input, Vec<u8>>,
    client: ClientKey,
}

impl Request {
    fn with(mut self, input: Input, value: impl Into<Vec<u8>>) -> Self {
        self.inputs.insert(input, value.into());
        self
    }

    fn path(path: &str) -> Self {
        Self::default().with(Input::Path, path)
    }

    fn marked() -> Self {
        Self::path("/").with(Input::Header("x-misbehave".into()), "1")
    }

    /// From the client of this number.
    fn from(mut self, client: u8) -> Self {
        self.client = IpAddr::from([192, 0, 2, client]).into();
        self
    }

    fn key(key: &str) -> Self {
        Self::default().with(Input::Header("x-api-key".into()), key)
    }
}

impl Facts for Request {
    fn input(&self, input: &Input, out: &mut Vec<u8>) -> bool {
        self.inputs.get(input).is_some_and(|value| {
            out.extend_from_slice(value);
            true
        })
    }

    fn client(&self) -> ClientKey {
        self.client
    }
}

/// Waits for what is done on another thread.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "not within a minute: {what}"
        );
        std::thread::yield_now();
    }
}

fn api_key() -> PolicySpec {
    let mut spec = PolicySpec::new("keys", component("janua_policy_api_key"));
    spec.bundled = true;
    // The SHA-256 of `key-000001`.
    spec.config = r#"{"keys":{"one":"sha256:c9cac3e10bfafe98a7a1dfa66569b00e42caaabccae487b1e878ca76a09d0d4b"}}"#.to_owned();
    spec
}

fn rate_limit() -> PolicySpec {
    let mut spec = PolicySpec::new("limit", component("janua_policy_rate_limit"));
    spec.config = r#"{"rate":"10/s","burst":5}"#.to_owned();
    spec
}
