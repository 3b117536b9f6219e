use std::sync::Arc;

use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;
use crate::{Content, Kind, Secrets};

const SCOPE: Scope<'_> = Scope {
    policy: "session",
    purpose: "cookie",
};

fn secret(files: &[&[u8]]) -> Arc<Secret> {
    let files = files.iter().map(|file| Zeroizing::new(file.to_vec()));
    let content = Content::read(Kind::Raw, files.collect()).unwrap();
    let table = Secrets::new([("s".to_owned(), content)], &Secrets::default());
    Arc::clone(table.get("s").unwrap())
}

#[test]
fn a_value_opens_for_the_same_policy_and_purpose_only() {
    let secret = secret(&[&[1; 32]]);
    let sealed = secret.seal(SCOPE, b"ann").unwrap();
    assert_eq!(secret.open(SCOPE, &sealed), Ok(Some(b"ann".to_vec())));
    for (policy, purpose) in [
        ("session", "cookies"),
        ("session", ""),
        ("sessionc", "ookie"),
        ("sessio", "ncookie"),
        ("", "sessioncookie"),
        ("other", "cookie"),
    ] {
        let scope = Scope { policy, purpose };
        assert_eq!(secret.open(scope, &sealed), Ok(None), "{scope:?}");
    }
}

#[test]
fn a_key_is_replaced_without_loss() {
    let (old, new) = ([1; 32], [2; 32]);
    let before = secret(&[&old]);
    let during = secret(&[&new, &old]);
    let after = secret(&[&new]);
    let first = before.seal(SCOPE, b"ann").unwrap();
    let second = during.seal(SCOPE, b"bob").unwrap();
    assert_eq!(during.open(SCOPE, &first), Ok(Some(b"ann".to_vec())));
    assert_eq!(during.open(SCOPE, &second), Ok(Some(b"bob".to_vec())));
    assert_eq!(before.open(SCOPE, &second), Ok(None));
    assert_eq!(after.open(SCOPE, &first), Ok(None));
    assert_eq!(after.open(SCOPE, &second), Ok(Some(b"bob".to_vec())));
}

#[test]
fn limits() {
    let short = secret(&[&[1; 31]]);
    assert_eq!(short.seal(SCOPE, b""), Err(SealError::WrongKey));
    assert_eq!(short.open(SCOPE, ""), Err(SealError::WrongKey));
    let secret = secret(&[&[1; 32]]);
    let longest = vec![7; MAX_PLAIN];
    let sealed = secret.seal(SCOPE, &longest).unwrap();
    assert_eq!(secret.open(SCOPE, &sealed), Ok(Some(longest)));
    let longer = vec![7; MAX_PLAIN + 1];
    assert_eq!(secret.seal(SCOPE, &longer), Err(SealError::TooLarge));
    for text in [
        "",
        "A",
        "AQ",
        "====",
        "\u{fffd}",
        &"A".repeat(39),
        &"A".repeat(1 << 20),
    ] {
        assert_eq!(secret.open(SCOPE, text), Ok(None));
    }
}

#[test]
fn public_keys_do_not_seal() {
    let pem = include_str!("../../fixtures/tokens.json");
    let rows: serde_json::Value = serde_json::from_str(pem).unwrap();
    let pem = rows[3]["pem"].as_str().unwrap();
    let file = Zeroizing::new(pem.as_bytes().to_vec());
    let content = Content::read(Kind::Pem, vec![file]).unwrap();
    let table = Secrets::new([("s".to_owned(), content)], &Secrets::default());
    let secret = table.get("s").unwrap();
    assert_eq!(secret.seal(SCOPE, b""), Err(SealError::WrongKey));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_sealed_opens_and_nothing_else(
        plain in proptest::collection::vec(any::<u8>(), 0..200),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
        with in "[A-Za-z0-9_=+/ -]",
    ) {
        let secret = secret(&[&[1; 32], &[2; 40]]);
        let sealed = secret.seal(SCOPE, &plain).unwrap();
        prop_assert_eq!(secret.open(SCOPE, &sealed), Ok(Some(plain.clone())));
        prop_assert_ne!(secret.seal(SCOPE, &plain).unwrap(), sealed.as_str());

        let mut bytes = URL_SAFE_NO_PAD.decode(&sealed).unwrap();
        let place = at.index(bytes.len());
        bytes[place] ^= 1 << bit;
        let changed = URL_SAFE_NO_PAD.encode(&bytes);
        prop_assert_eq!(secret.open(SCOPE, &changed), Ok(None));

        // Each text is one value, and each value one text.
        let place = at.index(sealed.len());
        let mut text = sealed.clone();
        text.replace_range(place..=place, &with);
        let opened = secret.open(SCOPE, &text);
        prop_assert_eq!(opened, Ok((text == sealed).then_some(plain)));
        prop_assert_eq!(secret.open(SCOPE, &sealed[..place]), Ok(None));
    }

    #[test]
    fn whatever_is_opened_is_refused_quietly(text in "\\PC{0,80}") {
        prop_assert_eq!(secret(&[&[1; 32]]).open(SCOPE, &text), Ok(None));
    }
}
