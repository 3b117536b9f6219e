//! Whether each certificate of a chain is followed by its issuer.
//!
//! A server has to send its own certificate first and then each one's issuer up
//! to the root, which may be left out (RFC 5246, section 7.4.2; RFC 8446,
//! section 4.4.2). Browsers fetch or remember what is missing, so that a broken
//! chain is often noticed only by programs. Everything here is a warning: only
//! the client knows which issuers it trusts.
//!
//! A certificate that nothing follows may have been issued by a root. Of private
//! authorities that is usual, while public ones issue by intermediates, and have
//! to say in the certificate where its issuer's is found (CA/Browser Forum,
//! Baseline Requirements, section 7.1.2.7.7). So this is what decides whether an
//! intermediate is missing.

use std::path::Path;

use rustls::crypto::CryptoProvider;

use crate::error::Warning;
use crate::parsed::Parsed;

/// What is wrong with the links of the chain that `file` holds, leaf first.
pub(crate) fn check(file: &Path, chain: &[Parsed], provider: &CryptoProvider) -> Vec<Warning> {
    if let [leaf] = chain
        && !leaf.is_self_issued()
        && leaf.says_where_its_issuer_is()
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
    use rcgen::CustomExtension;

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

    /// The last byte of an access method, of which 1.3.6.1.5.5.7.48 is the beginning.
    const OCSP: u8 = 1;
    const CA_ISSUERS: u8 = 2;

    /// The extension that names `http://a.example` for this method (RFC 5280, section 4.2.2.1).
    fn access(method: u8) -> CustomExtension {
        let uri = b"http://a.example";
        let id = [6, 8, 43, 6, 1, 5, 5, 7, 48, method];
        let length = |bytes: usize| u8::try_from(bytes).unwrap();
        let description = [&id[..], &[0x86, length(uri.len())], uri].concat();
        let list = [&[0x30, length(description.len())], &*description].concat();
        let value = [&[0x30, length(list.len())], &*list].concat();
        CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], value)
    }

    /// Of an authority that issues by its root, as private ones do, nothing is missing.
    #[test]
    fn a_certificate_alone_may_be_all() {
        let root = Authority::new("Root");
        for (extension, is_missing) in [
            (None, false),
            (Some(access(OCSP)), false),
            (Some(access(CA_ISSUERS)), true),
            (
                Some(CustomExtension::from_oid_content(
                    &[1, 3, 6, 1, 5, 5, 7, 1, 1],
                    vec![0x30, 7],
                )),
                false,
            ),
        ] {
            let leaf = root.issue_with(&["a.example"], |params| {
                params.custom_extensions.extend(extension.clone());
            });
            let found = warnings(&[&leaf.chain[0]]);
            assert_eq!(!found.is_empty(), is_missing, "{extension:?}: {found:?}");
        }
    }

    #[test]
    fn links_are_checked() {
        let root = Authority::new("Root");
        let middle = root.intermediate("Middle");
        let stranger = Authority::new("Middle");
        let leaf = middle.issue_with(&["a.example"], |params| {
            params.custom_extensions.push(access(CA_ISSUERS));
        });
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
