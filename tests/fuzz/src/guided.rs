//! The target that `JANUA_FUZZ_TARGET` names, under libFuzzer: see `run` in this crate's folder.

#![no_main]
#![allow(
    clippy::panic,
    unsafe_code,
    reason = "libFuzzer calls a C function, which the macro defines"
)]

use std::sync::LazyLock;

use janua_fuzz::Target;

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("JANUA_FUZZ_TARGET").unwrap_or_default();
    Target::named(&name).unwrap_or_else(|| panic!("JANUA_FUZZ_TARGET={name} names no target"))
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| (TARGET.run)(input));
