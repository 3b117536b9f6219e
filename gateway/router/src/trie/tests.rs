use super::Trie;
use proptest::prelude::*;

fn trie(keys: &[Vec<u8>]) -> Trie<Vec<usize>> {
    let mut trie: Trie<Vec<usize>> = Trie::new();
    for (i, key) in keys.iter().enumerate() {
        trie.entry(key).unwrap().push(i);
    }
    trie.link();
    trie
}

fn found(trie: &Trie<Vec<usize>>, text: &[u8]) -> Vec<usize> {
    let mut out = Vec::new();
    let mut at = trie.deepest(text.iter().copied());
    while let Some(entry) = at {
        out.extend(&entry.value);
        at = trie.shorter(entry);
    }
    out
}

#[test]
fn finds_every_key_that_begins_the_text_longest_first() {
    let keys: Vec<Vec<u8>> = ["/", "/api", "/api/v1", "/apx", "/api"]
        .iter()
        .map(|k| k.as_bytes().to_vec())
        .collect();
    let trie = trie(&keys);
    assert_eq!(found(&trie, b"/api/v1/x"), [2, 1, 4, 0]);
    assert_eq!(found(&trie, b"/ap"), [0]);
    assert_eq!(found(&trie, b"/apx"), [3, 0]);
    assert_eq!(found(&trie, b"x"), [0_usize; 0]);
}

proptest! {
    #[test]
    fn agrees_with_a_scan(
        keys in prop::collection::vec(prop::collection::vec(b'a'..b'd', 0..6), 0..24),
        text in prop::collection::vec(b'a'..b'd', 0..10),
    ) {
        let mut expected: Vec<usize> =
            (0..keys.len()).filter(|&i| text.starts_with(&keys[i])).collect();
        expected.sort_by_key(|&i| (std::cmp::Reverse(keys[i].len()), i));
        prop_assert_eq!(found(&trie(&keys), &text), expected);
    }
}
