//! Embeds the bundled policies. They are components for another target, which
//! cargo cannot build as part of this one, so `make policies` builds them first.

use std::path::{Path, PathBuf};
use std::{env, fs};

const BUNDLED: [&str; 5] = [
    "api_key",
    "cache_rules",
    "headers",
    "rate_limit",
    "spa_fallback",
];

fn main() {
    println!("cargo::rerun-if-env-changed=JANUA_POLICIES_DIR");
    let Some(out) = env::var_os("OUT_DIR").map(PathBuf::from) else {
        return;
    };
    let built = built(&out);
    for name in BUNDLED {
        let from = built.join(format!("janua_policy_{name}.wasm"));
        println!("cargo::rerun-if-changed={}", from.display());
        if let Err(error) = fs::copy(&from, out.join(format!("{name}.wasm"))) {
            println!(
                "cargo::error=the bundled policies are not built yet: run `make policies` ({}: {error})",
                from.display()
            );
        }
    }
}

/// `JANUA_POLICIES_DIR`, or where `make policies` puts them: in the same target
/// directory, which `OUT_DIR` lies in as `<target>/<profile>/build/<crate>/out`.
fn built(out: &Path) -> PathBuf {
    if let Some(given) = env::var_os("JANUA_POLICIES_DIR") {
        return given.into();
    }
    let target = out.ancestors().nth(4).unwrap_or(out);
    target.join("wasm32-wasip2/policy")
}
