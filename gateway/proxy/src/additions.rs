//! The gateway's own edits to the heads of an exchange.

use janua_http::failure::Kind;
use janua_http::{Failure, Fields, ResponseHead};
use janua_wasm::CacheRule;

use crate::caching::prefixed;
use crate::exchange::{Exchange, Matched};
use crate::facts::{AnsweredBy, Original};
use crate::head_bounds;
use crate::head_edits::HeadEdits;
use crate::heads::Heads;
use crate::record::Fetched;
use crate::verdict::Made;

impl Exchange {
    /// Changes the request to another path without a query, and keeps the original.
    pub(crate) fn change_path(&mut self, path: Vec<u8>) {
        let request = &mut self.heads.request;
        self.original.get_or_insert_with(|| Original {
            path: request.path.clone(),
            query: request.query.clone(),
        });
        request.path = path;
        request.query = None;
    }

    /// Makes the edits that the configuration makes to the head of the request. What the
    /// response then depends on beyond the cache key is recorded for the cache.
    ///
    /// # Errors
    /// The request has no usable value for a field, or would be too large.
    pub(crate) fn edit_request(
        &mut self,
        matched: &Matched,
        edits: &HeadEdits,
    ) -> Result<(), Failure> {
        let values = edits.render(&self.view(None)).map_err(|bad| {
            Failure::with(
                Kind::BadRequest,
                format!("the field {} of the route: {}", bad.field, bad.why),
            )
        })?;
        if matched.route().caches {
            for value in edits.outside_cache_key(&values) {
                prefixed(&mut self.caching.personal, value);
            }
        }
        let fields = &mut self.heads.request.fields;
        let was_within = !head_bounds::exceed(fields);
        edits.edit(&values, fields);
        if was_within && head_bounds::exceed(fields) {
            let words = head_bounds::words("the route");
            return Err(Failure::with(Kind::RequestHeadTooLarge, words));
        }
        Ok(())
    }

    /// Makes the edits that the configuration makes to the head of the response, which came
    /// from `by`. A value that cannot be made is absent: there is nobody who could answer for
    /// it any more.
    ///
    /// # Errors
    /// The head would be too large. The response that reports this cannot fail in turn: it goes
    /// without these edits if they make it too large as well.
    pub(crate) fn edit_response(
        &mut self,
        edits: &HeadEdits,
        by: AnsweredBy,
    ) -> Result<(), Failure> {
        let values = edits.render_usable(&self.view(Some(by)));
        let is_last = self.exceeded_by_edits || self.failed_policy.is_some();
        let fields = &mut self.heads.response.fields;
        let was_within = !head_bounds::exceed(fields);
        let unedited = is_last.then(|| fields.clone());
        edits.edit(&values, fields);
        if !was_within || !head_bounds::exceed(fields) {
            return Ok(());
        }
        match unedited {
            Some(unedited) => {
                *fields = unedited;
                Ok(())
            }
            None => {
                self.exceeded_by_edits = true;
                let words = head_bounds::words("the route");
                Err(Failure::with(Kind::ResponseHeadTooLarge, words))
            }
        }
    }

    /// Takes over the log record and the variables of a fetch that another task performed.
    pub(crate) fn adopt_record(&mut self, fetched: Fetched) {
        let notes = std::mem::take(&mut self.record.notes);
        let annotations = std::mem::take(&mut self.record.annotations);
        self.record = fetched.record;
        self.record.notes.splice(0..0, notes);
        let annotations = std::mem::replace(&mut self.record.annotations, annotations);
        for (name, value) in annotations {
            self.record.annotate(name, value);
        }
        self.report = fetched.report;
        self.variables = fetched.variables;
    }

    /// Replaces the freshness lifetimes in the response by those of the rule, with one line
    /// for each field.
    pub(crate) fn write_lifetimes(&mut self) {
        let Some(rule) = self.caching.rule() else {
            return;
        };
        write_lifetimes(rule, &mut self.heads.response.fields);
    }

    /// Adds the fields that the gateway sets on every response: rate limits and
    /// `Cache-Status`. Removes the fields that are meant for the cache alone.
    pub(crate) fn write_additions(&mut self) {
        self.withhold_surrogate_control();
        self.heads.write_quotas();
        if self.terms.as_ref().is_some_and(|terms| terms.cache_status) {
            let rule = self.caching.rule().map(|rule| &*rule.name);
            self.report.write_to(rule, &mut self.heads.response.fields);
        }
    }

    /// Removes `Surrogate-Control`, as the last surrogate must (W3C Edge Architecture), if
    /// the cache handled the response and the client is not a surrogate itself.
    fn withhold_surrogate_control(&mut self) {
        let Heads {
            request, response, ..
        } = &mut *self.heads;
        if self.report.outcome().is_some() && request.fields.get(b"surrogate-capability").is_none()
        {
            response.fields.remove(b"surrogate-control");
        }
    }

    /// Sets the listener's fields for responses that no route made.
    pub(crate) fn add_default_headers(&mut self) {
        let local = self.worker.snapshot();
        if let Some(listener) = local.listener(self.listener) {
            let fields = &mut self.heads.response.fields;
            for (name, value) in &listener.headers {
                fields.set(name.as_bytes(), value.as_bytes());
            }
        }
    }

    /// Replaces the head of the response by that of a generated response.
    pub(crate) fn set_generated_head(&mut self, made: &Made) {
        self.coding = None;
        set_generated(&mut self.heads.response, made);
    }
}

/// Replaces the freshness lifetimes in a response by those of a rule.
pub(crate) fn write_lifetimes(rule: &CacheRule, fields: &mut Fields) {
    if let Some(browser) = &rule.browser {
        fields.set(b"Cache-Control", browser.as_bytes());
        // HTTP/1.0 caches would use these instead.
        fields.remove(b"expires");
        fields.remove(b"pragma");
    }
    if let Some(cdn) = &rule.cdn {
        fields.set(b"CDN-Cache-Control", cdn.as_bytes());
    }
}

/// Replaces a head by that of a generated response.
pub(crate) fn set_generated(response: &mut ResponseHead, made: &Made) {
    response.clear();
    response.status = made.status;
    for (name, value) in &made.headers {
        response.fields.append(name, value);
    }
}
