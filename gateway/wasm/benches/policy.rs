//! The cost of a policy per request, measured with real components through the public
//! API. Run with `cargo bench -p janua-wasm` after `make policies`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark"
)]

use std::path::Path;
use std::sync::Arc;

use divan::Bencher;
use janua_wasm::{
    AbsentKey, BucketOptions, Buckets, ClientKey, Decision, Facts, Input, Now, Phase, Policy,
    PolicySpec, Runtime, RuntimeOptions, TokenBucket, Value, WorkerHost, WorkerPolicy,
};

fn main() {
    divan::main();
}

/// A request with this `X-Api-Key`.
struct Request(String);

impl Facts for Request {
    fn input(&self, input: &Input, out: &mut Vec<u8>) -> bool {
        match input {
            Input::Header(name) if &**name == "x-api-key" => {
                out.extend_from_slice(self.0.as_bytes());
                true
            }
            Input::ClientIp => {
                out.extend_from_slice(b"192.0.2.1");
                true
            }
            _ => false,
        }
    }

    fn client(&self) -> ClientKey {
        ClientKey::default()
    }
}

const NOW: Now = Now {
    monotonic_ms: 1_000,
    unix_seconds: 1_700_000_000,
};

fn configured(
    name: &str,
    config: &str,
    change: impl FnOnce(&mut PolicySpec),
) -> (Runtime, Arc<Policy>) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/wasm32-wasip2/policy")
        .join(format!("janua_policy_{name}.wasm"));
    let bytes = std::fs::read(&file)
        .unwrap_or_else(|error| panic!("{}: {error}; run `make policies`", file.display()));
    let runtime = Runtime::new(RuntimeOptions::default()).unwrap();
    let component = runtime.load(&bytes).unwrap();
    let mut spec = PolicySpec::new(name, component);
    spec.bundled = true;
    spec.config = config.to_owned();
    spec.throttle.share_percent = 100;
    change(&mut spec);
    let policy = runtime.configure(spec).unwrap();
    (runtime, policy)
}

fn policy(name: &str, config: &str, change: impl FnOnce(&mut PolicySpec)) -> WorkerPolicy {
    let (runtime, policy) = configured(name, config, change);
    let mut policy = WorkerPolicy::new(policy, WorkerHost::new(&runtime));
    policy.prepare().unwrap();
    policy
}

/// One known key, `key-000001`. Requests with other keys get 401.
const API_KEY: &str = r#"{"header":"x-api-key","keys":{"one":"sha256:c9cac3e10bfafe98a7a1dfa66569b00e42caaabccae487b1e878ca76a09d0d4b"}}"#;

fn api_key(change: impl FnOnce(&mut PolicySpec)) -> WorkerPolicy {
    policy("api_key", API_KEY, change)
}

fn decide(policy: &mut WorkerPolicy, request: &Request) -> Decision {
    let decision = policy.decide(Phase::Request, request, NOW);
    assert!(matches!(decision, Decision::Verdict { .. }), "{decision:?}");
    decision
}

/// A hit for one of 1,000 keys.
#[divan::bench(sample_size = 1_000)]
fn memo_hit_of_1000_keys(bencher: Bencher<'_, '_>) {
    let mut policy = api_key(|spec| spec.sample = 0);
    let requests: Vec<_> = (0..1_000).map(|n| Request(format!("key-{n:06}"))).collect();
    for request in &requests {
        decide(&mut policy, request);
    }
    let mut next = requests.iter().cycle();
    bencher.bench_local(|| decide(&mut policy, next.next().unwrap()));
}

/// A hit, with one hit in 8,192 compared with a fresh verdict.
#[divan::bench(sample_size = 10_000)]
fn memo_hit_with_sampling(bencher: Bencher<'_, '_>) {
    let mut policy = api_key(|_| {});
    let request = Request("key-000001".to_owned());
    bencher.bench_local(|| decide(&mut policy, &request));
}

/// A hit of a policy without inputs, whose memo key is empty.
#[divan::bench(sample_size = 1_000)]
fn constant_hit(bencher: Bencher<'_, '_>) {
    let mut policy = policy("rate_limit", r#"{"rate":"10/s"}"#, |spec| spec.sample = 0);
    let request = Request(String::new());
    bencher.bench_local(|| decide(&mut policy, &request));
}

/// A call with one input, without the memo.
#[divan::bench(sample_size = 1_000)]
fn call_memo_off(bencher: Bencher<'_, '_>) {
    let mut policy = api_key(|spec| spec.memo = false);
    let request = Request("key-000001".to_owned());
    bencher.bench_local(|| decide(&mut policy, &request));
}

/// A miss for a new key: look-up, call, conversion, insertion and eviction.
#[divan::bench(sample_size = 1_000)]
fn miss(bencher: Bencher<'_, '_>) {
    let mut policy = api_key(|_| {});
    let mut n = 0_u64;
    bencher.bench_local(|| {
        n += 1;
        decide(&mut policy, &Request(format!("random-{n}")))
    });
}

/// A new instance, configured. The first request after a trap needs one.
#[divan::bench(sample_size = 10)]
fn instance_and_configure(bencher: Bencher<'_, '_>) {
    let (runtime, policy) = configured("api_key", API_KEY, |_| {});
    bencher.bench_local(|| {
        let mut fresh = WorkerPolicy::new(Arc::clone(&policy), WorkerHost::new(&runtime));
        fresh.prepare().unwrap();
    });
}

fn take() -> TokenBucket {
    TokenBucket {
        name: "".into(),
        key: Value::Literal(Box::default()),
        absent: AbsentKey::Share,
        tokens: 1_000_000,
        period_ms: 1_000,
        burst: 1_000_000,
    }
}

/// A token from the same bucket each time, and from one of 100,000 in turn. With two million,
/// each take replaces a bucket.
#[divan::bench(args = [1, 100_000, 2_000_000], sample_size = 10_000)]
fn take_token(bencher: Bencher<'_, '_>, clients: usize) {
    let buckets = Buckets::new(&BucketOptions::default());
    let take = take();
    let name = buckets.named("api-limit", &take.name);
    let keys: Vec<_> = (0..clients).map(|n| format!("192.0.{n}")).collect();
    for key in &keys {
        buckets.take(&name, Some(key.as_bytes()), &take, 1, 0);
    }
    let mut next = keys.iter().cycle();
    let mut now = 0_u64;
    bencher.bench_local(|| {
        now += 1;
        let key = next.next().unwrap().as_bytes();
        buckets.take(&name, Some(key), &take, 1, now)
    });
}

/// Two threads take from the same bucket.
#[divan::bench(threads = [2], sample_size = 10_000)]
fn take_token_contended(bencher: Bencher<'_, '_>) {
    let buckets = Buckets::new(&BucketOptions::default());
    let take = take();
    let name = buckets.named("api-limit", &take.name);
    bencher.bench(|| buckets.take(&name, Some(b"192.0.2.1"), &take, 1, 5));
}
