//! What a request's outcome says about its endpoint: for outlier detection, and for the
//! adaptive limit.

use std::time::Duration;

use janua_http::failure::Kind;
use janua_http::{ResponseHead, date};
use janua_upstream::{ErrorKind, Picked, Shift};

use crate::clock::Moment;
use crate::snapshot::Forwarding;
use crate::worker::Worker;

/// Statuses of gRPC that are errors of the server: `UNKNOWN`, `DEADLINE_EXCEEDED`,
/// `INTERNAL`, `UNAVAILABLE` and `DATA_LOSS`.
const GRPC_ERRORS: [&[u8]; 5] = [b"2", b"4", b"13", b"14", b"15"];

/// An attempt has failed, and the endpoint is at fault.
pub(super) fn failed(
    worker: &Worker,
    forwarding: &Forwarding,
    picked: &Picked,
    kind: Kind,
    now_ms: u64,
) {
    let error = match kind {
        Kind::ConnectionRefused
        | Kind::ConnectTimeout
        | Kind::Unreachable
        | Kind::TlsHandshake
        | Kind::TlsCertificate
        | Kind::NoHttp2 => ErrorKind::Connect,
        Kind::ResponseTimeout => ErrorKind::Timeout,
        // That its name has no address says nothing about the endpoint.
        Kind::Dns => return,
        _ => ErrorKind::Reset,
    };
    if let Some(unanswered) = &picked.unanswered
        && error == ErrorKind::Timeout
    {
        unanswered.gave_up(now_ms);
    }
    observe(worker, forwarding, picked, Some(error), now_ms);
}

/// The head of a response has arrived after this time.
pub(super) fn answered(
    worker: &Worker,
    forwarding: &Forwarding,
    picked: &mut Picked,
    response: &ResponseHead,
    took: Duration,
) {
    let rule = forwarding.upstream.outliers();
    let unanswered = picked.unanswered.take();
    if rule.is_none() && unanswered.is_none() {
        return;
    }
    let now = worker.clock.now();
    let is_error = is_error(response);
    if let Some(unanswered) = unanswered
        && !is_error
    {
        // An error may be quick where an answer is not.
        unanswered.took(took, now.monotonic_ms);
    }
    let Some(rule) = rule else {
        return;
    };
    let heeds = |status| rule.retry_after.is_some_and(|rule| rule.heeds(status));
    if matches!(response.status, 429 | 503)
        && heeds(response.status)
        && let Some(length) = retry_after(response, now)
    {
        let upstream = &forwarding.upstream;
        let paused = upstream.pause(picked.index, length, now.monotonic_ms);
        count(worker, forwarding, paused);
    }
    let error = is_error.then_some(ErrorKind::Status);
    observe(worker, forwarding, picked, error, now.monotonic_ms);
}

fn observe(
    worker: &Worker,
    forwarding: &Forwarding,
    picked: &Picked,
    error: Option<ErrorKind>,
    now_ms: u64,
) {
    let shifts = forwarding.upstream.observe(picked.index, error, now_ms);
    count(worker, forwarding, shifts);
}

fn count(worker: &Worker, forwarding: &Forwarding, shifts: impl IntoIterator<Item = Shift>) {
    for shift in shifts {
        if let Some(ejection) = shift.ejection {
            let word = ejection.why.word();
            let stats = &forwarding.stats;
            stats.count_ejection(worker.index, shift.index, word);
        }
    }
}

/// Whether the response is an error of the server. 501 and 505 are about the request.
fn is_error(response: &ResponseHead) -> bool {
    match response.status {
        501 | 505 => false,
        500.. => true,
        200 => {
            let status = response.fields.get(b"grpc-status");
            status.is_some_and(|status| GRPC_ERRORS.contains(&status))
        }
        _ => false,
    }
}

/// How long the endpoint wants to be left alone (RFC 9110 §10.2.3).
fn retry_after(response: &ResponseHead, now: Moment) -> Option<Duration> {
    let value = response.fields.get(b"retry-after")?;
    if let Some(seconds) = seconds(value) {
        return Some(Duration::from_secs(seconds));
    }
    let until = date::parse(value)?;
    let now_s = now.unix_ms / 1000;
    Some(Duration::from_secs(until.saturating_sub(now_s)))
}

fn seconds(value: &[u8]) -> Option<u64> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(value).ok().filter(|_| is_number)?;
    // What does not fit is longer than anybody waits.
    Some(text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, fields: &[(&str, &str)]) -> ResponseHead {
        let mut response = ResponseHead {
            status,
            ..ResponseHead::default()
        };
        for (name, value) in fields {
            response.fields.append(name.as_bytes(), value.as_bytes());
        }
        response
    }

    #[test]
    fn errors_of_the_server_count_and_others_do_not() {
        for (status, fields, expected) in [
            (200, vec![], false),
            (404, vec![], false),
            (429, vec![], false),
            (500, vec![], true),
            (501, vec![], false),
            (503, vec![], true),
            (505, vec![], false),
            (599, vec![], true),
            (200, vec![("grpc-status", "0")], false),
            (200, vec![("grpc-status", "14")], true),
            (200, vec![("grpc-status", "5")], false),
        ] {
            let response = response(status, &fields);
            assert_eq!(is_error(&response), expected, "{status} {fields:?}");
        }
    }

    #[test]
    fn retry_after_is_a_number_of_seconds_or_a_date() {
        let now = Moment {
            instant: tokio::time::Instant::now(),
            monotonic_ms: 0,
            // Sun, 06 Nov 1994 08:49:37 GMT
            unix_ms: 784_111_777_000,
        };
        for (value, seconds) in [
            ("0", Some(0)),
            ("120", Some(120)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("-1", None),
            ("1.5", None),
            ("", None),
            ("soon", None),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
        ] {
            let response = response(503, &[("Retry-After", value)]);
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(retry_after(&response, now), expected, "{value}");
        }
        assert_eq!(retry_after(&response(503, &[]), now), None);
    }
}
