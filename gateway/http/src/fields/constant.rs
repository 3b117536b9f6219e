//! Lines that are set in many heads: written once, and copied from then on.

use super::{Fields, Line, offset};

/// Fields of which each has one line with a value that never changes.
#[derive(Clone, Debug)]
pub struct ConstantLines {
    fields: Fields,
    /// A bit for each length that a name has, for all from 63 on the last one.
    lengths: u64,
}

impl ConstantLines {
    /// The lines with these names and values, in this order. Of several with one
    /// name the last value stands.
    pub fn new<'a>(lines: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let mut fields = Fields::default();
        for (name, value) in lines {
            fields.set(name, value);
        }
        let lengths = fields.lines.iter().map(|line| bit(*line));
        Self {
            lengths: lengths.fold(0, |all, one| all | one),
            fields,
        }
    }
}

fn bit(line: Line) -> u64 {
    1 << line.name.min(63)
}

impl Fields {
    /// Does for each of the lines what [`Self::set`] does, in their order. Where
    /// the head has none of these fields, as is usual, that is one copy.
    pub fn set_all(&mut self, constant: &ConstantLines) {
        let Self { arena, lines } = self;
        let is_set = |line: &Line| {
            bit(*line) & constant.lengths != 0
                && constant
                    .fields
                    .iter()
                    .any(|(_, name, _)| line.is_named(arena, name))
        };
        if lines.iter().any(is_set) {
            for (_, name, value) in constant.fields.iter() {
                self.set(name, value);
            }
            return;
        }
        let at = offset(arena.len());
        arena.extend_from_slice(&constant.fields.arena);
        lines.extend(constant.fields.lines.iter().map(|line| Line {
            start: line.start + at,
            ..*line
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Known;

    /// One after another and all at once come to the same head, byte for byte.
    #[test]
    fn as_set_does_one_by_one() {
        let long = "x-".repeat(40);
        let constants: [&[(&str, &str)]; 4] = [
            &[],
            &[("x-a", "1")],
            &[("x-a", "1"), ("host", "new.example"), ("x-a", "2")],
            &[(&long, "1"), ("x-none", "")],
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
            for head in heads {
                let mut one_by_one = Fields::default();
                for (name, value) in head {
                    one_by_one.append(name.as_bytes(), value.as_bytes());
                }
                let mut at_once = one_by_one.clone();
                for (name, value) in constant {
                    one_by_one.set(name.as_bytes(), value.as_bytes());
                }
                let lines = constant.iter();
                let lines = lines.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
                at_once.set_all(&ConstantLines::new(lines));
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
