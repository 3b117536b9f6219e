//! Cookies and parameters, of which a request may have several with one name.

use janua_http::query;
use janua_wasm::{Input, Single};

use super::View;
use crate::caching::prefixed;

/// Values of which there should be one differ.
pub(super) struct Conflict;

/// The one value of these; none if there is none.
pub(super) fn sole<'a>(
    mut values: impl Iterator<Item = &'a [u8]>,
) -> Result<Option<&'a [u8]>, Conflict> {
    let Some(first) = values.next() else {
        return Ok(None);
    };
    match values.all(|other| other == first) {
        true => Ok(Some(first)),
        false => Err(Conflict),
    }
}

impl View<'_> {
    /// Adds all cookies to a part of the cache key if the input is a cookie that was sent more
    /// than once: policies may see none, and upstreams differ in which one they read.
    pub(crate) fn repeated_cookies(&self, input: &Input, key: &mut Vec<u8>) {
        if let Input::Lookup(lookup) = input {
            return self.repeated_cookies(&lookup.key, key);
        }
        if let Input::Cookie(name) = input
            && self.cookies(name).nth(1).is_some()
        {
            for line in self.request.fields.get_all(b"cookie") {
                prefixed(key, Some(line));
            }
        }
    }

    pub(super) fn cookies<'n>(&self, name: &'n str) -> impl Iterator<Item = &[u8]> + use<'_, 'n> {
        let lines = self.request.fields.get_all(b"cookie");
        lines.flat_map(move |line| query::cookies(line, name))
    }

    /// None if there are several that differ. Any host of the same domain can set a cookie
    /// for all of them, and the browser sends both (RFC 6265 §8.6): neither may such a host
    /// choose which one a policy reads, nor have the request refused.
    pub(super) fn cookie(&self, name: &str) -> Option<&[u8]> {
        sole(self.cookies(name)).ok().flatten()
    }

    pub(super) fn raw_parameters<'n>(
        &self,
        name: &'n str,
    ) -> impl Iterator<Item = &[u8]> + use<'_, 'n> {
        let query = self.request.query.as_deref();
        query
            .into_iter()
            .flat_map(move |query| query::parameters(query, name))
    }

    pub(super) fn raw_parameter(&self, name: &str) -> Option<&[u8]> {
        self.raw_parameters(name).next()
    }

    pub(super) fn parameter(&self, name: &str, out: &mut Vec<u8>) -> bool {
        let value = self.raw_parameter(name);
        value.map(|value| query::decode(value, out)).is_some()
    }

    /// Values that differ only in how they are encoded are the same.
    pub(super) fn single_parameter(&self, name: &str, out: &mut Vec<u8>) -> Single {
        let mut values = self.raw_parameters(name);
        let Some(first) = values.next() else {
            return Single::Absent;
        };
        let start = out.len();
        query::decode(first, out);
        let mut other = Vec::new();
        for value in values {
            other.clear();
            query::decode(value, &mut other);
            if out.get(start..) != Some(&*other) {
                return Single::Conflicting;
            }
        }
        Single::Present
    }
}
