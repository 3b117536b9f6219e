//! Shared by the tests of the complete configurations in `examples/`.

use janua_tests::{Request, Response};

/// The `Accept` field of a browser's page request.
pub(crate) const PAGE: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// A request for a page, as a browser sends it.
pub(crate) fn navigation(host: &str, target: &str) -> Request {
    Request::get(target).host(host).header("Accept", PAGE)
}

/// A request for a subresource of a page.
pub(crate) fn resource(host: &str, target: &str) -> Request {
    Request::get(target).host(host).header("Accept", "*/*")
}

/// Whether the gateway's cache answered without the upstream.
pub(crate) fn is_hit(response: &Response) -> bool {
    let status = response.header("cache-status");
    status.is_some_and(|status| status.starts_with("janua; hit"))
}

/// Whether a list of names, such as `Vary`, contains this one.
pub(crate) fn has(response: &Response, field: &str, name: &str) -> bool {
    let list = response.header(field).unwrap_or_default();
    list.split(',')
        .any(|item| item.trim().eq_ignore_ascii_case(name))
}

/// Checks that the response is the page with this text.
pub(crate) fn expect_page(response: &Response, text: &str, target: &str) {
    assert_eq!(response.status, 200, "{target}");
    assert!(
        response.text().contains(text),
        "{target}: {}",
        response.text()
    );
    let kind = response.header("content-type");
    assert_eq!(kind, Some("text/html; charset=utf-8"), "{target}");
}
