//! A recorded transcript, and how today's differs from it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

/// How many cases that differ are shown.
const SHOWN: usize = 12;
const CASE: &str = "== ";

/// The transcripts of one file, in the order in which they were made.
pub(crate) struct Record {
    path: PathBuf,
    cases: Vec<(String, String)>,
}

impl Record {
    /// Of this file in `tests/corpus`.
    pub(crate) fn new(file: &str) -> Self {
        Self {
            path: PathBuf::from(env!("CARGO_MANIFEST_DIR"))
                .join("corpus")
                .join(file),
            cases: Vec::new(),
        }
    }

    /// Adds what happened in a case, whose name no other has.
    pub(crate) fn add(&mut self, name: &str, transcript: String) {
        let is_new = self.cases.iter().all(|(other, _)| other != name);
        assert!(is_new, "two cases have the name {name:?}");
        self.cases.push((name.to_owned(), transcript));
    }

    /// Fails unless everything is as recorded; or records it, if that is asked for.
    pub(crate) fn compare(&self) {
        let mut whole = String::new();
        for (name, transcript) in &self.cases {
            let _ = writeln!(whole, "{CASE}{name}\n{transcript}");
        }
        if std::env::var_os("JANUA_RECORD").is_some() {
            std::fs::write(&self.path, whole).unwrap();
            return;
        }
        let recorded = std::fs::read_to_string(&self.path)
            .unwrap_or_else(|error| panic!("{}: {error}", self.path.display()));
        if recorded == whole {
            return;
        }
        let differences = differences(&parse(&recorded), &parse(&whole));
        panic!(
            "{} of {} cases are not as recorded in {} (- recorded, + now).\n\
             If each difference is wanted, JANUA_RECORD=1 records them.\n\n{}",
            differences.len(),
            self.cases.len(),
            self.path.display(),
            differences[..differences.len().min(SHOWN)].join("\n"),
        );
    }
}

/// Cases by name.
fn parse(text: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut cases = BTreeMap::new();
    let mut name = "";
    for line in text.lines() {
        match line.strip_prefix(CASE) {
            Some(next) => name = next,
            None => cases.entry(name).or_insert_with(Vec::new).push(line),
        }
    }
    cases
}

/// Each case that differs: its lines, those that are not common marked.
fn differences(
    recorded: &BTreeMap<&str, Vec<&str>>,
    now: &BTreeMap<&str, Vec<&str>>,
) -> Vec<String> {
    let mut names: Vec<&&str> = recorded.keys().chain(now.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let none = Vec::new();
    let cases = names.into_iter().filter_map(|name| {
        let (old, new) = (
            recorded.get(name).unwrap_or(&none),
            now.get(name).unwrap_or(&none),
        );
        (old != new).then(|| format!("{CASE}{name}\n{}", difference(old, new)))
    });
    cases.collect()
}

/// The common beginning and end, and between them what was and what is.
fn difference(old: &[&str], new: &[&str]) -> String {
    let same = |(a, b): &(&&str, &&str)| a == b;
    let begin = old.iter().zip(new).take_while(same).count();
    let (old_rest, new_rest) = (&old[begin..], &new[begin..]);
    let pairs = old_rest.iter().rev().zip(new_rest.iter().rev());
    let end = pairs.take_while(same).count();
    let mut text = String::new();
    let mut write = |mark: &str, lines: &[&str]| {
        for line in lines {
            let _ = writeln!(text, "{mark}{line}");
        }
    };
    write("  ", &old[..begin]);
    write("- ", &old_rest[..old_rest.len() - end]);
    write("+ ", &new_rest[..new_rest.len() - end]);
    write("  ", &old_rest[old_rest.len() - end..]);
    text
}
