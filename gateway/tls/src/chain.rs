//! Whether each certificate of a chain is followed by its issuer.
//!
//! A server has to send its own certificate first and then each one's issuer up
//! to the root, which may be left out (RFC 5246, section 7.4.2; RFC 8446,
//! section 4.4.2). Browsers fetch or remember what is missing, so that a broken
//! chain is often noticed only by programs. Everything here is a warning: only
//! the client knows which issuers it trusts.

use std::path::Path;

use rustls::crypto::CryptoProvider;

use crate::error::Warning;
use crate::parsed::Parsed;

/// What is wrong with the links of the chain that `file` holds, leaf first.
pub(crate) fn check(file: &Path, chain: &[Parsed], provider: &CryptoProvider) -> Vec<Warning> {
    if let [leaf] = chain
        && !leaf.is_self_issued()
    {
        let missing = Warning::of_file(
            file,
            format_args!(
                "the intermediate certificate is missing: the certificate is issued by `{}`, \
                 and nothing follows it. Append that issuer's certificate, unless all clients \
                 have it already.",
                leaf.issuer()
            ),
        );
        return vec![missing];
    }
    let links = chain.windows(2).enumerate();
    links
        .filter_map(|(index, pair)| match pair {
            [one, next] => check_link(file, chain, index + 1, one, next, provider),
            _ => None,
        })
        .collect()
}

/// Checks the link between the certificate at the place `place` (from 1) and
/// the next.
fn check_link(
    file: &Path,
    chain: &[Parsed],
    place: usize,
    one: &Parsed,
    next: &Parsed,
    provider: &CryptoProvider,
) -> Option<Warning> {
    let is_issuer = |other: &Parsed| {
        one.names_as_issuer(other) && one.is_signed_by(other, provider) != Some(false)
    };
    if is_issuer(next) {
        return None;
    }
    let place_of_issuer = || chain.iter().position(is_issuer).map(|index| index + 1);
    let (first, second) = (ordinal(place), ordinal(place + 1));
    let what = if one.is_self_issued() {
        format!(
            "the {first} certificate is issued by itself, so that what follows it is of no use. \
             Remove the certificates after it."
        )
    } else if let Some(actual) = place_of_issuer() {
        format!(
            "the certificates are not in order: the issuer of the {first} one is the {} one \
             instead of the {second}. Put each certificate's issuer right after it.",
            ordinal(actual)
        )
    } else if one.names_as_issuer(next) {
        format!(
            "the {second} certificate is named `{}` as the issuer of the {first} one is, but its \
             key did not sign it. Get the chain that belongs to this certificate.",
            next.subject()
        )
    } else {
        format!(
            "an intermediate certificate is missing: the {first} certificate is issued by `{}`, \
             but the one that follows is `{}`. Insert the issuer's certificate.",
            one.issuer(),
            next.subject()
        )
    };
    Some(Warning::of_file(file, what))
}

/// `first`, `second`, and so on.
pub(crate) fn ordinal(place: usize) -> String {
    match place {
        1 => "first".into(),
        2 => "second".into(),
        3 => "third".into(),
        4 => "fourth".into(),
        5 => "fifth".into(),
        _ => format!("{place}th"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::provider;
    use crate::testing::Authority;

    fn warnings(chain: &[&[u8]]) -> Vec<String> {
        let chain: Vec<Parsed> = chain.iter().map(|der| Parsed::new(der).unwrap()).collect();
        check(Path::new("a.crt"), &chain, &provider())
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn links_are_checked() {
        let root = Authority::new("Root");
        let middle = root.intermediate("Middle");
        let stranger = Authority::new("Middle");
        let leaf = middle.issue(&["a.example"]);
        let leaf: &[u8] = &leaf.chain[0];

        assert_eq!(warnings(&[leaf, middle.der()]), [""; 0]);
        assert_eq!(warnings(&[leaf, middle.der(), root.der()]), [""; 0]);
        assert_eq!(warnings(&[root.der()]), [""; 0]);
        let one = |chain: &[&[u8]]| {
            let found = warnings(chain);
            assert_eq!(found.len(), 1, "{found:?}");
            found[0].clone()
        };
        assert_eq!(
            one(&[leaf]),
            "a.crt: the intermediate certificate is missing: the certificate is issued by \
             `CN=Middle`, and nothing follows it. Append that issuer's certificate, unless all \
             clients have it already."
        );
        assert!(one(&[leaf, root.der()]).contains(
            "an intermediate certificate is missing: the first certificate is issued by \
             `CN=Middle`, but the one that follows is `CN=Root`"
        ));
        assert!(one(&[leaf, stranger.der()]).contains("its key did not sign it"));
        let swapped = warnings(&[leaf, root.der(), middle.der()]);
        assert!(swapped[0].contains("the issuer of the first one is the third one"));
        assert!(swapped[1].contains("the second certificate is issued by itself"));
    }
}
