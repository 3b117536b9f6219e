//! A JSON document as an API would send it: words, numbers and repeated names.

/// The words of its texts.
const WORDS: &[&str] = &[
    "amber", "bridge", "candle", "drift", "ember", "field", "garden", "harbor", "island",
    "jasmine", "kettle", "lantern", "meadow", "needle", "orchard", "pebble", "quarry", "river",
    "saddle", "timber", "umbrella", "valley", "willow", "yarrow", "zephyr",
];

/// A list of records, at least `length` bytes long and the same in every run. gzip reduces it
/// to about a quarter.
pub(crate) fn json(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let mut text = String::from("[");
    let mut id = 0;
    while text.len() < length {
        let mut word = || {
            let index = usize::try_from(next(WORDS.len() as u64)).unwrap_or_default();
            WORDS.get(index).copied().unwrap_or_default()
        };
        let name = format!("{} {}", word(), word());
        let note: Vec<&str> = (0..12).map(|_| word()).collect();
        let separator = if id == 0 { "" } else { "," };
        text.push_str(&format!(
            "{separator}{{\"id\":{id},\"name\":\"{name}\",\"price\":{}.{:02},\"token\":\"{:016x}\",\"active\":{},\"note\":\"{}\"}}",
            next(1000),
            next(100),
            next(u64::MAX),
            next(2) == 0,
            note.join(" "),
        ));
        id += 1;
    }
    text.push(']');
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_as_long_as_asked_and_always_the_same() {
        let document = json(100 * 1024);
        assert!((100 * 1024..101 * 1024).contains(&document.len()));
        assert_eq!(document, json(100 * 1024));
        assert_eq!(document.iter().filter(|byte| **byte == b'{').count(), {
            let ends = document.iter().filter(|byte| **byte == b'}');
            ends.count()
        });
    }
}
