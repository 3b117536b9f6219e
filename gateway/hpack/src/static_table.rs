//! The static table: fields that have an index from the start (RFC 7541, appendix A).

use janua_http::fields::is_same_name;

/// The number of entries. Higher indexes are those of the dynamic table.
pub(crate) const LEN: usize = 61;

/// Name and value of each entry. Indexes begin with 1.
const ENTRIES: [(&str, &str); LEN] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// The entry with this index, as name and value; `None` if the index is 0 or above [`LEN`].
#[inline]
pub(crate) fn get(index: usize) -> Option<(&'static [u8], &'static [u8])> {
    let (name, value) = ENTRIES.get(index.wrapping_sub(1))?;
    Some((name.as_bytes(), value.as_bytes()))
}

/// A hash of a name, the same for names that differ in letter case only.
#[derive(Clone, Copy)]
pub(crate) struct NameHash(u32);

impl NameHash {
    #[inline]
    pub(crate) const fn of(name: &[u8]) -> Self {
        let (Some(first), Some(last)) = (name.first(), name.last()) else {
            return Self(0);
        };
        // Length, first and last letter are enough to tell all names of the static table apart.
        // These bits make upper-case letters lower-case.
        let mixed = name.len() as u32 & 0xff
            | ((*first | 0x20) as u32) << 8
            | ((*last | 0x20) as u32) << 16;
        Self(mixed.wrapping_mul(MULTIPLIER))
    }

    /// The high 16 bits, which are the best mixed ones.
    #[inline]
    pub(crate) const fn tag(self) -> u16 {
        (self.0 >> 16) as u16
    }

    #[inline]
    const fn slot(self) -> usize {
        (self.0 >> (32 - SLOT_BITS)) as usize
    }
}

/// Found by trying: with it, no two names of the table have the same slot. [`SLOTS`] checks it.
const MULTIPLIER: u32 = 0x9e95_f40b;
const SLOT_BITS: u32 = 7;

/// The index of the first entry with the name of each slot; 0 if there is none.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated at compile time, where a bad index does not compile"
)]
const SLOTS: [u8; 1 << SLOT_BITS] = {
    let mut slots = [0; 1 << SLOT_BITS];
    let mut place = 0;
    while place < LEN {
        let name = ENTRIES[place].0.as_bytes();
        if place == 0 || !is_same(name, ENTRIES[place - 1].0.as_bytes()) {
            let slot = NameHash::of(name).slot();
            assert!(slots[slot] == 0, "two names have one slot");
            slots[slot] = place as u8 + 1;
        }
        place += 1;
    }
    slots
};

/// `==`, which does not work at compile time yet.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated at compile time, where a bad index does not compile"
)]
const fn is_same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut place = 0;
    while place < one.len() {
        if one[place] != other[place] {
            return false;
        }
        place += 1;
    }
    true
}

/// The index of the first entry with this name, in any letter case.
#[inline]
pub(crate) fn find_name(name: &[u8], hash: NameHash) -> Option<usize> {
    let index = usize::from(SLOTS.get(hash.slot()).copied()?);
    let (found, _) = get(index)?;
    is_same_name(found, name).then_some(index)
}

/// The index of the entry with this value, among those with the name of the entry `first`, which
/// is the first of them.
#[inline]
pub(crate) fn find_value(first: usize, value: &[u8]) -> Option<usize> {
    let last = match first {
        2 | 4 | 6 => first + 1,
        8 => 14,
        _ => first,
    };
    (first..=last).find(|&index| get(index).is_some_and(|entry| entry.1 == value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_found() {
        for index in 1..=LEN {
            let (name, value) = get(index).unwrap();
            let first = (1..).find(|&other| get(other).unwrap().0 == name);
            assert_eq!(find_name(name, NameHash::of(name)), first);
            let upper = name.to_ascii_uppercase();
            assert_eq!(find_name(&upper, NameHash::of(&upper)), first);
            assert_eq!(find_value(first.unwrap(), value), Some(index));
        }
        assert_eq!((get(0), get(LEN + 1)), (None, None));
    }

    #[test]
    fn nothing_else_is_found() {
        for name in ["", "a", "hosts", "hast", ":Path/", "x-request-id", "viA\0"] {
            let name = name.as_bytes();
            assert_eq!(find_name(name, NameHash::of(name)), None);
        }
        for (first, value) in [(2, "get"), (8, "201"), (16, ""), (58, "curl"), (4, "/a")] {
            assert_eq!(find_value(first, value.as_bytes()), None);
        }
    }
}
