//! Edits that are made to many heads: prepared once, so that they cost one copy each time.

use super::{Fields, Line, offset};

/// Edits that do not depend on the head: fields that are removed, and fields that get one
/// line with a constant value.
#[derive(Clone, Debug, Default)]
pub struct ConstantEdits {
    /// The lines that are set.
    set: Fields,
    /// The fields that are removed first; only the names of these lines count.
    removed: Fields,
}

impl ConstantEdits {
    /// Adds an edit that does what [`Fields::set`] does.
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        self.set.set(name, value);
        self.set = rebuilt(&self.set);
    }

    /// Adds an edit that does what [`Fields::remove`] does.
    pub fn remove(&mut self, name: &[u8]) {
        self.set.remove(name);
        self.set = rebuilt(&self.set);
        self.removed.set(name, b"");
    }
}

/// The same lines, with nothing in the arena that is not part of a line, so that all of them
/// can be copied at once.
fn rebuilt(fields: &Fields) -> Fields {
    let mut rebuilt = Fields::default();
    for (_, name, value) in fields.iter() {
        rebuilt.append(name, value);
    }
    rebuilt
}

impl Fields {
    /// Makes all of the edits, with the same result as one after another. Lines that are set
    /// take one copy if the head has none of these fields, as is usual.
    pub fn edit(&mut self, edits: &ConstantEdits) {
        let ConstantEdits { set, removed } = edits;
        if self.tags & removed.tags != 0 {
            for (_, name, _) in removed.iter() {
                self.remove(name);
            }
        }
        if self.tags & set.tags != 0 && set.iter().any(|(_, name, _)| self.get(name).is_some()) {
            for (_, name, value) in set.iter() {
                self.set(name, value);
            }
            return;
        }
        let at = offset(self.arena.len());
        self.tags |= set.tags;
        self.arena.extend_from_slice(&set.arena);
        self.lines.extend(set.lines.iter().map(|line| Line {
            start: line.start + at,
            ..*line
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Known;

    /// An edit: a value to set, or none to remove the field.
    type Edit<'a> = (&'a str, Option<&'a str>);

    /// One after another and all at once have the same result, byte for byte.
    #[test]
    fn edits_at_once_equal_edits_one_by_one() {
        let long = "x-".repeat(40);
        let constants: [&[Edit<'_>]; 7] = [
            &[],
            &[("x-a", Some("1"))],
            &[
                ("x-a", Some("1")),
                ("host", Some("new.example")),
                ("x-a", Some("2")),
            ],
            &[(&long, Some("1")), ("x-none", Some(""))],
            &[("X-A", None)],
            &[("x-a", None), ("x-b", Some("1")), ("x-a", Some("2"))],
            &[
                ("x-b", Some("1")),
                ("x-c", Some("2")),
                ("x-b", None),
                (&long, None),
            ],
        ];
        let other = format!("{long}y");
        let heads: [&[(&str, &str)]; 5] = [
            &[],
            &[("Host", "a.example"), ("Accept", "*/*")],
            &[("X-A", "0"), ("x-b", "0"), ("x-a", "00")],
            &[(&other, "0")],
            &[(&long, "0"), ("X-NONE", "0")],
        ];
        for constant in constants {
            let mut edits = ConstantEdits::default();
            for (name, value) in constant {
                match value {
                    Some(value) => edits.set(name.as_bytes(), value.as_bytes()),
                    None => edits.remove(name.as_bytes()),
                }
            }
            for head in heads {
                let mut one_by_one = Fields::default();
                for (name, value) in head {
                    one_by_one.append(name.as_bytes(), value.as_bytes());
                }
                let mut at_once = one_by_one.clone();
                for (name, value) in constant {
                    match value {
                        Some(value) => one_by_one.set(name.as_bytes(), value.as_bytes()),
                        None => {
                            one_by_one.remove(name.as_bytes());
                        }
                    }
                }
                at_once.edit(&edits);
                let written = |fields: &Fields| {
                    let mut out = Vec::new();
                    fields.write_to(&mut out);
                    String::from_utf8(out).unwrap()
                };
                let (expected, got) = (written(&one_by_one), written(&at_once));
                assert_eq!(got, expected, "{constant:?} in {head:?}");
                let host = |fields: &Fields| fields.known(Known::Host).count();
                assert_eq!(host(&at_once), host(&one_by_one));
            }
        }
    }
}
