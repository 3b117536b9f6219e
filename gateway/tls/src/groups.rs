//! Key exchange groups by name, which other servers call curves.

use std::fmt;

use rustls::NamedGroup;
pub use rustls::crypto::SupportedKxGroup;
use rustls::crypto::aws_lc_rs::{DEFAULT_KX_GROUPS, kx_group};

use crate::error::Error;

/// A group with the names by which it goes.
type Named = (&'static dyn SupportedKxGroup, &'static [&'static str]);

/// The first name is the one of IANA.
static GROUPS: [Named; 7] = [
    (kx_group::X25519MLKEM768, &["X25519MLKEM768"]),
    (kx_group::SECP256R1MLKEM768, &["SecP256r1MLKEM768"]),
    (kx_group::X25519, &["x25519"]),
    (kx_group::SECP256R1, &["secp256r1", "prime256v1", "P-256"]),
    (kx_group::SECP384R1, &["secp384r1", "P-384"]),
    (kx_group::MLKEM768, &["MLKEM768"]),
    (kx_group::MLKEM1024, &["MLKEM1024"]),
];

/// The beginnings of names that exist, but not in rustls.
const MISSING: [&str; 11] = [
    "secp521r1",
    "P-521",
    "x448",
    "ffdhe",
    "brainpool",
    "secp256k1",
    "secp1",
    "secp2",
    "sect",
    "prime",
    "SecP384r1MLKEM1024",
];

/// What a list of names selects.
#[derive(Debug, Clone)]
pub struct Groups {
    /// The preferred first.
    pub groups: Vec<&'static dyn SupportedKxGroup>,
    /// What the list asks for and does not get.
    pub notes: Vec<Note>,
}

/// Something that a list asks for, and what happens instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// rustls does not have this group; it is left out.
    LeftOut(String),
    /// No group is left, so that the default ones are used.
    NoneLeft,
}

/// The groups that a list selects; the default ones if it is empty or says
/// `auto`. Each item is a name or several with colons. An error if an item is
/// not the name of a group.
pub fn select<T: AsRef<str>>(list: &[T]) -> Result<Groups, Error> {
    let mut groups: Vec<&'static dyn SupportedKxGroup> = Vec::new();
    let mut notes = Vec::new();
    let names = list.iter().flat_map(|item| item.as_ref().split(':'));
    for name in names.filter(|name| !name.is_empty()) {
        if name.eq_ignore_ascii_case("auto") {
            extend(&mut groups, DEFAULT_KX_GROUPS);
        } else if let Some(group) = find(name) {
            extend(&mut groups, &[group]);
        } else if is_missing(name) {
            notes.push(Note::LeftOut(name.into()));
        } else {
            return Err(unknown(name));
        }
    }
    if groups.is_empty() {
        if !notes.is_empty() {
            notes.push(Note::NoneLeft);
        }
        groups.extend(DEFAULT_KX_GROUPS);
    }
    Ok(Groups { groups, notes })
}

/// X25519MLKEM768, then elliptic curves.
pub fn default() -> Vec<&'static dyn SupportedKxGroup> {
    DEFAULT_KX_GROUPS.to_vec()
}

/// The name of a group in IANA's registry; none if it is not one of rustls'.
pub fn iana_name(group: NamedGroup) -> Option<&'static str> {
    let (_, names) = GROUPS.iter().find(|(known, _)| known.name() == group)?;
    names.first().copied()
}

fn find(name: &str) -> Option<&'static dyn SupportedKxGroup> {
    let is_named = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    let (group, _) = GROUPS.iter().find(|(_, names)| is_named(names))?;
    Some(*group)
}

fn extend(groups: &mut Vec<&'static dyn SupportedKxGroup>, more: &[&'static dyn SupportedKxGroup]) {
    for group in more {
        if groups.iter().all(|known| known.name() != group.name()) {
            groups.push(*group);
        }
    }
}

fn is_missing(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    MISSING
        .iter()
        .any(|beginning| name.starts_with(&beginning.to_ascii_lowercase()))
}

fn unknown(name: &str) -> Error {
    let names: Vec<_> = GROUPS
        .iter()
        .filter_map(|(_, names)| names.first().copied())
        .collect();
    Error::new(format!(
        "`{name}` is not the name of a key exchange group (curve). Leave the list out for the \
         default ones, or choose among {}.",
        names.join(", ")
    ))
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeftOut(name) => write!(
                f,
                "The key exchange group `{name}` is left out, because rustls does not have it. \
                 Clients that offer no other cannot connect."
            ),
            Self::NoneLeft => f.write_str(
                "No key exchange group is left of this list. The default ones are used.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<&'static str> {
        let groups = select(list).unwrap().groups;
        groups
            .iter()
            .map(|group| iana_name(group.name()).unwrap())
            .collect()
    }

    #[test]
    fn groups_are_selected_by_any_of_their_names() {
        assert_eq!(names(&["X25519:prime256v1"]), ["x25519", "secp256r1"]);
        assert_eq!(names(&["P-384", "secp384r1"]), ["secp384r1"]);
        let default = ["X25519MLKEM768", "x25519", "secp256r1", "secp384r1"];
        assert_eq!(names(&[]), default);
        assert_eq!(names(&["auto"]), default);
        assert_eq!(
            names(&["x25519", "auto"])[..2],
            ["x25519", "X25519MLKEM768"]
        );
    }

    #[test]
    fn missing_groups_are_left_out_and_said() {
        let groups = select(&["secp521r1:X448:x25519"]).unwrap();
        assert_eq!(groups.groups.len(), 1);
        let left_out = |name: &str| Note::LeftOut(name.into());
        assert_eq!(groups.notes, [left_out("secp521r1"), left_out("X448")]);

        let groups = select(&["ffdhe2048"]).unwrap();
        assert_eq!(groups.groups.len(), 4);
        assert_eq!(groups.notes, [left_out("ffdhe2048"), Note::NoneLeft]);
    }

    #[test]
    fn a_typo_is_an_error() {
        let error = select(&["x25591"]).unwrap_err().to_string();
        assert!(error.starts_with("`x25591` is not the name of a key exchange group"));
    }
}
