//! The short run of each target: see `run_short`.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::path::Path;

use janua_fuzz::{ALL, Target, run_short};

/// The mutations of each target: a few seconds for all of them.
const MUTATIONS: usize = 100_000;

fn run(name: &str) {
    let target = Target::named(name).unwrap();
    let build = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    run_short(&target, MUTATIONS, &build.join("fuzz/findings"));
}

macro_rules! targets {
    ($($name:ident)*) => {
        const TESTED: &[&str] = &[$(stringify!($name)),*];
        $(
            #[test]
            fn $name() {
                run(stringify!($name));
            }
        )*
    };
}

targets! { request_head response_head chunked path proxy_header dns_query hpack accept_encoding cache_control h2 grpc_web url endpoint_list grpc_health }

#[test]
fn every_target_is_tested() {
    assert_eq!(ALL.map(|target| target.name), TESTED);
}
