//! The end of an exchange: it is counted, and written to the access log.

use std::borrow::Cow;
use std::time::Duration;

use janua_http::failure::Kind;
use janua_telemetry::access_log;

use crate::exchange::{Counted, Exchange};
use crate::facts::{AnsweredBy, Ended};
use crate::policies;

/// An exchange is counted and logged when it is dropped, so that this happens exactly once,
/// even if the client goes away or the worker ends.
impl Drop for Counted {
    fn drop(&mut self) {
        let worker = &self.exchange.worker;
        worker.estate.in_flight.add(worker.index, -1);
        worker.requests.set(worker.requests.get().saturating_sub(1));
        self.exchange.conclude();
    }
}

impl Exchange {
    /// Counts the exchange, and logs it if its route is logged.
    fn conclude(&mut self) {
        let record = &self.record;
        if record.status.is_none() && record.failure.is_none() && self.terms.is_none() {
            // The client closed the connection without another request.
            return;
        }
        let worker = &self.worker;
        worker.estate.requests.increment(worker.index);
        let end = record.ended.unwrap_or_else(|| worker.clock.now().instant);
        let duration = end.saturating_duration_since(self.now.instant);
        // As in nginx, the status is 499 if the client left before the response.
        let status = record
            .status
            .or_else(|| (record.failure == Some(Kind::ClientGone)).then_some(499));
        let local = worker.snapshot();
        let stats = match (&self.terms, &self.site_stats) {
            (Some(terms), _) => Some(&terms.stats),
            (None, Some(stats)) => Some(stats),
            (None, None) => local
                .listener(self.listener)
                .map(|listener| &listener.stats),
        };
        if let Some(stats) = stats {
            stats.count(
                worker.index,
                record.status,
                duration,
                record.bytes_in,
                record.bytes_out,
            );
            if let Some(outcome) = self.report.outcome() {
                stats.count_cache(worker.index, outcome);
            }
            if let Some(kind) = record.failure {
                stats.count_failure(worker.index, kind);
            }
        }
        if self.is_asked_at_end() {
            let ended = self.ended(duration);
            policies::finished_phase(self, &ended);
        }
        if self.is_logged() {
            self.log(status, duration);
        }
    }

    fn ended(&self, duration: Duration) -> Ended {
        let record = &self.record;
        let upstream = record.attempts.last();
        let upstream = upstream.map(|attempt| attempt.upstream.forwarding.stats.name().into());
        let first_byte = record.began;
        Ended {
            status: record.status,
            request_body: record.bytes_in,
            response_body: record.bytes_out,
            duration_ms: millis(duration),
            first_byte_ms: first_byte
                .map(|began| millis(began.saturating_duration_since(self.now.instant))),
            attempts: record.attempts.count() as u64,
            upstream,
            failure: record.failure.map(Kind::word),
        }
    }

    fn log(&self, status: Option<u16>, duration: Duration) {
        let record = &self.record;
        let request = &self.heads.request;
        let of_attempts = record.attempts.notes();
        let of_attempts = of_attempts.iter();
        let of_attempts = of_attempts.map(|(of, text)| access_log::Note { of, text });
        let notes = record.notes.iter();
        let notes: Vec<access_log::Note<'_>> = notes
            .map(|(of, text)| access_log::Note { of, text })
            .chain(of_attempts)
            .collect();
        let annotations: Vec<access_log::Word<'_>> = record
            .annotations
            .iter()
            .map(|(name, value)| access_log::Word { name, value })
            .collect();
        let variables = self.variables.logged();
        let variables: Vec<access_log::Word<'_>> = variables
            .map(|variable| access_log::Word {
                name: &variable.name,
                value: &variable.value,
            })
            .collect();
        let (path, query) = match &self.original {
            Some(original) => (&original.path, &original.query),
            None => (&request.path, &request.query),
        };
        let query = query.as_deref().map(|query| match &self.terms {
            Some(terms) => terms.hidden_query.shown(query),
            None => Cow::Borrowed(query),
        });
        let attempt = record.attempts.last();
        let stats = attempt.map(|attempt| &attempt.upstream.forwarding.stats);
        let cache = self.report.outcome().map(|outcome| outcome.word());
        let why = cache.map(|_| {
            self.report
                .words(self.caching.rule().map(|rule| &*rule.name))
        });
        self.worker.log.borrow_mut().record(&access_log::Record {
            time_unix_millis: self.now.unix_ms,
            request_id: self.request_id.as_bytes(),
            client_ip: self.origin.client.unwrap_or(self.peer.address),
            method: std::str::from_utf8(&request.method).unwrap_or_default(),
            scheme: self.origin.scheme(),
            host: request.authority.host().as_bytes(),
            path,
            query: query.as_deref(),
            http_version: request.version.number(),
            tls_version: self.peer.tls.as_ref().map(|tls| tls.version),
            tls_cipher: self.peer.tls.as_ref().map(|tls| tls.cipher_suite),
            tls_server_name: (self.peer.tls.as_ref()).and_then(|tls| tls.server_name.as_deref()),
            status,
            bytes_in: record.bytes_in,
            bytes_out: record.bytes_out,
            duration_us: micros(duration),
            site: self.terms.as_ref().map(|terms| &*terms.site),
            route: self.terms.as_ref().map(|terms| &*terms.label),
            answered_by: record.answered_by.map(AnsweredBy::word),
            cache,
            cache_detail: why.as_deref().filter(|why| !why.is_empty()),
            upstream: stats.map(|stats| stats.name()),
            endpoint: attempt
                .zip(stats)
                .map(|(attempt, stats)| stats.endpoint(attempt.endpoint)),
            upstream_connect_us: attempt.and_then(|attempt| attempt.connect).map(micros),
            upstream_head_us: attempt.and_then(|attempt| attempt.head).map(micros),
            upstream_total_us: attempt
                .and_then(|attempt| attempt.begin.zip(attempt.end))
                .map(|(begin, end)| micros(end.saturating_duration_since(begin))),
            failure: record.failure.map(Kind::word),
            notes: &notes,
            annotations: &annotations,
            variables: &variables,
            user_agent: request.fields.get(b"user-agent"),
            referer: request.fields.get(b"referer"),
        });
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
