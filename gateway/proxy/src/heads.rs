//! The heads of an exchange, in memory that goes from request to request.

use janua_cache::Key;
use janua_http::{RequestHead, ResponseHead};

use crate::verdict::Quotas;

/// Both heads of an exchange; their memory goes from request to request.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    pub(crate) request: RequestHead,
    pub(crate) response: ResponseHead,
    /// What the buckets said of the request.
    pub(crate) quotas: Quotas,
    /// What the response is stored under.
    pub(crate) key: Key,
}

impl Heads {
    /// Adds what the buckets said to the response.
    pub(crate) fn write_quotas(&mut self) {
        self.quotas.write_to(&mut self.response.fields);
    }
}
