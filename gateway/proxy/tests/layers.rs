//! The picture in ARCHITECTURE.md is what the imports say: a module names
//! modules of its own layer and of those below, and none above.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what is wrong by failing"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const MANIFEST: &str = env!("CARGO_MANIFEST_DIR");

/// The modules of each layer, the uppermost first, as the table has them.
fn layers() -> Vec<Vec<String>> {
    let page = fs::read_to_string(Path::new(MANIFEST).join("../../ARCHITECTURE.md")).unwrap();
    let (_, table) = page.split_once("<!-- layers -->\n").unwrap();
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    rows.skip(2)
        .map(|row| {
            let modules = row.trim_matches('|').rsplit('|').next().unwrap();
            let quoted = modules.split('`').skip(1).step_by(2);
            quoted.map(str::to_owned).collect()
        })
        .collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => sources(&path),
            false => vec![path],
        })
        .collect()
}

/// What a file names of its crate, by top-level module: `use` declarations and
/// paths alike, without comments and without its tests.
fn named(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let lines = code
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    let code: String = lines.collect::<Vec<_>>().join("\n");
    code.split("crate::")
        .skip(1)
        .map(|rest| {
            let end = rest.find(|character: char| !character.is_alphanumeric() && character != '_');
            rest[..end.unwrap_or(rest.len())].to_owned()
        })
        .filter(|module| !module.is_empty())
        .collect()
}

#[test]
fn no_module_names_one_of_a_layer_above() {
    let layers = layers();
    let place: BTreeMap<&str, usize> = layers
        .iter()
        .enumerate()
        .flat_map(|(place, modules)| modules.iter().map(move |module| (module.as_str(), place)))
        .collect();
    assert!(place.len() > 40, "the table is read: {place:?}");
    let root = Path::new(MANIFEST).join("src");
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    for path in sources(&root) {
        let inside = path.strip_prefix(&root).unwrap();
        let first = inside.components().next().unwrap().as_os_str();
        let module = first.to_str().unwrap().trim_end_matches(".rs").to_owned();
        // Tests stand beside what they test and use what stands above it.
        let is_test = inside.ends_with("tests.rs") || module == "testing";
        if module == "lib" || is_test {
            continue;
        }
        seen.insert(module.clone());
        let Some(own) = place.get(module.as_str()) else {
            faults.push(format!("{module} is in no layer"));
            continue;
        };
        for other in named(&fs::read_to_string(&path).unwrap()) {
            if place.get(other.as_str()).is_some_and(|above| above < own) {
                faults.push(format!(
                    "{} names {other}, of a layer above",
                    inside.display()
                ));
            }
        }
    }
    let gone = place.keys().filter(|module| !seen.contains(**module));
    faults.extend(gone.map(|module| format!("{module} is in the table, and nowhere else")));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
