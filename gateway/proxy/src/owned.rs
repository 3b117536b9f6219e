//! The request fields that policies of a site own: only they may state them.
//!
//! They are removed from each request before the first policy is asked, on every route of
//! the site, so that no client can state them where a route leaves the policy out, or where
//! the policy fails.

use janua_http::Fields;
use janua_wasm::{FieldPattern, Policy};

/// The fields that policies of a site own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Owned {
    names: Vec<Box<str>>,
    beginnings: Vec<FieldPattern>,
}

impl Owned {
    /// Adds the fields that a policy owns.
    pub(crate) fn add(&mut self, policy: &Policy) {
        for field in policy.owned_fields() {
            match field.exact() {
                Some(name) => self.names.push(name.into()),
                None => self.beginnings.push(field.clone()),
            }
        }
    }

    /// Removes these fields.
    pub(crate) fn remove_from(&self, fields: &mut Fields) {
        for name in &self.names {
            fields.remove(name.as_bytes());
        }
        if !self.beginnings.is_empty() {
            fields.retain(|_, name, _| !self.beginnings.iter().any(|it| it.matches_line(name)));
        }
    }

    /// Whether a policy owns this field.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|owned| **owned == *name)
            || self
                .beginnings
                .iter()
                .any(|it| it.matches_line(name.as_bytes()))
    }

    /// The names of fields, which must not come as trailers either.
    pub(crate) fn names(&self) -> &[Box<str>] {
        &self.names
    }

    /// Whether there are fields that cannot be listed by their names.
    pub(crate) fn has_beginnings(&self) -> bool {
        !self.beginnings.is_empty()
    }
}
