//! What the gateway does to the heads of an exchange between its steps.

use crate::exchange::Exchange;
use crate::facts::Original;
use crate::heads::Heads;
use crate::record::Fetched;
use crate::verdict::Made;

impl Exchange {
    /// Goes on with another path of the same target, without a query.
    pub(crate) fn turn_to(&mut self, path: Vec<u8>) {
        let request = &mut self.heads.request;
        self.original.get_or_insert_with(|| Original {
            path: request.path.clone(),
            query: request.query.clone(),
        });
        request.path = path;
        request.query = None;
    }

    /// Takes over what the log says about a fetch that another task did.
    pub(crate) fn take_fetched(&mut self, fetched: Fetched) {
        let notes = std::mem::take(&mut self.record.notes);
        self.record = fetched.record;
        self.record.notes.splice(0..0, notes);
        self.report = fetched.report;
    }

    /// Replaces the lifetimes that the response states by those of the rule:
    /// one line each, whatever the upstream said (C1, C3).
    pub(crate) fn write_lifetimes(&mut self) {
        let Some(rule) = self.caching.rule() else {
            return;
        };
        let fields = &mut self.heads.response.fields;
        if let Some(browser) = &rule.browser {
            fields.set(b"Cache-Control", browser.as_bytes());
            // Old caches would go by these instead.
            fields.remove(b"expires");
            fields.remove(b"pragma");
        }
        if let Some(cdn) = &rule.cdn {
            fields.set(b"CDN-Cache-Control", cdn.as_bytes());
        }
    }

    /// Adds what the gateway itself says on every response: what the buckets
    /// said, and what the cache did. What was meant for the cache alone goes.
    pub(crate) fn write_additions(&mut self) {
        self.withhold_surrogate_control();
        self.heads.write_quotas();
        if self.terms.as_ref().is_some_and(|terms| terms.cache_status) {
            let rule = self.caching.rule().map(|rule| &*rule.name);
            self.report.write_to(rule, &mut self.heads.response.fields);
        }
    }

    /// The last surrogate takes `Surrogate-Control` out of the response (W3C
    /// Edge Architecture): where this one looked at it, and the client does not
    /// say that it is one too.
    fn withhold_surrogate_control(&mut self) {
        let Heads {
            request, response, ..
        } = &mut *self.heads;
        if self.report.outcome().is_some() && request.fields.get(b"surrogate-capability").is_none()
        {
            response.fields.remove(b"surrogate-control");
        }
    }

    /// Adds the fields of responses that no route made.
    pub(crate) fn add_default_headers(&mut self) {
        let local = self.worker.snapshot();
        if let Some(listener) = local.listener(self.listener) {
            let fields = &mut self.heads.response.fields;
            for (name, value) in &listener.headers {
                fields.set(name.as_bytes(), value.as_bytes());
            }
        }
    }

    /// Makes a reply the response.
    pub(crate) fn take_made(&mut self, made: &Made) {
        self.coding = None;
        let response = &mut self.heads.response;
        response.clear();
        response.status = made.status;
        for (name, value) in &made.headers {
            response.fields.append(name, value);
        }
    }
}
