//! The heads of an exchange, in memory that is reused by later exchanges.

use janua_cache::Key;
use janua_http::{RequestHead, ResponseHead};

use crate::quotas::Quotas;

/// The heads of an exchange and what belongs to them.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    pub(crate) request: RequestHead,
    pub(crate) response: ResponseHead,
    /// What is left in the buckets from which the request took.
    pub(crate) quotas: Quotas,
    /// The key of the response in the cache.
    pub(crate) key: Key,
}

impl Heads {
    /// The memory that clients, upstreams and policies can fill, in bytes.
    pub(crate) fn capacity(&self) -> usize {
        let request = &self.request;
        request.fields.capacity()
            + request.path.capacity()
            + request.raw_path.capacity()
            + request.query.as_ref().map_or(0, Vec::capacity)
            + self.response.fields.capacity()
            + self.quotas.capacity()
    }

    /// Adds the `RateLimit` fields to the response.
    pub(crate) fn write_quotas(&mut self) {
        self.quotas.write_to(&mut self.response.fields);
    }
}
