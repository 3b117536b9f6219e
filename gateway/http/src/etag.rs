//! Entity tags (RFC 9110 §8.8.3) and the lists of them in `If-Match` and
//! `If-None-Match`.

/// An entity tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntityTag<'a> {
    /// True for a weak tag, `W/"…"`: equivalent content, but possibly different bytes.
    pub weak: bool,
    /// The content of the quotes.
    pub opaque: &'a [u8],
}

impl<'a> EntityTag<'a> {
    /// Parses a value that consists of one entity tag.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        match Self::take(value) {
            Some((tag, b"")) => Some(tag),
            _ => None,
        }
    }

    /// The strong comparison: both tags are strong and identical (§8.8.3.2).
    #[must_use]
    pub fn matches_strongly(self, other: EntityTag<'_>) -> bool {
        !self.weak && !other.weak && self.opaque == other.opaque
    }

    /// The weak comparison: the tags are identical except for `W/` (§8.8.3.2).
    #[must_use]
    pub fn matches_weakly(self, other: EntityTag<'_>) -> bool {
        self.opaque == other.opaque
    }

    /// Parses a tag at the front of `text`, and returns it with the rest.
    fn take(text: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (weak, rest) = match text.strip_prefix(b"W/") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let rest = rest.strip_prefix(b"\"")?;
        let (opaque, rest) = rest.split_at_checked(memchr::memchr(b'"', rest)?)?;
        let is_opaque = opaque.iter().all(|&byte| byte > b' ' && byte != 0x7f);
        is_opaque.then_some((Self { weak, opaque }, rest.get(1..)?))
    }
}

/// Which comparison a precondition uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `If-Match`, `If-Range`.
    Strong,
    /// `If-None-Match`.
    Weak,
}

/// True if the list in all lines of `If-Match` or `If-None-Match` contains the current tag, or
/// is `*`, which matches any existing representation.
///
/// A member that is not an entity tag matches nothing, and neither does a `*` next to other
/// members. The condition then does not match: `If-Match` gives a 412, so that no update is
/// lost, and `If-None-Match` on a read gives the whole response.
#[must_use]
pub fn names<'v>(
    values: impl Iterator<Item = &'v [u8]>,
    current: Option<EntityTag<'_>>,
    comparison: Comparison,
) -> bool {
    let mut members = 0_usize;
    let mut any = false;
    let mut found = false;
    for value in values {
        let mut rest = value;
        while let Some((member, tail)) = next_member(rest) {
            rest = tail;
            members += 1;
            match (member, current) {
                (Member::Any, _) => any = true,
                (Member::Tag(tag), Some(current)) => {
                    found |= match comparison {
                        Comparison::Strong => tag.matches_strongly(current),
                        Comparison::Weak => tag.matches_weakly(current),
                    };
                }
                _ => {}
            }
        }
    }
    found || (any && members == 1)
}

enum Member<'a> {
    Any,
    Tag(EntityTag<'a>),
    Malformed,
}

/// The next member of a list, and the rest after its comma. A tag may contain commas within
/// its quotes, so that the list cannot simply be split at commas.
fn next_member(text: &[u8]) -> Option<(Member<'_>, &[u8])> {
    let blank = |&byte: &u8| matches!(byte, b',' | b' ' | b'\t');
    let start = text.iter().position(|byte| !blank(byte))?;
    let text = text.get(start..)?;
    if let Some((tag, rest)) = EntityTag::take(text)
        && let Some(rest) = end_of_member(rest)
    {
        return Some((Member::Tag(tag), rest));
    }
    if let Some(rest) = text.strip_prefix(b"*").and_then(end_of_member) {
        return Some((Member::Any, rest));
    }
    let end = memchr::memchr(b',', text).unwrap_or(text.len());
    Some((Member::Malformed, text.get(end..).unwrap_or_default()))
}

/// The rest after the comma that ends a member; `None` if the member does not end here.
fn end_of_member(rest: &[u8]) -> Option<&[u8]> {
    let rest = rest.trim_ascii_start();
    if rest.is_empty() {
        return Some(rest);
    }
    rest.strip_prefix(b",")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_tag() {
        for (text, expected) in [
            (r#""xyzzy""#, Some((false, "xyzzy"))),
            (r#"W/"xyzzy""#, Some((true, "xyzzy"))),
            (r#""""#, Some((false, ""))),
            (r#""a,b""#, Some((false, "a,b"))),
            ("\"\u{e9}\"", Some((false, "\u{e9}"))),
            (r#"w/"xyzzy""#, None),
            (r#""a b""#, None),
            (r#""a"b""#, None),
            (r#""a" "#, None),
            (r#""a"#, None),
            ("xyzzy", None),
            ("*", None),
            ("", None),
        ] {
            let tag = EntityTag::parse(text.as_bytes()).map(|tag| (tag.weak, tag.opaque));
            assert_eq!(
                tag,
                expected.map(|(weak, opaque)| (weak, opaque.as_bytes())),
                "{text}"
            );
        }
    }

    #[test]
    fn comparisons_of_the_rfc() {
        // The table of RFC 9110 §8.8.3.2.
        for (a, b, strongly, weakly) in [
            (r#"W/"1""#, r#"W/"1""#, false, true),
            (r#"W/"1""#, r#"W/"2""#, false, false),
            (r#"W/"1""#, r#""1""#, false, true),
            (r#""1""#, r#""1""#, true, true),
        ] {
            let left = EntityTag::parse(a.as_bytes()).unwrap();
            let right = EntityTag::parse(b.as_bytes()).unwrap();
            assert_eq!(left.matches_strongly(right), strongly, "{a} {b}");
            assert_eq!(left.matches_weakly(right), weakly, "{a} {b}");
        }
    }

    #[test]
    fn lists() {
        let current = r#""a,b""#;
        for (lines, strongly, weakly) in [
            (&[r#""a,b""#][..], true, true),
            (&[r#""x", "a,b""#], true, true),
            (&[r#""x","y" , W/"a,b" "#], false, true),
            (&[r#""x""#, r#""a,b""#], true, true),
            (&[r#",, "x",, "a,b",,"#], true, true),
            (&["*"], true, true),
            (&[" * "], true, true),
            // A star is a list of its own.
            (&[r#"*, "x""#], false, false),
            (&["*", "*"], false, false),
            (&["**"], false, false),
            // What is malformed names nothing; what follows is read.
            (&["a,b"], false, false),
            (&[r#"junk, "a,b""#], true, true),
            (&[r#""x" "a,b""#], false, false),
            (&[r#""a,b"#], false, false),
            (&[""], false, false),
            (&[], false, false),
        ] {
            for (comparison, expected) in
                [(Comparison::Strong, strongly), (Comparison::Weak, weakly)]
            {
                let values = lines.iter().map(|line| line.as_bytes());
                let tag = EntityTag::parse(current.as_bytes());
                assert_eq!(names(values, tag, comparison), expected, "{lines:?}");
            }
        }
    }

    #[test]
    fn without_a_tag_only_the_star_holds() {
        for (line, expected) in [("*", true), (r#""a""#, false)] {
            let values = std::iter::once(line.as_bytes());
            assert_eq!(names(values, None, Comparison::Weak), expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_list_ends(line in r#"[W/"*, ab\t]{0,40}"#) {
            let tag = EntityTag { weak: false, opaque: b"a" };
            let _ = names(std::iter::once(line.as_bytes()), Some(tag), Comparison::Weak);
        }

        #[test]
        fn a_tag_is_found_among_others(
            before in "[a-z,]{0,6}", tag in "[!#-~]{0,8}", after in "[a-z,]{0,6}",
        ) {
            let line = format!("\"{before}\", \"{tag}\" ,W/\"{after}\"");
            let current = EntityTag { weak: false, opaque: tag.as_bytes() };
            prop_assert!(names(std::iter::once(line.as_bytes()), Some(current), Comparison::Strong));
        }
    }
}
