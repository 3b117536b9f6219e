//! Edits that are made to many heads: prepared once, so that they cost one copy each time.

use super::{Fields, Line, Name, offset};

/// Edits that do not depend on the head: fields that are removed, and fields that get one
/// line with a constant value.
#[derive(Clone, Debug, Default)]
pub struct ConstantEdits {
    /// The lines that are set.
    set: Lines,
    /// The fields that are removed first; only the names of these lines count.
    removed: Lines,
}

/// Lines, and what their names have in common.
#[derive(Clone, Debug, Default)]
struct Lines {
    fields: Fields,
    /// A bit for each length of a name; all from 63 on share the last one.
    lengths: u64,
}

impl ConstantEdits {
    /// Adds an edit that does what [`Fields::set`] does.
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        self.set.fields.set(name, value);
        self.set.rebuild();
    }

    /// Adds an edit that does what [`Fields::remove`] does.
    pub fn remove(&mut self, name: &[u8]) {
        self.set.fields.remove(name);
        self.set.rebuild();
        self.removed.fields.set(name, b"");
        self.removed.rebuild();
    }
}

impl Lines {
    /// Leaves nothing in the arena that is not part of a line, so that all lines are copied
    /// at once.
    fn rebuild(&mut self) {
        let mut fields = Fields::default();
        for (_, name, value) in self.fields.iter() {
            fields.append(name, value);
        }
        self.lengths = fields
            .lines
            .iter()
            .map(length_bit)
            .fold(0, |all, one| all | one);
        self.fields = fields;
    }

    /// True if one of these lines has the name of this line of another head.
    #[inline]
    fn name(&self, line: &Line, arena: &[u8]) -> bool {
        length_bit(line) & self.lengths != 0
            && self.fields.lines.iter().any(|own| {
                let bytes = own.name(&self.fields.arena);
                let ends = own.ends;
                line.is_named(arena, Name { bytes, ends })
            })
    }
}

fn length_bit(line: &Line) -> u64 {
    1 << line.name.min(63)
}

impl Fields {
    /// Makes all of the edits, with the same result as one after another. Lines that are set
    /// take one copy if the head has none of these fields, as is usual.
    pub fn edit(&mut self, edits: &ConstantEdits) {
        let Self { arena, lines } = self;
        let ConstantEdits { set, removed } = edits;
        if lines.iter().any(|line| removed.name(line, arena)) {
            lines.retain(|line| !removed.name(line, arena));
        }
        if lines.iter().any(|line| set.name(line, arena)) {
            for (_, name, value) in set.fields.iter() {
                self.set(name, value);
            }
            return;
        }
        let at = offset(arena.len());
        arena.extend_from_slice(&set.fields.arena);
        lines.extend(set.fields.lines.iter().map(|line| Line {
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
