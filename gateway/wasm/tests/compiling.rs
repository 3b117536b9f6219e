//! The limits of generating code, with this program as the process that compiles.
//!
//! It has no harness, so that it can be started once more as that process.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use janua_wasm::{
    Apart, CompileLimits, Compiler, Confinement, LoadError, Policy, PolicySpec, Runtime,
    RuntimeOptions, WorkerHost, WorkerPolicy, compile_component,
};

const SELF: &str = "/proc/self/exe";
const COMMAND: &str = "compile-component";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, command, numbers @ ..] = &*arguments
        && command == COMMAND
    {
        let number = |at: usize| -> u64 { numbers[at].parse().unwrap() };
        return compile_component(Confinement {
            parent: u32::try_from(number(0)).unwrap(),
            niceness: u8::try_from(number(1)).unwrap(),
            memory: number(2),
            cpu: number(3),
        });
    }
    each_limit_is_named_and_the_rest_continues();
    println!("each limit is named, and the rest continues: ok");
    ExitCode::SUCCESS
}

fn each_limit_is_named_and_the_rest_continues() {
    let generous = CompileLimits::default();
    let table = [
        (
            CompileLimits { cpu: 4, ..generous },
            "compiling it takes more than 4 s of CPU time",
        ),
        (
            CompileLimits {
                memory: 192 << 20,
                ..generous
            },
            "compiling it takes more than 192 MiB of memory",
        ),
        (
            CompileLimits {
                time: Duration::from_secs(5),
                ..generous
            },
            "compiling it takes more than 5s",
        ),
    ];
    for (limits, words) in table {
        let apart = Apart::new(SELF, &[COMMAND]).with_limits(limits);
        let runtime = Runtime::new(RuntimeOptions {
            cache_dir: None,
            compiler: Compiler::Apart(apart),
            ..RuntimeOptions::default()
        })
        .unwrap();
        let before = policy(&runtime, "rate_limit", r#"{"rate":"10/s"}"#);
        let Err(refused) = runtime.load(&slow()) else {
            panic!("{words}: accepted")
        };
        assert!(matches!(refused, LoadError::Died(_)), "{refused:?}");
        let refused = refused.to_string();
        assert!(refused.contains(words), "{refused}");
        assert!(
            refused.contains("divide its largest functions"),
            "{refused}"
        );
        // What was there works, and what comes later is compiled.
        let mut worker = WorkerPolicy::new(before, WorkerHost::new(&runtime));
        worker.prepare().unwrap();
        policy(&runtime, "spa_fallback", r#"{"exclude":[]}"#);
    }
}

/// A bundled policy.
fn policy(runtime: &Runtime, name: &str, config: &str) -> Arc<Policy> {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(3).unwrap();
    let file = target.join(format!("wasm32-wasip2/policy/janua_policy_{name}.wasm"));
    let bytes = std::fs::read(&file)
        .unwrap_or_else(|error| panic!("{}: {error}; run `make policies`", file.display()));
    let mut spec = PolicySpec::new(name, runtime.load(&bytes).unwrap());
    spec.bundled = true;
    spec.config = config.to_owned();
    runtime.configure(spec).unwrap()
}

/// A component of a few KB that takes minutes to compile: in each of many loops, each of many
/// variables has a value that depends on the way there.
fn slow() -> Vec<u8> {
    let (loops, variables) = (300, 3_000);
    let changes: String = (1..=variables)
        .map(|n| format!("(local.set {n} (i32.add (local.get {n}) (i32.const 1)))"))
        .collect();
    let begin = "(loop ".repeat(loops);
    let end = "(br_if 0 (local.get 0)))".repeat(loops);
    let locals = "i32 ".repeat(variables);
    let body = format!("{begin}{changes}{end}(local.get 0)");
    wat::parse_str(format!(
        r#"(component
            (core module (func (param i32) (result i32) (local {locals}) {body}))
            (instance $i)
            (export "janua:policy/policies@0.1.0" (instance $i)))"#
    ))
    .unwrap()
}
