//! What of the queries of a route is not written to the access log.

use std::borrow::Cow;

use janua_http::query;
use janua_wasm::{Input, Phase, Plan, Policy};

/// What policies of a route declare to be secret of a query.
#[derive(Debug, Default)]
pub(crate) struct HiddenQuery {
    is_whole: bool,
    parameters: Vec<Box<str>>,
}

impl HiddenQuery {
    pub(crate) fn add(&mut self, policy: &Policy) {
        for input in Phase::ALL
            .into_iter()
            .filter_map(|phase| policy.plan(phase))
            .flat_map(Plan::secrets)
        {
            match input {
                Input::Query | Input::OriginalQuery => self.is_whole = true,
                Input::QueryParameter(name)
                | Input::QueryParameterBase64(name)
                | Input::RawQueryParameter(name) => self.parameters.push(name.clone()),
                _ => {}
            }
        }
    }

    /// The query as it is logged.
    pub(crate) fn shown<'a>(&self, query: &'a [u8]) -> Cow<'a, [u8]> {
        if self.is_whole {
            return Cow::Borrowed(b"***");
        }
        if self.parameters.is_empty() {
            return Cow::Borrowed(query);
        }
        let mut shown = Vec::with_capacity(query.len());
        let names = self.parameters.iter().map(|name| &**name);
        query::hide(query, names, &mut shown);
        Cow::Owned(shown)
    }
}
