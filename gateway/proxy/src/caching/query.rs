//! The part of a query that joins the cache key.

use janua_wasm::{ParameterName, QueryKey};

/// The query as it joins the key. None if it joins unchanged.
pub(crate) fn keyed(query: &[u8], by: &QueryKey) -> Option<Vec<u8>> {
    match by {
        QueryKey::Whole => None,
        QueryKey::Ignored => Some(Vec::new()),
        QueryKey::Sorted => Some(sorted(query, |_| true)),
        QueryKey::Only(names) => Some(sorted(query, |name| covers(names, name))),
        QueryKey::Without(names) => Some(sorted(query, |name| !covers(names, name))),
    }
}

/// Sorts by name. Parameters with the same name keep their order, which matters to most
/// applications.
fn sorted(query: &[u8], counts: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut parameters: Vec<(&[u8], &[u8])> = query
        .split(|&byte| byte == b'&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| (name(parameter), parameter))
        .filter(|(name, _)| counts(name))
        .collect();
    parameters.sort_by_key(|(name, _)| *name);
    let mut out = Vec::with_capacity(query.len());
    for (_, parameter) in parameters {
        if !out.is_empty() {
            out.push(b'&');
        }
        out.extend_from_slice(parameter);
    }
    out
}

fn name(parameter: &[u8]) -> &[u8] {
    let end = parameter.iter().position(|&byte| byte == b'=');
    parameter
        .get(..end.unwrap_or(parameter.len()))
        .unwrap_or_default()
}

/// Names are compared without decoding, so that another percent-encoding of
/// `utm_source` gives an entry of its own. That never serves the wrong response: a
/// parameter that is left out of the key is not sent to the upstream either.
fn covers(names: &[ParameterName], name: &[u8]) -> bool {
    names.iter().any(|listed| match listed {
        ParameterName::Exact(listed) => listed.as_bytes() == name,
        ParameterName::StartsWith(start) => name.starts_with(start.as_bytes()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts() {
        let exact = |name: &str| ParameterName::Exact(name.into());
        let start = |name: &str| ParameterName::StartsWith(name.into());
        for (query, by, expected) in [
            ("b=2&a=1", QueryKey::Whole, None),
            ("b=2&a=1", QueryKey::Ignored, Some("")),
            ("b=2&a=1&&b=1", QueryKey::Sorted, Some("a=1&b=2&b=1")),
            (
                "utm_source=x&id=7&utm_medium=y&fbclid=z",
                QueryKey::Without([start("utm_"), exact("fbclid")].into()),
                Some("id=7"),
            ),
            (
                "page=2&id=7&sort",
                QueryKey::Only([exact("sort"), exact("id")].into()),
                Some("id=7&sort"),
            ),
            ("idx=7", QueryKey::Only([exact("id")].into()), Some("")),
        ] {
            let keyed = keyed(query.as_bytes(), &by);
            assert_eq!(
                keyed.as_deref(),
                expected.map(str::as_bytes),
                "{query} {by:?}"
            );
        }
    }
}
