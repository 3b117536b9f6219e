//! The short run, which is part of the ordinary tests: the corpus, and a fixed number of
//! mutations of it. It needs no instrumentation and always does the same.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use crate::corpus::seeds;
use crate::mutation::Mutator;
use crate::target::Target;

/// The generator begins with this.
const SEED: u64 = 0x1A_4A5;

/// Runs a target with its corpus and `mutations` inputs made of it. An input that breaks a
/// property is written to the folder `findings`.
///
/// # Panics
/// A property does not hold.
pub fn run_short(target: &Target, mutations: usize, findings: &Path) {
    let seeds = seeds(target);
    assert!(!seeds.is_empty(), "{} has no seeds", target.name);
    for seed in &seeds {
        check(target, &seed.name, &seed.bytes, findings);
    }
    let mut mutator = Mutator::new(SEED, &seeds, target.words);
    for number in 1..=mutations {
        check(
            target,
            &format!("mutation-{number}"),
            &mutator.next(),
            findings,
        );
    }
}

fn check(target: &Target, name: &str, input: &[u8], findings: &Path) {
    let Err(panic) = catch_unwind(AssertUnwindSafe(|| (target.run)(input))) else {
        return;
    };
    let slug = name.replace(|character: char| !character.is_ascii_alphanumeric(), "-");
    let file = findings.join(format!("{}-{slug}", target.name));
    fs::create_dir_all(findings).unwrap();
    fs::write(&file, input).unwrap();
    eprintln!(
        "{name}: \"{}\"\nto repeat it: cargo run -p janua-fuzz -- replay {} {}",
        input.escape_ascii(),
        target.name,
        file.display()
    );
    resume_unwind(panic);
}
