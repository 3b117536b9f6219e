//! What orders wish for that the authority does not know.

use std::collections::HashMap;

use serde_json::Value;

/// The fields of orders that an authority must repeat if it accepts them: RFC 9773, section 5,
/// and draft-ietf-acme-profiles.
const FIELDS: [&str; 2] = ["replaces", "profile"];

/// The wishes of all orders, by the last part of their URLs, which is that of the URL to finalize
/// them too.
#[derive(Debug, Default)]
pub(super) struct Wishes(HashMap<String, Vec<(&'static str, Value)>>);

impl Wishes {
    /// Notes those of a new order.
    pub(super) fn note(&mut self, url: &str, payload: &Value) {
        let wishes = FIELDS
            .into_iter()
            .map(|field| (field, payload[field].clone()));
        let wishes = wishes.filter(|(_, value)| !value.is_null());
        self.0.insert(identifier(url).to_owned(), wishes.collect());
    }

    /// Repeats them in an order.
    pub(super) fn reflect(&self, url: &str, order: &mut Value) {
        for (field, value) in self.0.get(identifier(url)).into_iter().flatten() {
            order[*field] = value.clone();
        }
    }
}

fn identifier(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or_default()
}
