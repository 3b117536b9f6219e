//! The inputs that a target begins with: the files of its folder in `corpus`, and messages that
//! the end-to-end suite has recorded.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::target::Target;

/// An input, and where it comes from.
#[derive(Clone, Debug)]
pub struct Seed {
    /// The name of its file, or that of the recorded case.
    pub name: String,
    /// The input.
    pub bytes: Vec<u8>,
}

/// The seeds of a target, in the order of their names, each input once.
///
/// # Panics
/// The target has no folder, or a file cannot be read.
#[must_use]
pub fn seeds(target: &Target) -> Vec<Seed> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target.name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut seeds: Vec<Seed> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            Seed {
                name: path.file_name().unwrap().to_string_lossy().into_owned(),
                bytes: fs::read(&path).unwrap(),
            }
        })
        .collect();
    seeds.sort_by(|one, other| one.name.cmp(&other.name));
    seeds.extend(target.recorded.iter().flat_map(|recorded| recorded.seeds()));
    let mut known = BTreeSet::new();
    seeds.retain(|seed| known.insert(seed.bytes.clone()));
    seeds
}
